// A linked graph in a position-independent program. It runs with libpython, and so with another
// build of the interpreter than the one that has frozen the data; tests/examples/countries_test.py
// tells about the same build.

#include <gtest/gtest.h>

#include "tenure/immortal/image/image.h"
#include "tenure/tests/immortal/linked/sample.h"
#include "tenure/tests/support/memory.h"
#include "tenure/tests/support/python.h"

extern "C" {
[[gnu::visibility("hidden")]] extern const std::byte tenure_graph_sample_begin[];
}

namespace tenure {
namespace {

using testing::area_of;

TEST(GraphAnywhere, IsMappedOnceMoreFromTheBinary) {
  ASSERT_TRUE(sample::root()) << testing::take_error();
  const image::Image& image = *sample::graph.image();
  EXPECT_NE(image.mapping().base(), tenure_graph_sample_begin);
  EXPECT_EQ(reinterpret_cast<uint64_t>(image.mapping().base()),
            image.view().header().preferred_base);
  const auto linked = area_of(tenure_graph_sample_begin);
  const auto used = area_of(image.mapping().base());
  EXPECT_EQ(linked.access, "r--p");
  EXPECT_EQ(linked.own_bytes, 0u) << "nobody writes to the section";
  EXPECT_EQ(used.file, linked.file);
}

TEST(GraphAnywhere, IsRelocatedForAnotherBuild) {
  ASSERT_TRUE(sample::root()) << testing::take_error();
  EXPECT_FALSE(sample::graph.image()->is_prelinked());
  EXPECT_NE(sample::graph.image()->stats().slots_relocated, 0u);
}

}  // namespace
}  // namespace tenure
