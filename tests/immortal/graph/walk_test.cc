#include "tenure/immortal/graph/walk.h"

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

TEST(AddressSet, HasWhatWasInserted) {
  std::vector<char> memory(1'000'000);
  AddressSet set;
  EXPECT_FALSE(set.contains(memory.data()));
  for (size_t i = 0; i < memory.size(); i += 16) ASSERT_TRUE(set.insert(&memory[i]));
  for (size_t i = 0; i < memory.size(); i += 16) ASSERT_FALSE(set.insert(&memory[i]));
  for (size_t i = 0; i < memory.size(); ++i) ASSERT_EQ(set.contains(&memory[i]), i % 16 == 0) << i;
  EXPECT_EQ(set.size(), memory.size() / 16);
}

TEST(Walk, KnowsTheWay) {
  const Strong a = PyList_New(0);
  const Strong b = PyList_New(0);
  const Strong c = PyList_New(0);
  Walk walk(/*ways=*/true);
  EXPECT_TRUE(walk.add(a.get(), Walk::kNone));
  EXPECT_TRUE(walk.add(b.get(), 0));
  EXPECT_TRUE(walk.add(c.get(), 1));
  EXPECT_FALSE(walk.add(c.get(), 0)) << "found before";
  EXPECT_EQ(walk.way_to(2), (std::vector<PyObject*>{a.get(), b.get(), c.get()}));
  EXPECT_EQ(walk.way_to(0), (std::vector<PyObject*>{a.get()}));
}

TEST(Walk, LeavesOut) {
  const Strong a = PyList_New(0);
  Walk walk(/*ways=*/false);
  EXPECT_TRUE(walk.leave_out(a.get()));
  EXPECT_FALSE(walk.leave_out(a.get()));
  EXPECT_FALSE(walk.add(a.get(), Walk::kNone));
  EXPECT_TRUE(walk.knows(a.get()));
  EXPECT_TRUE(walk.objects().empty());
}

}  // namespace
}  // namespace tenure::graph
