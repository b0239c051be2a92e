// What the programs of decref_queue_exit_test.cc and decref_queue_end_test.cc share.
#ifndef TENURE_TESTS_CORE_EXIT_PROGRAMS_H_
#define TENURE_TESTS_CORE_EXIT_PROGRAMS_H_

#include "tenure/core/decref_queue.h"
#include "tenure/tests/support/deferred.h"

namespace tenure::testing {

// The queue of the interpreter, which is started. Its main module has functions:
//   mortal()   an object that counts in `deaths` when it dies
//   defer(x)   defers dropping a reference to x
//   drain()    drains a little, and answers how much
DecrefQueue& start_with_queue();

// The deaths of mortal()'s.
Deaths& deaths();

// Runs code in the main module.
void run_in_main(const char* source);

// Requires that pushed = drained + pending + leaked.
void require_balanced(const DecrefQueue& queue);

// Ends the interpreter, and requires that the queue is finished then.
void finalize(const DecrefQueue& queue);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_CORE_EXIT_PROGRAMS_H_
