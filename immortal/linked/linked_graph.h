// A graph of immortal objects that is part of this binary: an image, linked in.
//
// static_graph() of tools/bazel/static_graph.bzl makes the section that holds it and a header that
// names its roots; see docs/linked.md. The first use binds it to the interpreter that runs:
//
// - In a position-dependent executable the section is used where it lies, its pointers put in by
//   the linker, if it was linked with static_graph's ".fixed" target. Nothing is relocated or
//   copied.
// - In extension modules and other executables its pages are mapped once more, at the address they
//   were frozen for; if the interpreter is the one that froze them nothing is relocated there.
// - Where that address is taken or the interpreter is another build, pointers are relocated. An
//   interpreter of another version or layout is refused: ImportError.
//
// Not for: data that changes without the binary (tenure.load), or a few objects that C++ source can
// name (immortal/literal.h).
//
// Thread safety: any thread that is attached to an interpreter. Interpreters share a graph, unless
// it has objects that each makes for itself: lists, dicts, sets, dates.
#ifndef TENURE_IMMORTAL_LINKED_LINKED_GRAPH_H_
#define TENURE_IMMORTAL_LINKED_LINKED_GRAPH_H_

#include <atomic>
#include <cstddef>
#include <span>

#include "tenure/core/abi/python.h"

namespace tenure {

namespace image {
class Image;
}  // namespace image

class LinkedGraph {
 public:
  // `name` is for messages. Requires: static storage, for this, for `name` and for the image of
  // whole pages at [begin, end).
  constexpr LinkedGraph(const char* name, const std::byte* begin, const std::byte* end)
      : name_(name), begin_(begin), end_(end) {}
  LinkedGraph(const LinkedGraph&) = delete;
  LinkedGraph& operator=(const LinkedGraph&) = delete;

  // Root `number`, in the order in which they were frozen. Borrowed: immortal, but for a list, dict
  // or set, which lives as long as the interpreter. Null with a Python error: ImportError if this
  // interpreter cannot use the graph, MemoryError. Loads the graph the first time; after that it
  // takes 0.2 us, which who is in a hurry saves by keeping the root. Requires: attached; there are
  // that many roots.
  PyObject* root(size_t number = 0);

  // What the current interpreter uses, loaded if it was not; null as above. Thread state: attached.
  const image::Image* image();

 private:
  struct Loaded;

  const Loaded* loaded();
  Loaded* load();
  const Loaded* load_for_interpreter(PyObject* key);
  std::span<const std::byte> section() const { return {begin_, end_}; }

  const char* const name_;
  const std::byte* const begin_;
  const std::byte* const end_;
  // What all interpreters share; null until there is one. Release by who has loaded it, acquire by
  // who uses it. Never freed.
  std::atomic<const Loaded*> shared_{nullptr};
};

}  // namespace tenure

#endif  // TENURE_IMMORTAL_LINKED_LINKED_GRAPH_H_
