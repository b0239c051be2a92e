// The system may have no thread to give when the reaper is to start.

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>

#include <gtest/gtest.h>

#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"

namespace {
std::atomic<bool> no_threads{false};
}  // namespace

// Stands before the library's, for the whole program.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*body)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return no_threads ? EAGAIN : real(thread, attributes, body, argument);
}

namespace tenure {
namespace {

using namespace std::chrono_literals;
using testing::Deaths;

TEST(ReaperStart, IsTriedAgain) {
  DecrefQueue* const queue = DecrefQueue::current();
  ASSERT_NE(queue, nullptr);
  const testing::Bound bound(20ms);
  Deaths deaths;
  no_threads = true;
  queue->defer(deaths.make().release());
  no_threads = false;
  EXPECT_EQ(testing::count_reapers(), 0);
  // Nobody else comes: it is for who drains to do it, and to try again.
  EXPECT_EQ(queue->flush(), 1U);
  EXPECT_EQ(deaths.count(), 1);
  queue->defer(deaths.make().release());
  EXPECT_TRUE(testing::eventually_detached([&] { return deaths.count() == 2; }, 10s));
  EXPECT_EQ(testing::count_reapers(), 1);
}

}  // namespace
}  // namespace tenure
