// The unusual ends of an interpreter: daemon threads, several lives, forks, forgotten interpreters.
// Each in a process of its own.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/tests/core/exit_programs.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/programs.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Bound;
using testing::Deaths;
using testing::deaths;
using testing::eventually_detached;
using testing::finalize;
using testing::Gil;
using testing::on_another_thread;
using testing::passes;
using testing::Program;
using testing::require;
using testing::require_balanced;
using testing::run_in_main;
using testing::start_with_queue;
using testing::Subinterpreter;

const Program several_lives("several_lives", [] {
  const Bound bound(10ms);
  std::vector<DecrefQueue*> queues;
  std::atomic<DecrefQueue*> current{nullptr};
  std::atomic<bool> is_over{false};
  // One thread lives through all of them.
  std::thread outlives([&] {
    while (!is_over) {
      if (DecrefQueue* queue = current) queue->defer(Py_None);
      std::this_thread::sleep_for(50us);
    }
  });
  for (int life = 0; life < 4; ++life) {
    DecrefQueue& queue = start_with_queue();
    for (const DecrefQueue* old : queues) require(old != &queue, "it is a new one");
    require(DecrefQueue::main() == &queue, "and the one to be found");
    require(!queue.is_finished() && queue.gate().is_attached(), "of this life");
    queues.push_back(&queue);
    current = &queue;
    const std::vector<PyObject*> objects = deaths().make(3);
    on_another_thread([&] { queue.defer(objects[0]); });
    require(eventually_detached([] { return deaths().count() == 1; }), "it makes progress");
    for (const auto gil : {Gil::kOwn, Gil::kShared}) {
      Subinterpreter other(gil);
      require(!other.queue().is_finished(), "so do others of this life");
      std::optional<Deaths> there;
      PyObject* object = nullptr;
      other.run([&] {
        there.emplace();
        object = there->make().release();
      });
      on_another_thread([&] { other.queue().defer(object); });
      require(eventually_detached([&] { return there->count() == 1; }), "it makes progress");
    }
    on_another_thread([&] { queue.defer(objects[1]); });
    finalize(queue);
    require(deaths().count() == 2, "all was done");
    std::thread([&] { queue.defer(objects[2]); }).join();
    for (const DecrefQueue* old : queues) {
      require(old->is_finished() && old->stats().leaked >= 1, "what is left over is leaked");
    }
  }
  is_over = true;
  outlives.join();
  for (const DecrefQueue* old : queues) require_balanced(*old);
});

TEST(DecrefQueueEnd, AProcessMayHaveInterpretersOneAfterAnother) {
  EXPECT_TRUE(passes(several_lives));
}

const Program daemon_threads("daemon_threads", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  run_in_main(
      "import threading, time\n"
      "def busy():\n"
      "  while True:\n"
      "    defer(mortal())\n"
      "    drain()\n"
      "for i in range(4): threading.Thread(target=busy, daemon=True).start()\n"
      "time.sleep(0.03)\n");
  finalize(queue);
  std::this_thread::sleep_for(10ms);
  require(static_cast<uint64_t>(deaths().count()) == queue.stats().drained, "each died once");
  require_balanced(queue);
  _exit(0);  // those threads are still there, somewhere in the interpreter
});

TEST(DecrefQueueEnd, DaemonThreadsMayPushAndDrain) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes(daemon_threads));
}

// The interpreter never lets it go on, so its drain never ends.
const Program daemon_thread_in_a_drain("daemon_thread_in_a_drain", [] {
  const Bound bound(1h);
  DecrefQueue& queue = start_with_queue();
  run_in_main(
      "import threading, time\n"
      "is_inside = threading.Event()\n"
      "class Slow:\n"
      "  def __del__(self):\n"
      "    is_inside.set()\n"
      "    time.sleep(0.1)\n"
      "def busy():\n"
      "  defer(Slow())\n"
      "  for i in range(5): defer(mortal())\n"
      "  drain()\n"
      "threading.Thread(target=busy, daemon=True).start()\n"
      "is_inside.wait()\n");
  finalize(queue);
  require(deaths().count() == 5, "the rest is done without it");
  std::this_thread::sleep_for(150ms);
  require(queue.stats().drained == 6, "it is counted once");
  require_balanced(queue);
  _exit(0);
});

TEST(DecrefQueueEnd, ADaemonThreadMayBeInADrain) { EXPECT_TRUE(passes(daemon_thread_in_a_drain)); }

