#include "tenure/immortal/linked/linked_graph.h"

#include <gtest/gtest.h>

#include "tenure/immortal/image/image.h"
#include "tenure/tests/immortal/linked/sample.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

TEST(LinkedGraph, HasWhatWasFrozen) {
  const auto root = sample::root();
  ASSERT_TRUE(root) << testing::take_error();
  EXPECT_EQ(testing::repr((*root).get()), "");
}

}  // namespace
}  // namespace tenure
