// A linked graph in a position-dependent program, in which nobody has it hashed.

#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/identity.h"
#include "tenure/immortal/image/image.h"
#include "tenure/tests/immortal/linked/kept.h"
#include "tenure/tests/immortal/linked/sample.h"
#include "tenure/tests/support/memory.h"
#include "tenure/tests/support/python.h"

extern "C" {
[[gnu::visibility("hidden")]] extern const std::byte tenure_graph_sample_begin[];
[[gnu::visibility("hidden")]] extern const std::byte tenure_graph_sample_end[];
[[gnu::visibility("hidden")]] extern const std::byte tenure_graph_kept_begin[];
}

namespace tenure {
namespace {

bool is_linked_in(PyObject* object) {
  const auto* address = reinterpret_cast<const std::byte*>(object);
  return address >= tenure_graph_sample_begin && address < tenure_graph_sample_end;
}

// Visits a graph of FrozenDicts and tuples without having anything hashed.
void walk(PyObject* object, const std::function<void(PyObject*)>& visit) {
  visit(object);
  if (PyTuple_CheckExact(object)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
      walk(PyTuple_GET_ITEM(object, i), visit);
    }
  } else if (abi::is_frozen_dict(object)) {
    const abi::FrozenDictObject* dict = abi::as_frozen_dict(object);
    for (size_t i = 0; i < abi::entry_count(dict); ++i) {
      walk(abi::entries_of(dict)[i].key, visit);
      walk(abi::entries_of(dict)[i].value, visit);
    }
  }
}

uint64_t own_bytes_at(const std::byte* address) { return testing::area_of(address).own_bytes; }

TEST(GraphFixed, IsNeitherRelocatedNorCopied) {
  const auto root = sample::root();
  ASSERT_TRUE(root) << testing::take_error();
  const image::Image& image = *sample::graph.image();
  EXPECT_EQ(image.mapping().base(), tenure_graph_sample_begin);
  EXPECT_TRUE(image.is_prelinked());
  EXPECT_EQ(image.stats().slots_relocated, 0u);
  std::vector<PyObject*> inside;
  std::vector<PyObject*> outside;
  walk((*root).get(),
       [&](PyObject* object) { (is_linked_in(object) ? inside : outside).push_back(object); });
  EXPECT_GT(inside.size(), 20u);
  for (PyObject* object : outside) {
    EXPECT_TRUE(object == Py_None || PyBool_Check(object) || PyLong_Check(object) ||
                PyUnicode_GetLength(object) < 2)
        << testing::repr(object);
  }
  for (PyObject* object : inside) {
    const auto* address = reinterpret_cast<const std::byte*>(object);
    // Debug interpreters want every str marked at load.
    EXPECT_EQ(own_bytes_at(address) == 0, !abi::identity().debug) << testing::repr(object);
  }
  EXPECT_EQ(own_bytes_at(tenure_graph_sample_begin), 0u);
  EXPECT_EQ(testing::area_of(tenure_graph_sample_begin).access, "r--p")
      << "only where objects are anybody may write";
}

TEST(GraphFixed, OfListsIsMappedOnceMore) {
  ASSERT_TRUE(kept::rows()) << testing::take_error();
  EXPECT_NE(kept::graph.image()->mapping().base(), tenure_graph_kept_begin);
}

}  // namespace
}  // namespace tenure