// Python code can take the queue's atexit function away; then nobody closes the gate in time.
const Program without_atexit_functions("without_atexit_functions", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  std::atomic<bool> is_over{false};
  const std::vector<PyObject*> objects = deaths().make(100'000);
  std::thread producer([&] {
    for (size_t i = 0; i < objects.size() && !is_over; ++i) {
      queue.defer(objects[i]);
      std::this_thread::sleep_for(10us);
    }
  });
  run_in_main(
      "import atexit, time\n"
      "atexit._clear()\n"
      "time.sleep(0.01)\n"
      "class Slow:\n"
      "  def __del__(self, sleep=time.sleep): sleep(0.02)\n"
      "kept = [Slow(), Slow()]\n");
  finalize(queue);
  is_over = true;
  producer.join();
  require(static_cast<uint64_t>(deaths().count()) == queue.stats().drained, "each died once");
  require_balanced(queue);
  _exit(0);
});

TEST(DecrefQueueEnd, NeedsNoAtexitFunctions) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes(without_atexit_functions));
}

// The main interpreter's end ends the others too, when no other thread may run any more.
const Program forgotten_interpreters("forgotten_interpreters", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  run_in_main(
      "import time\n"
      "class Slow:\n"
      "  def __del__(self, sleep=time.sleep): sleep(0.02)\n"
      "kept = [Slow(), Slow()]\n");
  std::vector<Subinterpreter*> others;
  for (const auto gil : {Gil::kOwn, Gil::kShared}) {
    others.push_back(new Subinterpreter(gil));
  }
  std::atomic<bool> is_over{false};
  std::vector<std::thread> producers;
  for (Subinterpreter* other : others) {
    producers.emplace_back([&, other] {
      while (!is_over) {
        other->queue().defer(Py_None);
        std::this_thread::sleep_for(50us);
      }
    });
  }
  run_in_main("time.sleep(0.01)\n");
  finalize(queue);
  is_over = true;
  for (std::thread& thread : producers) thread.join();
  for (Subinterpreter* other : others) {
    require(other->queue().is_finished(), "they are finished as well");
    require_balanced(other->queue());
  }
});

TEST(DecrefQueueEnd, EndsWithInterpretersThatWereForgotten) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(passes(forgotten_interpreters));
}

const Program no_thread_more("no_thread_more", [] {
  const int threads = testing::count_threads();
  DecrefQueue& queue = start_with_queue();
  queue.drop(deaths().make().release());
  queue.flush();
  {
    Subinterpreter other(Gil::kOwn);
    other.run([&] { other.queue().flush(); });
  }
  require(testing::count_threads() == threads, "there is no thread more");
  run_in_main(
      "import os, warnings\n"
      "warnings.simplefilter('error')\n"
      "child = os.fork()\n"
      "if child == 0: os._exit(0)\n"
      "assert os.waitpid(child, 0)[1] == 0\n");
  on_another_thread([&] { queue.defer(Py_None); });
  require(testing::eventually([] { return testing::count_reapers() == 1; }), "now there is one");
  finalize(queue);
  require(testing::eventually([] { return testing::count_reapers() == 0; }),
          "it ends with the interpreter");
});

TEST(DecrefQueueEnd, WhoDefersNothingHasNoThreadMore) { EXPECT_TRUE(passes(no_thread_more)); }

// The reaper is in the middle of attaching, and not in the child.
const Program forked_while_the_reaper_attaches("forked_while_the_reaper_attaches", [] {
  const Bound bound(1ms);
  DecrefQueue& queue = start_with_queue();
  for (int i = 0; i < 5; ++i) {
    queue.defer(deaths().make().release());
    // Long enough for it to give up on the main thread; this one keeps the GIL.
    const auto end = std::chrono::steady_clock::now() + 20ms;
    while (std::chrono::steady_clock::now() < end) {
    }
    const pid_t child = testing::fork_python();
    if (child == 0) {
      alarm(10);
      queue.defer(deaths().make().release());
      finalize(queue);
      _exit(0);
    }
    require(static_cast<bool>(testing::ended_well(child)), "the child ends");
  }
  finalize(queue);
});

TEST(DecrefQueueEnd, AChildForkedWhileTheReaperAttachesEnds) {
  EXPECT_TRUE(passes(forked_while_the_reaper_attaches));
}

}  // namespace
}  // namespace tenure
