// Interpreters that come and go while other threads push to them.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;
using testing::Gil;
using testing::on_another_thread;
using testing::Subinterpreter;

constexpr Gil kGils[] = {Gil::kOwn, Gil::kShared};

DecrefQueue& queue() { return *DecrefQueue::main(); }

class DecrefQueueInterpretersTest : public ::testing::TestWithParam<Gil> {
 protected:
  void SetUp() override {
    ASSERT_NE(DecrefQueue::current(), nullptr);
    testing::fall_idle(queue());
  }
  void TearDown() override {
    queue().flush();
    testing::expect_balanced(queue());
  }
};

INSTANTIATE_TEST_SUITE_P(Gil, DecrefQueueInterpretersTest, ::testing::ValuesIn(kGils),
                         [](const auto& gil) { return gil.param == Gil::kOwn ? "Own" : "Shared"; });

// Some objects of another interpreter, and their deaths.
struct Others {
  Others(Subinterpreter& owner, size_t count) {
    owner.run([&] {
      deaths.emplace();
      objects = deaths->make(count);
    });
  }
  std::optional<Deaths> deaths;
  std::vector<PyObject*> objects;
};

TEST_P(DecrefQueueInterpretersTest, HaveQueuesOfTheirOwn) {
  Subinterpreter first(GetParam());
  Subinterpreter second(GetParam());
  EXPECT_NE(&first.queue(), &queue());
  EXPECT_NE(&first.queue(), &second.queue());
  first.run([&] {
    EXPECT_EQ(DecrefQueue::current(), &first.queue());
    EXPECT_EQ(DecrefQueue::main(), &queue());
    EXPECT_TRUE(first.queue().gate().is_attached());
    EXPECT_FALSE(queue().gate().is_attached());
  });
}

TEST_P(DecrefQueueInterpretersTest, AreDrainedByWhoIsAttachedToThem) {
  const Bound bound(1h);
  Subinterpreter other(GetParam());
  Others others(other, 10);
  // Attached, but to another interpreter: as good as detached.
  for (PyObject* object : others.objects) other.queue().drop(object);
  EXPECT_EQ(others.deaths->count(), 0);
  queue().flush();
  EXPECT_EQ(others.deaths->count(), 0);
  other.run([&] { EXPECT_EQ(other.queue().flush(), 10U); });
  EXPECT_EQ(others.deaths->count(), 10);
  EXPECT_EQ(others.deaths->elsewhere(), 0);
}

TEST_P(DecrefQueueInterpretersTest, AreDrainedWhenTheyEnd) {
  const Bound bound(1h);
  Subinterpreter other(GetParam());
  Others others(other, 10);
  on_another_thread([&] {
    for (PyObject* object : others.objects) other.queue().defer(object);
  });
  DecrefQueue& ended = other.queue();
  other.end();
  EXPECT_EQ(others.deaths->count(), 10);
  EXPECT_TRUE(ended.is_finished());
  EXPECT_EQ(ended.gate().interpreter(), nullptr);
  EXPECT_FALSE(Attach(ended.gate()));
  EXPECT_EQ(ended.stats().leaked, 0U);
  testing::expect_balanced(ended);
}

TEST_P(DecrefQueueInterpretersTest, LeakWhatIsDroppedAfterTheirEnd) {
  Subinterpreter other(GetParam());
  Others others(other, 10);
  DecrefQueue& ended = other.queue();
  other.end();
  // Whoever lives at its address now has objects of its own.
  Subinterpreter next(GetParam());
  for (int i = 0; i < 5; ++i) ended.drop(others.objects[i]);
  next.run([&] { ended.drop(others.objects[5]); });
  on_another_thread([&] {
    for (int i = 6; i < 10; ++i) ended.drop(others.objects[i]);
  });
  next.run([&] { next.queue().flush(); });
  EXPECT_EQ(others.deaths->count(), 0);
  EXPECT_EQ(ended.stats().leaked, 10U);
  EXPECT_EQ(next.queue().stats().pushed, 0U);
  testing::expect_balanced(ended);
}

