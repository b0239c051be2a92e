#include "tenure/core/gate.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::eventually;
using testing::Gil;
using testing::on_another_thread;
using testing::Subinterpreter;

constexpr Gil kGils[] = {Gil::kOwn, Gil::kShared};

int count_thread_states(PyInterpreterState* interpreter) {
  int count = 0;
  for (PyThreadState* state = PyInterpreterState_ThreadHead(interpreter); state != nullptr;
       state = PyThreadState_Next(state)) {
    ++count;
  }
  return count;
}

// A gate of the main interpreter that may be closed, unlike that of its queue.
class GateTest : public ::testing::Test {
 protected:
  void SetUp() override { gate_.open(); }
  void TearDown() override {
    gate_.close();
    gate_.forget();
  }

  Gate gate_;
};

TEST_F(GateTest, KnowsItsInterpreter) {
  EXPECT_EQ(gate_.interpreter(), PyInterpreterState_Get());
  EXPECT_TRUE(gate_.is_main());
  EXPECT_TRUE(gate_.is_attached());
  bool elsewhere = true;
  on_another_thread([&] { elsewhere = gate_.is_attached(); });
  EXPECT_FALSE(elsewhere);
  const Detach detach;
  EXPECT_FALSE(gate_.is_attached());
}

TEST_F(GateTest, OneThatWasNeverOpenedLetsNobodyIn) {
  Gate closed;
  EXPECT_FALSE(Visit(closed));
  EXPECT_FALSE(Attach(closed));
  EXPECT_FALSE(closed.is_attached());
  EXPECT_TRUE(is_attached());
}

TEST_F(GateTest, AttachesAThreadThatPythonDoesNotKnow) {
  const int states = count_thread_states(PyInterpreterState_Get());
  on_another_thread([&] {
    {
      const Attach attach(gate_);
      ASSERT_TRUE(attach);
      EXPECT_TRUE(gate_.is_attached());
      [[maybe_unused]] const Attached token = attach.token();
      const Strong sum = testing::evaluate("sum([20, 22])");
      EXPECT_EQ(PyLong_AsLong(sum.get()), 42);
    }
    EXPECT_FALSE(is_attached());
  });
  EXPECT_EQ(count_thread_states(PyInterpreterState_Get()), states) << "one was left behind";
}

TEST_F(GateTest, NestsInAThreadThatIsAttachedAlready) {
  PyThreadState* const state = PyThreadState_Get();
  PyErr_SetString(PyExc_KeyError, "set before");
  {
    const Attach outer(gate_);
    ASSERT_TRUE(outer);
    EXPECT_EQ(PyThreadState_Get(), state);
    const Attach inner(gate_);
    ASSERT_TRUE(inner);
    EXPECT_EQ(PyThreadState_Get(), state);
  }
  EXPECT_EQ(PyThreadState_Get(), state);
  EXPECT_EQ(testing::take_error(), "KeyError");
}

TEST_F(GateTest, GoesOnWithTheStateOfAThreadThatDetached) {
  PyThreadState* const state = PyThreadState_Get();
  {
    const Detach detach;
    {
      const Attach attach(gate_);
      ASSERT_TRUE(attach);
      EXPECT_EQ(PyThreadState_Get(), state);
      const Detach again;
      EXPECT_FALSE(is_attached());
      const Attach inner(gate_);
      ASSERT_TRUE(inner);
      EXPECT_EQ(PyThreadState_Get(), state);
    }
    EXPECT_FALSE(is_attached());
  }
  EXPECT_EQ(PyThreadState_Get(), state);
}

TEST_F(GateTest, ComesBackFromAnotherInterpreter) {
  for (const auto gil : kGils) {
    Subinterpreter other(gil);
    Gate& gate = other.queue().gate();
    EXPECT_FALSE(gate.is_main());
    EXPECT_FALSE(gate.is_attached());
    PyThreadState* const state = PyThreadState_Get();
    const int states = count_thread_states(other.interpreter());
    PyErr_SetString(PyExc_KeyError, "set before");
    {
      const Attach attach(gate);
      ASSERT_TRUE(attach);
      EXPECT_TRUE(is_attached_to(other.interpreter()));
      EXPECT_TRUE(gate.is_attached());
      EXPECT_FALSE(gate_.is_attached());
      EXPECT_EQ(PyErr_Occurred(), nullptr) << "each interpreter has errors of its own";
      const Strong sum = testing::evaluate("sum([20, 22])");
      EXPECT_EQ(PyLong_AsLong(sum.get()), 42);
    }
    EXPECT_EQ(PyThreadState_Get(), state);
    EXPECT_EQ(testing::take_error(), "KeyError");
    EXPECT_EQ(count_thread_states(other.interpreter()), states) << "one was left behind";
  }
}

