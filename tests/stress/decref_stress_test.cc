// Everything at once that deferred decrefs promise to stand, for TENURE_STRESS_SECONDS (5):
// producers with every kind of handle, drains by several threads with small budgets, destructors
// that do what they like, subinterpreters that come and go, forks, Python threads, and an end with
// producers at work. Then every object was destroyed once, or is counted as leaked.

#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"
#include "tenure/tests/stress/probe.h"

namespace tenure::stress {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// What is handed to producers, to be dropped there.
using Parcel = std::variant<Sendable<>, Shared<>>;

class Post {
 public:
  void send(Parcel parcel) {
    std::lock_guard guard(mutex_);
    parcels_.push_back(std::move(parcel));
  }

  std::optional<Parcel> receive() {
    std::lock_guard guard(mutex_);
    if (parcels_.empty()) return std::nullopt;
    Parcel parcel = std::move(parcels_.back());
    parcels_.pop_back();
    return parcel;
  }

  size_t size() {
    std::lock_guard guard(mutex_);
    return parcels_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<Parcel> parcels_;
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t below(uint32_t end) { return static_cast<uint32_t>(engine_() % end); }
  // One in eight does something.
  Deed deed() { return below(8) == 0 ? static_cast<Deed>(below(kDeeds)) : Deed::kNothing; }

 private:
  std::mt19937 engine_;
};

// Drops what it is sent, mostly detached. Ends when told to and nothing is left.
void produce(Post& post, const std::atomic<bool>& is_over, uint32_t seed) {
  Random random(seed);
  while (true) {
    std::optional<Parcel> parcel = post.receive();
    if (!parcel) {
      if (is_over.load()) return;
      std::this_thread::sleep_for(50us);
      continue;
    }
    if (auto* shared = std::get_if<Shared<>>(&*parcel)) {
      const Shared<> copy = *shared;
      parcel.reset();
      // Now and then the last one to drop it is attached.
      if (random.below(16) == 0) {
        Attach attach(copy.gate());
        if (attach) {
          EXPECT_GE(Py_REFCNT(copy.get(attach.token()).get()), 1);
        }
      }
    } else if (random.below(16) == 0) {
      DrainingAttach attach(std::get<Sendable<>>(*parcel).queue());
      parcel.reset();
    }
  }
}

// Attached. Sends `count` probes of the current interpreter.
void send_probes(Post& post, PyObject* type, Random& random, int count) {
  DecrefQueue& queue = *DecrefQueue::current();
  for (int i = 0; i < count; ++i) {
    Owned<> probe = Owned<>::steal(new_probe(type, random.deed()));
    if (random.below(2) == 0) {
      post.send(Sendable<>(std::move(probe), queue));
    } else {
      std::optional<Shared<>> shared = Shared<>::make(std::move(probe));
      ASSERT_TRUE(shared);
      if (random.below(4) == 0) post.send(*shared);
      post.send(std::move(*shared));
    }
  }
}

void run_python(const char* source) { ASSERT_EQ(PyRun_SimpleString(source), 0); }

// A subinterpreter that lives for a moment, and whose objects outlive it.
void visit_subinterpreter(Post& post, Random& random) {
  PyThreadState* const before = PyThreadState_Get();
  tally().subinterpreters.fetch_add(1);
  PyThreadState* inside = nullptr;
  const bool is_own = random.below(2) == 0;
  PyInterpreterConfig config = {};
  config.use_main_obmalloc = is_own ? 0 : 1;
  config.allow_threads = 1;
  config.check_multi_interp_extensions = 1;
  config.gil = is_own ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL;
  ASSERT_FALSE(PyStatus_Exception(Py_NewInterpreterFromConfig(&inside, &config)));
  {
    Strong type = make_probe_type();
    send_probes(post, type.get(), random, 200);
    run_python("for i in range(1000): [i]");
    if (random.below(2) == 0) DecrefQueue::current()->drain({.objects = 10});
  }
  Py_EndInterpreter(inside);
  PyThreadState_Swap(before);
  tally().subinterpreters.fetch_sub(1);
}

std::chrono::milliseconds run_time() {
  const char* seconds = std::getenv("TENURE_STRESS_SECONDS");
  return std::chrono::milliseconds(
      static_cast<int64_t>(1000 * (seconds != nullptr ? std::atof(seconds) : 5.0)));
}

// Attached to the main interpreter, until time is up.
void run_main_interpreter(Post& post, Random& random) {
  Strong type = make_probe_type();
  const Clock::time_point end = Clock::now() + run_time();
  run_python(
      "import sys, threading, gc\n"
      "sys.unraisablehook = lambda unraisable: None\n"
      "stop = threading.Event()\n"
      "def work():\n"
      "    while not stop.is_set():\n"
      "        [str(i) for i in range(500)]\n"
      "threads = [threading.Thread(target=work) for _ in range(2)]\n"
      "for thread in threads: thread.start()\n");
  while (Clock::now() < end) {
    send_probes(post, type.get(), random, 300);
    switch (random.below(6)) {
      case 0:
        DecrefQueue::current()->drain({.objects = random.below(100), .time = 100us});
        break;
      case 1:
        visit_subinterpreter(post, random);
        break;
      case 2:
        fork_and_check();
        break;
      case 3:
        run_python("gc.collect()");
        break;
      case 4: {
        PyObject* list = PyList_New(0);
        for (int i = 0; i < 2000; ++i) {
          Strong probe = new_probe(type.get(), random.deed());
          ASSERT_EQ(PyList_Append(list, probe.get()), 0);
        }
        DecrefQueue::current()->release_incrementally(list);
        break;
      }
      default:
        run_python("for i in range(3000): [i]");
    }
    // The memory of a machine that is slow at forking is not what is tried here.
    while (post.size() > 20'000) {
      const Detach detach;
      std::this_thread::sleep_for(1ms);
    }
  }
  run_python("stop.set()\nfor thread in threads: thread.join()\n");
  // To be dropped while the interpreter ends, and after it.
  send_probes(post, type.get(), random, 20'000);
}

TEST(DecrefStress, EveryObjectIsDestroyedOnceOrLeaked) {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  ASSERT_FALSE(PyStatus_Exception(Py_InitializeFromConfig(&config)));
  PyConfig_Clear(&config);

  Post post;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> producers;
  for (uint32_t i = 0; i < 3; ++i) {
    producers.emplace_back([&, i] { produce(post, is_over, i); });
  }
  Random random(42);
  DecrefQueue::current()->set_bound(20ms);
  run_main_interpreter(post, random);
  EXPECT_EQ(Py_FinalizeEx(), 0);
  is_over.store(true);
  for (std::thread& producer : producers) producer.join();

  uint64_t leaked = 0;
  uint64_t drained = 0;
  for (DecrefQueue* queue = DecrefQueue::newest(); queue != nullptr; queue = queue->next()) {
    const DeferStats stats = queue->stats();
    EXPECT_TRUE(queue->is_finished());
    EXPECT_EQ(stats.pending, 0U);
    EXPECT_EQ(stats.dismantling, 0U);
    EXPECT_EQ(stats.pushed, stats.drained + stats.leaked);
    leaked += stats.leaked;
    drained += stats.drained;
  }
  EXPECT_EQ(tally().wrong.load(), 0U);
  EXPECT_EQ(tally().bad_children.load(), 0U);
  EXPECT_EQ(tally().made.load(), tally().destroyed.load() + leaked);
  EXPECT_GT(drained, 1000U);
  RecordProperty("made", std::to_string(tally().made.load()));
  std::printf("made %llu, leaked %llu, drained %llu, forks %llu\n",
              static_cast<unsigned long long>(tally().made.load()),
              static_cast<unsigned long long>(leaked), static_cast<unsigned long long>(drained),
              static_cast<unsigned long long>(tally().forks.load()));
}

}  // namespace
}  // namespace tenure::stress
