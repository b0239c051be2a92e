// Where mimalloc's locks are while another thread forks: nowhere.
//
// mimalloc has locks for its lists of heaps and of the threads that use each, and does nothing
// about them when the process forks. A child that was made while another thread had one of them
// waits for it for ever, at its next heap or its next thread. So what takes them goes through a
// gate that fork() closes: making and ending heaps, and a thread's first use of a heap and its end.
//
// Not for: the stand-ins, whose malloc() minds forks itself.
//
// Thread safety: the functions are as safe as mimalloc's.
#ifndef TENURE_POOL_FORK_GATE_H_
#define TENURE_POOL_FORK_GATE_H_

#include "tenure/pool/mimalloc.h"

namespace tenure::pool::internal {

// Puts functions that go through the gate into `table` in place of the library's, which they call.
// `thread_done` is mi_thread_done(). Requires: the same functions each time, in all of the process.
// Without memory for what fork() is to do, the gate is there and stays open. Thread state: any.
void put_gate(Mimalloc& table, decltype(&mi_thread_done) thread_done);

}  // namespace tenure::pool::internal

#endif  // TENURE_POOL_FORK_GATE_H_
