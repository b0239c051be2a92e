// Handles in an arena: the references go when it does.

#include <functional>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/sendable.h"
#include "tenure/pool/arena.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::pool {
namespace {

using testing::Deaths;
using testing::Gil;

Owned<> owned(Strong object) { return Owned<>::steal(std::move(object).release()); }

TEST(ArenaHandlesTest, AreDroppedWithIt) {
  Deaths deaths;
  {
    Arena arena;
    for (int i = 0; i < 1000; ++i) arena.make<Owned<>>(owned(deaths.make()));
    std::pmr::vector<Owned<>> more(arena.resource());
    for (int i = 0; i < 100; ++i) more.push_back(owned(deaths.make()));
    EXPECT_EQ(deaths.count(), 0);
    {
      const ArenaScope scope(arena);
      arena.make<Owned<>>(owned(deaths.make()));
    }
    EXPECT_EQ(deaths.count(), 1);
  }
  EXPECT_EQ(deaths.count(), 1101);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

// A borrowed one needs no destructor.
TEST(ArenaHandlesTest, BorrowedOnesCostTheirSize) {
  static_assert(kSkipsDestructor<Borrowed<>> && !kSkipsDestructor<Owned<>>);
  Arena arena;
  const Owned<List> list = List::make().take();
  EXPECT_EQ(arena.make<Borrowed<List>>(list.borrow())->get(), list.get());
  EXPECT_EQ(Py_REFCNT(list.get()), 1);
}

TEST(ArenaHandlesTest, DestructorsOfObjectsMayUseIt) {
  Deaths deaths;
  int rounds = 0;
  {
    Arena arena;
    std::function<Strong()> mortal = [&] {
      return testing::new_mortal([&] {
        if (++rounds > 100) return;
        (void)arena.allocate(1000);
        arena.make<Owned<>>(owned(mortal()));
        arena.make<Owned<>>(owned(deaths.make()));
      });
    };
    arena.make<Owned<>>(owned(mortal()));
    arena.reset();
    EXPECT_EQ(rounds, 101);
    EXPECT_EQ(deaths.count(), 100);
    EXPECT_EQ(arena.bytes_used(), 0U);
  }
}

TEST(ArenaHandlesTest, SendableOnesMayEndDetached) {
  Deaths deaths;
  std::optional<Arena> arena;
  arena.emplace();
  for (int i = 0; i < 10; ++i) {
    arena->make<Sendable<>>(*Sendable<>::make(owned(deaths.make())));
  }
  testing::on_another_thread([&] { arena.reset(); });
  DecrefQueue::current()->flush();
  EXPECT_EQ(deaths.count(), 10);
  EXPECT_EQ(deaths.elsewhere(), 0);
}

TEST(ArenaHandlesTest, OfAnInterpreterEndInIt) {
  testing::Subinterpreter other(Gil::kOwn);
  std::optional<Deaths> deaths;
  other.run([&] {
    deaths.emplace();
    Arena arena;
    for (int i = 0; i < 10; ++i) arena.make<Owned<>>(owned(deaths->make()));
  });
  EXPECT_EQ(deaths->count(), 10);
  EXPECT_EQ(deaths->elsewhere(), 0);
}

TEST(ArenaHandlesTest, AreCopiesInTheChildOfAFork) {
  Deaths deaths;
  Arena arena;
  for (int i = 0; i < 10; ++i) arena.make<Owned<>>(owned(deaths.make()));
  testing::expect_in_child([&] {
    arena.reset();
    EXPECT_EQ(deaths.count(), 10);
  });
  EXPECT_EQ(deaths.count(), 0);
}

}  // namespace
}  // namespace tenure::pool
