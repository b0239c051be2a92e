// Which objects must end: what they are for happens when they go, or they stand for something that
// runs.
//
// Everything else may be made immortal. That is safe for any type, since nothing but the count
// changes; what is lost with an object that never goes is what its end would have done.
//
// Thread safety: needs an attached thread. No Python code runs.
#ifndef TENURE_IMMORTAL_GRAPH_LIFETIME_H_
#define TENURE_IMMORTAL_GRAPH_LIFETIME_H_

#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure::graph {

enum class MustEnd : uint8_t {
  kNo,
  kRuns,        // a frame, a generator, a coroutine, a traceback: keeps a call's variables
  kUnfinished,  // a tuple that somebody is filling
  kLends,       // a memoryview, whose exporter cannot change before it goes
  kThread,      // what a thread leaves behind for others to see that it ended
  kFinalizer,   // __del__, or what files, sockets and capsules have in its place
};
inline constexpr int kMustEndEnd = 6;

// Of each kind one word, as reports name it; "" of kNo.
const char* name_of(MustEnd kind);

// Why one must not be immortal, a clause that follows "object of type X"; "" of kNo.
const char* reason_of(MustEnd kind);

MustEnd must_end(PyObject* object);

// A lock that is held, or a thread that runs: somebody is at work in the graph that it is in.
bool is_at_work(PyObject* object);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_LIFETIME_H_
