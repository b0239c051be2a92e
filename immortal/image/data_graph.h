// What goes into a data image: roots, and all the objects that they lead to.
//
// Made for graphs of tens of millions of objects: 24 bytes for each and 4 for each reference, and
// no recursion. Objects are told apart by value where nobody can tell otherwise: equal strings,
// bytes and numbers become one, and so do equal tuples, and equal dicts that become FrozenDicts.
//
// Lists become tuples, dicts FrozenDicts and sets frozensets unless they are kept: then they are
// made anew at load, by actions, like everything else whose bytes depend on the process.
//
// Not for: code, whose objects may not be shared between modules; see Graph.
//
// Thread safety: every member needs an attached thread. What is frozen may change while progress is
// told of, and in other threads where there is no GIL; each object is looked at once, so what comes
// out is some state of each, and of a container that changes meanwhile, items of several.
#ifndef TENURE_IMMORTAL_IMAGE_DATA_GRAPH_H_
#define TENURE_IMMORTAL_IMAGE_DATA_GRAPH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/core/abi/shape.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/externals.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/hash_index.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

class DataGraph {
 public:
  struct Options {
    bool keep_lists = false;
    bool keep_dicts = false;
    bool keep_sets = false;
    // Told now and then how many objects are done, and of how many at least; answers false, with a
    // Python error set, to end the work. May run any code. Empty: nobody wants to know.
    std::function<bool(uint64_t done, uint64_t total)> progress;
  };

  // Where a reference leads: a node, or with kExternalRef set an external.
  using Ref = uint32_t;
  static constexpr Ref kExternalRef = 1u << 31;

  enum class Form : uint8_t {
    kOpen,      // a container that is being looked at; place: its frame
    kLeaf,      // copied as it is
    kTuple,     // from a tuple or a list
    kDict,      // a FrozenDict, from any dict; its edges are keys and values in turns
    kRebuilt,   // made by an action; place: into rebuilt()
    kExternal,  // place: into externals()
    kAlias,     // place: the node that is equal
  };

  struct Node {
    PyObject* object;     // owned; null for the empty tuple of an action
    uint32_t place;       // offset in its segment, in units of 16 bytes; else see Form
    uint32_t first_edge;  // containers: into edges_, where their number stands first
    Form form;
    uint8_t segment;  // index
    // It leads to itself through tuples and FrozenDicts alone. The interpreter would hash such a
    // tuple until the stack ends, so its hash is written down.
    bool in_cycle;
  };

  struct Rebuilt {
    Action action;
    Ref argument;
  };

  struct Root {
    std::string name;
    Ref holder;  // a tuple with the root as its only item
  };

  explicit DataGraph(Options options);
  ~DataGraph();
  DataGraph(const DataGraph&) = delete;
  DataGraph& operator=(const DataGraph&) = delete;

  // Adds a root and all it leads to. False with `problem` if an image cannot hold it; the graph is
  // of no use then. Borrows `object`; keeps references of its own. Requires: names differ.
  [[nodiscard]] bool add_root(const std::string& name, PyObject* object, Problem& problem);

  const Options& options() const { return options_; }
  const std::vector<Root>& roots() const { return roots_; }
  const std::vector<External>& externals() const { return externals_; }
  const std::vector<Rebuilt>& rebuilt() const { return rebuilt_; }
  const std::array<uint64_t, kSegments>& segment_bytes() const { return segment_bytes_; }

  // The nodes of a segment, in the order of their places.
  const std::vector<uint32_t>& members(size_t segment) const { return members_[segment]; }
  const Node& node(Ref ref) const { return nodes_[ref]; }
  std::span<const Ref> edges(const Node& node) const {
    return std::span(edges_).subspan(node.first_edge + 1, edges_[node.first_edge]);
  }

  // The node that stands for one that may have turned out equal to another.
  Ref settled(Ref ref) const;

  // The live object behind a reference.
  PyObject* object(Ref ref) const {
    return (ref & kExternalRef) != 0 ? externals_[ref & ~kExternalRef].object : nodes_[ref].object;
  }

  // Externals that every data image has: each shape's type, and what holds a slot of an action.
  uint32_t none() const { return none_; }
  uint32_t type_external(abi::ShapeId id) const { return types_[static_cast<size_t>(id)]; }

 private:
  // A container, or what an action makes, whose references are being followed.
  struct Frame {
    PyObject* container;  // what is iterated over; the action's argument for kRebuilt
    PyObject* pending;    // the value of the key that was answered last; owned
    Py_ssize_t next;
    size_t first_ref;  // into refs_
    size_t low;        // the lowest frame that something below leads back to; kNoFrame: none
    uint32_t node;
    Form form;
    Action action;
  };
  static constexpr size_t kNoFrame = ~size_t{0};
  enum class Visit { kKnown, kEntered, kRefused };

  // Of a node in a cycle: the lowest frame that it led back to, and what was looked at there.
  struct CycleRoot {
    size_t frame;
    uint32_t node;
  };

  bool scan(PyObject* object, Ref& ref, Problem& problem);
  Visit visit(PyObject* object, Ref& ref, Problem& problem);
  Visit enter(PyObject* object, Ref& ref, Problem& problem);
  bool known(PyObject* object, Ref& ref);
  bool singleton(PyObject* object, Ref& ref);
  PyObject* next(Frame& frame);
  void leave(const Frame& frame);
  void note_cycle(Ref ref);
  void leave_cycle(const Frame& frame);
  void leave_container(const Frame& frame, std::span<const Ref> refs);
  Ref leaf(PyObject* object, const abi::Shape& shape);
  bool is_same_leaf(uint32_t node, PyObject* object, const abi::Shape& shape, size_t bytes) const;
  uint32_t add_node(PyObject* object, Form form);
  void add_edges(Node& node, std::span<const Ref> refs);
  void place(uint32_t node, Kind segment, size_t prefix_bytes, size_t bytes);
  Ref add_external(External external);
  bool tell_progress(Problem& problem);
  bool refuse_type(PyObject* object, Problem& problem) const;
  std::string path() const;

  Options options_;
  std::vector<Node> nodes_;
  std::vector<Ref> edges_;
  std::array<std::vector<uint32_t>, kSegments> members_;
  std::array<uint64_t, kSegments> segment_bytes_{};
  std::vector<External> externals_;
  std::vector<Rebuilt> rebuilt_;
  std::vector<Root> roots_;
  std::vector<Strong> kept_;  // what actions are given
  Strong current_;            // what is being visited, until a node has it
  std::vector<Frame> frames_;
  std::vector<Ref> refs_;  // of the frames, those of the topmost last
  std::unordered_map<uint32_t, CycleRoot> cycles_;
  HashIndex by_address_;  // all nodes that have an object
  HashIndex by_value_;    // leaves and containers
  std::unordered_map<std::string, Ref> externals_by_program_;
  std::array<uint32_t, abi::kShapeIdEnd> types_{};
  uint32_t none_ = 0;
  uint64_t progress_at_ = 0;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_DATA_GRAPH_H_