TEST_F(GateTest, GoesThereAndBackAndThereAgain) {
  for (const auto gil : kGils) {
    Subinterpreter other(gil);
    PyInterpreterState* const here = PyInterpreterState_Get();
    PyThreadState* const state = PyThreadState_Get();
    {
      const Attach there(other.queue().gate());
      ASSERT_TRUE(there);
      {
        const Attach back(gate_);
        ASSERT_TRUE(back);
        EXPECT_TRUE(is_attached_to(here));
        {
          const Attach there_again(other.queue().gate());
          ASSERT_TRUE(there_again);
          EXPECT_TRUE(is_attached_to(other.interpreter()));
        }
        EXPECT_TRUE(is_attached_to(here));
      }
      EXPECT_TRUE(is_attached_to(other.interpreter()));
    }
    EXPECT_EQ(PyThreadState_Get(), state);
  }
}

TEST_F(GateTest, EveryWayInFromADetachedThread) {
  for (const auto gil : kGils) {
    Subinterpreter other(gil);
    PyThreadState* const state = PyThreadState_Get();
    {
      const Detach detach;
      {
        const Attach there(other.queue().gate());
        ASSERT_TRUE(there);
        const Attach here(gate_);
        ASSERT_TRUE(here);
        EXPECT_TRUE(gate_.is_attached());
      }
      EXPECT_FALSE(is_attached());
      const Attach here(gate_);
      ASSERT_TRUE(here);
    }
    EXPECT_EQ(PyThreadState_Get(), state);
  }
}

TEST_F(GateTest, TurnsVisitorsAwayWhenItIsClosed) {
  gate_.close();
  EXPECT_TRUE(gate_.is_attached()) << "who is attached anyway stays so";
  EXPECT_FALSE(Visit(gate_));
  EXPECT_FALSE(Attach(gate_));
  on_another_thread([&] {
    EXPECT_FALSE(Attach(gate_));
    EXPECT_FALSE(is_attached());
  });
  gate_.close();
  EXPECT_FALSE(Visit(gate_));
}

TEST_F(GateTest, BelongsToNobodyWhenItsInterpreterIsForgotten) {
  Gate gate;
  gate.open();
  gate.close();
  gate.forget();
  EXPECT_EQ(gate.interpreter(), nullptr);
  EXPECT_FALSE(gate.is_attached());
  on_another_thread([&] { EXPECT_FALSE(gate.is_attached()) << "null is not null's"; });
}

TEST_F(GateTest, CloseWaitsForWhoIsInside) {
  std::atomic<bool> is_inside{false};
  std::atomic<bool> has_left{false};
  std::thread visitor([&] {
    const Visit visit(gate_);
    EXPECT_TRUE(visit);
    is_inside = true;
    std::this_thread::sleep_for(20ms);
    has_left = true;
  });
  ASSERT_TRUE(eventually([&] { return is_inside.load(); }));
  gate_.close();
  EXPECT_TRUE(has_left);
  visitor.join();
}

// Inside is also who still waits for the GIL that the closing thread holds.
TEST_F(GateTest, CloseLetsThoseInWhoWait) {
  std::atomic<bool> has_begun{false};
  std::atomic<bool> was_attached{false};
  std::thread visitor([&] {
    const Visit visit(gate_);
    EXPECT_TRUE(visit);
    has_begun = true;
    const Attach attach(gate_);
    EXPECT_TRUE(attach);
    was_attached = gate_.is_attached();
  });
  ASSERT_TRUE(eventually([&] { return has_begun.load(); }));
  std::this_thread::sleep_for(5ms);
  gate_.close();
  EXPECT_TRUE(was_attached);
  const Detach detach;
  visitor.join();
}

TEST_F(GateTest, CloseDoesNotWaitForItsOwnThread) {
  const Attach outer(gate_);
  const Attach inner(gate_);
  ASSERT_TRUE(inner);
  gate_.close();
  EXPECT_TRUE(outer);
  EXPECT_FALSE(Visit(gate_));
}

TEST_F(GateTest, NobodyIsInsideWhenItIsClosed) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 20; ++round) {
    Gate gate;
    gate.open();
    std::atomic<bool> is_closed{false};
    std::atomic<int> too_late{0};
    std::atomic<int> visits{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (;;) {
          if (t % 2 == 0) {
            const Attach attach(gate);
            if (!attach) return;
            ++visits;
            if (is_closed) ++too_late;
          } else {
            const Visit visit(gate);
            if (!visit) return;
            ++visits;
            if (is_closed) ++too_late;
          }
        }
      });
    }
    {
      const Detach detach;
      EXPECT_TRUE(eventually([&] { return visits > 20; }));
    }
    gate.close();
    is_closed = true;
    const Detach detach;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(too_late, 0);
  }
}

TEST_F(GateTest, AThreadWithNoMemoryForAStateStaysOutside) {
  std::optional<testing::FailingMemory> failing;
  bool is_inside = true;
  {
    const Detach detach;
    std::thread([&] {
      failing.emplace(0);
      is_inside = static_cast<bool>(Attach(gate_));
      failing.reset();
    }).join();
  }
  EXPECT_FALSE(is_inside);
  gate_.close();  // does not wait for it
}

}  // namespace
}  // namespace tenure
