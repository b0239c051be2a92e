// What the lanes of core/lane.h were chosen over: other queues for the same decrefs.
//
// Each is given what makes it fast here: nodes that are there already, drained chunks and rings
// that are used again. Pushes are calls of a function that is not inlined, as ours are. Those
// without a lock announce their items as ours do, by core/push_signal.h, but wake nobody.
#ifndef TENURE_BENCH_CPP_DECREF_CANDIDATES_H_
#define TENURE_BENCH_CPP_DECREF_CANDIDATES_H_

#include <string>

#include "tenure/bench/cpp/decref_sides.h"

namespace tenure::bench {

// A new side of that name, or null.
//
//   spsc-rings  boost::lockfree::spsc_queue for each thread, chained when full
//   mpmc        boost::lockfree::queue
//   treiber     a stack with compare-exchange, nodes from a pool of the thread's
//   full-fence  our lanes with a full fence in each push in place of the asymmetric barrier
//   gil         no queue: takes the GIL for each drop, with a thread state that is kept
Side* make_candidate(const std::string& name);

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_DECREF_CANDIDATES_H_
