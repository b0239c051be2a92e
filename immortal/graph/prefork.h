// Preparing a process for being forked: what its children share with it stays shared.
//
// A page that the child of a fork writes to is copied. What writes to objects that are only read:
// reference counts, the collector, hashes and caches that are filled in late, and the allocators,
// which put new objects between old ones. This makes everything that is alive immortal, fills in
// what can be filled in, and leaves the half-used memory behind.
//
// Not for: processes that do not fork.
//
// Thread safety: needs a thread attached to the main interpreter. Other threads may run: they wait.
#ifndef TENURE_IMMORTAL_GRAPH_PREFORK_H_
#define TENURE_IMMORTAL_GRAPH_PREFORK_H_

#include <array>
#include <cstddef>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/graph/immortalize.h"
#include "tenure/immortal/graph/lifetime.h"

namespace tenure::graph {

struct PreforkOptions {
  bool utf8 = true;          // fill the UTF-8 form of strs that are not ASCII
  bool fresh_memory = true;  // leave half-used memory behind
};

struct Prefork {
  Immortalized immortal;
  std::array<size_t, kMustEndEnd> skipped{};  // by MustEnd
  size_t hashes = 0;
  size_t utf8 = 0;
  size_t bytes_left_behind = 0;
};

// Makes immortal what is alive, but for what must end, the dicts of threads and that of the
// interpreter. False with MemoryError; some of it may be done then. Requires: garbage has been
// collected.
[[nodiscard]] bool prefork(const PreforkOptions& options, Prefork& done);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_PREFORK_H_
