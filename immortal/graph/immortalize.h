// Making a graph of live objects immortal in place: an object, and all that it owns.
//
// The objects stay where they are and what they are; mutable ones can still be changed. They are
// never freed and never looked at by the collector again, and counting references to them writes
// nothing.
//
// What an immortal container comes to hold later is an object like any other: the collector counts
// the container's reference as one from outside and leaves it alone. It only cannot free a cycle
// that goes through the container.
//
// Not for: data that can be in an image (immortal/image), which is there without being made.
//
// Thread safety: needs an attached thread. No Python code runs, and no other thread of the
// interpreter meanwhile.
#ifndef TENURE_IMMORTAL_GRAPH_IMMORTALIZE_H_
#define TENURE_IMMORTAL_GRAPH_IMMORTALIZE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "tenure/core/abi/python.h"

namespace tenure::graph {

// What is left alone, and walked no further, unless told.
struct Options {
  bool types = false;       // the classes of instances, and those met otherwise
  bool modules = false;     // modules, and the globals of functions
  bool finalizers = false;  // not left alone but refused: objects whose finalizer will not run
};

struct Immortalized {
  size_t objects = 0;
  size_t bytes = 0;  // of these objects, as abi::bytes_of() has it
  // Distinct objects that were left alone.
  size_t types = 0;
  size_t modules = 0;
  size_t foreign = 0;  // of another interpreter
};

struct Refusal {
  std::string path;           // to the object: $.a[3].b
  std::string reason;         // one sentence that begins with "object of type X"
  bool python_error = false;  // MemoryError is set instead
};

// Makes `root` and what it owns immortal; the root itself even if it is a type or a module. Checks
// everything first: false with the refusal, and nothing has changed. Borrows.
[[nodiscard]] bool immortalize(PyObject* root, const Options& options, Immortalized& done,
                               Refusal& refusal);

// Makes these objects immortal and counts them. False with MemoryError; some are immortal then.
[[nodiscard]] bool immortalize_all(const std::vector<PyObject*>& objects, Immortalized& done);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_IMMORTALIZE_H_
