// What goes into an image: the objects that modules consist of, and who refers to whom.
//
// Objects are told apart by value, not by address: equal constants of a module become one, equal
// strings, bytes and numbers of all modules become one. So an image depends on what the modules
// say, not on how the compiler or the unmarshaller happened to share things.
//
// Not for: objects without a shape or an action. They are refused with the path to them.
//
// Thread safety: every member needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_GRAPH_H_
#define TENURE_IMMORTAL_IMAGE_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/core/abi/shape.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/externals.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// Where a reference leads.
struct Target {
  enum class Kind : uint32_t {
    kNull,
    kNode,      // index: into Graph::nodes()
    kExternal,  // index: into Graph::externals()
    kRebuilt,   // index: into Graph::rebuilt()
  };
  Kind kind = Kind::kNull;
  uint32_t index = 0;
  bool operator==(const Target&) const = default;
};

// An object that gets a place in the image.
struct Node {
  PyObject* object;  // alive for as long as the graph
  const abi::Shape* shape;
  size_t bytes;  // without the prefix
  Kind segment;
  uint32_t group;       // kCommonGroup once a second module uses it
  uint32_t users;       // how many modules use it
  uint32_t last_user;   // the last group that did
  uint32_t first_edge;  // into Graph::edges(): one for each reference of the shape, in its order
  uint32_t edge_count;
  bool identifier;  // a str that the compiler interned
  bool named;       // a str that something is looked up by
  bool familiar;    // one of those that the interpreter probably has already
};

// An object that an action makes anew.
struct Rebuilt {
  Action action;
  uint32_t argument;  // node
  uint32_t group;
};

class Graph {
 public:
  struct Module {
    std::string name;
    bool is_package;
    uint32_t group;
    uint32_t code;    // node
    uint32_t origin;  // node
    uint32_t cached;  // node, or kNone
    uint64_t source_bytes;
    uint64_t source_checksum;
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  // `familiar` are strings that the interpreter is expected to have interned before the image is
  // loaded, a set of str; `ran` are functions that are expected to run, a set of the addresses of
  // their code objects as int. They decide where objects stand, not what they are; null: none.
  explicit Graph(PyObject* familiar, PyObject* ran = nullptr);

  // Adds a module as the next group. False with `problem` if it refers to something an image cannot
  // hold; the graph is of no use then. Borrows everything; keeps references of its own.
  // Requires: `code` is a code object nobody has run; `origin` and `cached` are str, `cached` may
  // be null.
  [[nodiscard]] bool add_module(const std::string& name, PyObject* code, bool is_package,
                                PyObject* origin, PyObject* cached, uint64_t source_bytes,
                                uint64_t source_checksum, Problem& problem);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Target>& edges() const { return edges_; }
  // True if the interpreter may look things up by the str that an edge leads to.
  bool is_named(size_t edge) const { return named_[edge]; }
  const std::vector<External>& externals() const { return externals_; }
  const std::vector<Rebuilt>& rebuilt() const { return rebuilt_; }
  const std::vector<Module>& modules() const { return modules_; }
  uint32_t group_count() const { return group_ + 1; }

  // The external that stands where nothing is yet; and each shape's type.
  uint32_t none() const { return none_; }
  uint32_t type_external(const abi::Shape& shape) const {
    return types_[static_cast<size_t>(shape.id)];
  }

 private:
  // An object whose references are being followed.
  struct Frame {
    PyObject* object;
    const abi::Shape* shape;  // of the object, or of the argument of its action
    std::vector<PyObject*> references;
    std::vector<Target> targets;
    Action action;
    bool is_rebuilt;
  };

  bool add(PyObject* root, Target& target, Problem& problem);
  bool enter(PyObject* object, Problem& problem);
  Target leave(const Frame& frame);
  bool find(PyObject* object, Target& target);
  Target leaf(PyObject* object, const abi::Shape& shape);
  Target add_node(PyObject* object, const abi::Shape& shape, const std::vector<Target>& targets);
  bool expects_run(PyObject* code) const;
  Target add_external(External external);
  void use(uint32_t node);
  void name_references(const Frame& frame, const Target& target);
  void name_elements(const Target& target, size_t count);
  void name_edge(uint32_t node_index, size_t index);
  static void settle(Node& str);
  static void expect_replacement(Node& node);
  std::string path() const;

  std::vector<Node> nodes_;
  std::vector<Target> edges_;
  std::vector<bool> named_;  // by edge
  std::vector<External> externals_;
  std::vector<Rebuilt> rebuilt_;
  std::vector<Module> modules_;
  std::vector<Strong> kept_;
  std::vector<Frame> frames_;
  Strong familiar_;
  Strong ran_;
  uint32_t group_ = kCommonGroup;
  uint32_t none_ = 0;
  uint32_t types_[abi::kShapeIdEnd] = {};

  // By address: of leaves, and of the current module's objects with references.
  std::unordered_map<PyObject*, Target> leaves_by_address_;
  std::unordered_map<PyObject*, Target> module_by_address_;
  // By value, likewise.
  std::unordered_map<std::string, Target> leaves_by_value_;
  std::unordered_map<std::string, Target> module_by_value_;
  std::unordered_map<std::string, uint32_t> externals_by_program_;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_GRAPH_H_
