#include "tenure/immortal/image/placement.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

class PlacementTest : public ::testing::Test {
 protected:
  PlacementTest() {
    auto sources = testing::sample_sources();
    sources.push_back({"third", "a = 'shared text of both'; b = b'some bytes'; c = ()\n"});
    testing::add_sources(graph_, sources);
    placement_ = std::make_unique<Placement>(graph_);
  }

  static size_t segment_of(const Node& node) {
    return static_cast<size_t>(node.segment) - kFirstSegmentKind;
  }

  Graph graph_{nullptr};
  std::unique_ptr<Placement> placement_;
};

TEST_F(PlacementTest, GivesEveryObjectOnePlaceInItsGroup) {
  std::vector<int> places(graph_.nodes().size());
  ASSERT_EQ(placement_->nodes_by_group.size(), graph_.group_count());
  for (uint32_t group = 0; group < graph_.group_count(); ++group) {
    for (uint32_t node : placement_->nodes_by_group[group]) {
      ++places[node];
      EXPECT_EQ(graph_.nodes()[node].group, group);
    }
  }
  EXPECT_EQ(std::count(places.begin(), places.end(), 1), static_cast<ptrdiff_t>(places.size()));
}

TEST_F(PlacementTest, AlignsObjectsAndTheirPrefixes) {
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    EXPECT_EQ(placement_->offsets[i] % abi::kObjectAlignment, 0u);
    EXPECT_GE(placement_->offsets[i], graph_.nodes()[i].shape->prefix_bytes);
  }
}

// Objects with their prefixes, in order of place: none reaches into the next.
TEST_F(PlacementTest, LetsNoTwoObjectsOverlap) {
  std::vector<std::vector<std::pair<uint64_t, uint64_t>>> taken(kSegments);
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    const uint64_t offset = placement_->offsets[i];
    taken[segment_of(node)].push_back({offset - node.shape->prefix_bytes, offset + node.bytes});
  }
  for (size_t segment = 0; segment < kSegments; ++segment) {
    auto& all = taken[segment];
    std::sort(all.begin(), all.end());
    for (size_t i = 1; i < all.size(); ++i) EXPECT_LE(all[i - 1].second, all[i].first);
    if (!all.empty()) {
      EXPECT_LE(all.back().second, placement_->segment_bytes[segment]);
    }
  }
}

TEST_F(PlacementTest, GivesEachGroupARunOfItsOwn) {
  for (size_t segment = 0; segment < kSegments; ++segment) {
    uint64_t end = 0;
    for (uint32_t group = 0; group < graph_.group_count(); ++group) {
      const Placement::Run& run = placement_->runs[group][segment];
      EXPECT_LE(end, run.begin) << "the common group first, then in order";
      EXPECT_LE(run.begin, run.end);
      EXPECT_EQ(run.begin % abi::kObjectAlignment, 0u);
      end = run.end;
    }
    EXPECT_EQ(end, placement_->segment_bytes[segment]);
  }
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    const Placement::Run& run = placement_->runs[node.group][segment_of(node)];
    EXPECT_GE(placement_->offsets[i] - node.shape->prefix_bytes, run.begin);
    EXPECT_LE(placement_->offsets[i] + node.bytes, run.end);
  }
}

TEST_F(PlacementTest, PutsTheMostUsedInFront) {
  for (const auto& members : placement_->nodes_by_group) {
    for (size_t i = 1; i < members.size(); ++i) {
      const Node& before = graph_.nodes()[members[i - 1]];
      const Node& node = graph_.nodes()[members[i]];
      EXPECT_LE(before.segment, node.segment);
      if (before.segment != node.segment) continue;
      EXPECT_LT(placement_->offsets[members[i - 1]], placement_->offsets[members[i]]);
      EXPECT_GE(before.users, node.users);
      if (before.users == node.users) {
        EXPECT_LT(members[i - 1], members[i]) << "in the order in which they were found";
      }
    }
  }
  std::set<uint32_t> users;
  for (uint32_t node : placement_->nodes_by_group[kCommonGroup]) {
    users.insert(graph_.nodes()[node].users);
  }
  EXPECT_GT(users.size(), 1u) << "the sample is too plain to show an order";
}

TEST(Placement, OfNothingIsEmpty) {
  const Graph graph(nullptr);
  const Placement placement(graph);
  for (uint64_t bytes : placement.segment_bytes) EXPECT_EQ(bytes, 0u);
  EXPECT_EQ(placement.nodes_by_group.size(), 1u);
}

}  // namespace
}  // namespace tenure::image