// Producers of the main interpreter, of no interpreter, and of the one that ends.
TEST_P(DecrefQueueInterpretersTest, MayEndWhileThreadsPushToThem) {
  const Bound bound(1ms);
  for (int round = 0; round < 15; ++round) {
    Subinterpreter other(GetParam());
    Others others(other, 30'000);
    DecrefQueue& ending = other.queue();
    std::atomic<size_t> next{0};
    std::atomic<bool> is_over{false};
    auto push = [&] {
      while (!is_over) {
        const size_t i = next.fetch_add(1);
        if (i >= others.objects.size()) return;
        ending.drop(others.objects[i]);
        if (i % 8 == 0) std::this_thread::sleep_for(10us);
      }
    };
    std::thread detached(push);
    std::thread attached_elsewhere([&] {
      const Attach attach(queue().gate());
      ASSERT_TRUE(attach);
      while (!is_over) {
        const size_t i = next.fetch_add(1);
        if (i >= others.objects.size()) return;
        ending.drop(others.objects[i]);
        const Detach detach;
      }
    });
    std::thread visitor([&] {
      for (;;) {
        const Attach attach(ending.gate());
        if (!attach) return;
        ending.drain({.objects = 10});
        const size_t i = next.fetch_add(1);
        if (i < others.objects.size()) ending.defer(others.objects[i]);
      }
    });
    testing::eventually_detached([&] { return next > 500; });
    other.end();
    is_over = true;
    {
      const Detach detach;
      for (std::thread* thread : {&detached, &attached_elsewhere, &visitor}) thread->join();
    }
    const DeferStats stats = ending.stats();
    EXPECT_EQ(stats.pending, 0U);
    EXPECT_EQ(stats.pushed, std::min(next.load(), others.objects.size()));
    EXPECT_EQ(static_cast<uint64_t>(others.deaths->count()), stats.drained);
    EXPECT_EQ(others.deaths->elsewhere(), 0);
    testing::expect_balanced(ending);
  }
}

// How much the process has grown by interpreters without queues: CPython 3.13 loses more than a MiB
// with each that has a GIL of its own.
int growth_without_queues(Gil gil, int count) {
  const int before = testing::resident_mib();
  for (int i = 0; i < count; ++i) {
    PyThreadState* const here = PyThreadState_Get();
    Py_EndInterpreter(testing::new_interpreter(gil));
    PyThreadState_Swap(here);
  }
  return testing::resident_mib() - before;
}

TEST_P(DecrefQueueInterpretersTest, LeaveLittleBehind) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // They take their time, and keep what is freed for a while.
  constexpr int kCount = 50;
  constexpr int kSlackMib = 128;
#else
  constexpr int kCount = 200;
  constexpr int kSlackMib = 12;
#endif
  std::atomic<DecrefQueue*> current{&queue()};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> producers;
  for (int t = 0; t < 2; ++t) {
    producers.emplace_back([&] {
      while (!is_over) {
        for (int i = 0; i < 100; ++i) current.load()->defer(Py_None);
        std::this_thread::sleep_for(200us);
      }
    });
  }
  auto come_and_go = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Subinterpreter other(GetParam());
      current = &other.queue();
      testing::eventually_detached([&] { return other.queue().stats().pushed > 200; });
      other.end();
    }
  };
  come_and_go(20);
  const int without = growth_without_queues(GetParam(), kCount);
  const int before = testing::resident_mib();
  come_and_go(kCount);
  const int with = testing::resident_mib() - before;
  is_over = true;
  {
    const Detach detach;
    for (std::thread& producer : producers) producer.join();
  }
  EXPECT_LT(with, kSlackMib + std::max(without, 0) * 5 / 4) << without << " MiB without queues";
  // A thread of their own is little as well.
  EXPECT_TRUE(testing::eventually_detached([] { return testing::count_reapers() <= 1; }));
}

TEST_P(DecrefQueueInterpretersTest, ManyAtATime) {
  const Bound bound(10ms);
  constexpr int kCount = 12;
  std::vector<std::unique_ptr<Subinterpreter>> interpreters;
  std::vector<std::unique_ptr<Others>> others;
  for (int i = 0; i < kCount; ++i) {
    interpreters.push_back(std::make_unique<Subinterpreter>(GetParam()));
    others.push_back(std::make_unique<Others>(*interpreters.back(), 100));
  }
  on_another_thread([&] {
    for (int i = 0; i < 100; ++i) {
      for (int k = 0; k < kCount; ++k) interpreters[k]->queue().defer(others[k]->objects[i]);
    }
  });
  for (int k = 0; k < kCount; ++k) {
    EXPECT_TRUE(testing::eventually_detached([&] { return others[k]->deaths->count() == 100; }));
    EXPECT_EQ(others[k]->deaths->elsewhere(), 0);
  }
}

// Threads of the interpreter itself drop what belongs to the main one.
TEST_P(DecrefQueueInterpretersTest, MayDropWhatBelongsToTheMainOne) {
  const Bound bound(1h);
  Subinterpreter other(GetParam());
  Deaths deaths;
  const std::vector<PyObject*> objects = deaths.make(10);
  other.run([&] {
    for (PyObject* object : objects) queue().drop(object);
    EXPECT_EQ(deaths.count(), 0);
  });
  EXPECT_EQ(queue().flush(), 10U);
  EXPECT_EQ(deaths.count(), 10);
}

}  // namespace
}  // namespace tenure
