#include "tenure/immortal/image/graph.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/singletons.h"
#include "tenure/core/abi/strings.h"
#include "tenure/immortal/image/actions.h"
#include "tenure/immortal/image/externals.h"

namespace tenure::image {
namespace {

constexpr size_t kNoLimit = ~size_t{0};

template <typename Number>
void put(std::string& key, Number number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put(std::string& key, const Target& target) {
  put(key, static_cast<uint32_t>(target.kind));
  put(key, target.index);
}

// Where an object starts out; see settle() and expect_replacement(). `runs` is asked of code only.
Kind segment_of(const abi::Shape& shape, bool runs) {
  switch (shape.id) {
    case abi::ShapeId::kStrAscii:
    case abi::ShapeId::kStrCompact:
      return Kind::kTextSegment;
    case abi::ShapeId::kTuple:
      return Kind::kTupleSegment;
    case abi::ShapeId::kCode:
      return runs ? Kind::kBodySegment : Kind::kCodeSegment;
    default:
      return Kind::kConstSegment;
  }
}

bool is_str(const abi::Shape& shape) {
  return shape.id == abi::ShapeId::kStrAscii || shape.id == abi::ShapeId::kStrCompact;
}

std::vector<PyObject*> references_of(const abi::Shape& shape, PyObject* object) {
  std::vector<PyObject*> references;
  abi::for_each_reference(shape, object, shape.bytes(object, kNoLimit),
                          [&](PyObject** slot) { references.push_back(*slot); });
  return references;
}

bool has_references(const abi::Shape& shape) {
  return shape.id == abi::ShapeId::kTuple || shape.id == abi::ShapeId::kCode;
}

// The field that reference `index` of a shape is; null for those behind the fixed fields, and then
// `index` counts from there.
const abi::Field* reference_field(const abi::Shape& shape, size_t& index) {
  for (const abi::Field& field : shape.fields) {
    if (!abi::is_reference(field.role)) continue;
    if (index == 0) return &field;
    --index;
  }
  return nullptr;
}

// "co_consts", or "[3]" behind the fixed references.
std::string reference_name(const abi::Shape& shape, size_t index) {
  const abi::Field* field = reference_field(shape, index);
  return field != nullptr ? std::string(".") + field->name : "[" + std::to_string(index) + "]";
}

}  // namespace

Graph::Graph(PyObject* familiar, PyObject* ran)
    : familiar_(Py_XNewRef(familiar)), ran_(Py_XNewRef(ran)) {
  auto well_known = [this](abi::WellKnown id) {
    PyObject* object = abi::well_known(id);
    const abi::Singleton singleton{abi::Singleton::Kind::kWellKnown, static_cast<int64_t>(id)};
    return add_external(external_of(singleton, object)).index;
  };
  none_ = well_known(abi::WellKnown::kNone);
  for (size_t id = 1; id < abi::kShapeIdEnd; ++id) {
    // Nothing in code is one.
    if (static_cast<abi::ShapeId>(id) == abi::ShapeId::kFrozenDict) continue;
    auto* type = reinterpret_cast<PyObject*>(abi::shape(static_cast<abi::ShapeId>(id))->type);
    if (const auto singleton = abi::singleton_of(type)) {
      types_[id] = add_external(external_of(*singleton, type)).index;
    }
  }
}

bool Graph::add_module(const std::string& name, PyObject* code, bool is_package, PyObject* origin,
                       PyObject* cached, uint64_t source_bytes, uint64_t source_checksum,
                       Problem& problem) {
  ++group_;
  module_by_address_.clear();
  module_by_value_.clear();
  for (PyObject* object : {code, origin, cached}) {
    if (object != nullptr) kept_.push_back(Strong(Py_NewRef(object)));
  }
  Target roots[3];
  PyObject* objects[3] = {code, origin, cached};
  for (size_t i = 0; i < 3; ++i) {
    if (objects[i] != nullptr && !add(objects[i], roots[i], problem)) {
      problem.where = "module '" + name + "'";
      return false;
    }
  }
  if (roots[1].kind != Target::Kind::kNode ||
      (cached != nullptr && roots[2].kind != Target::Kind::kNode)) {
    return problem.refuse("module '" + name + "'", "has no path that an image can hold");
  }
  modules_.push_back({name, is_package, group_, roots[0].index, roots[1].index,
                      cached != nullptr ? roots[2].index : kNone, source_bytes, source_checksum});
  return true;
}

// Depth first with a stack of its own: what is frozen may be nested deeper than the C++ stack.
bool Graph::add(PyObject* root, Target& target, Problem& problem) {
  if (find(root, target)) return true;
  frames_.clear();
  if (!enter(root, problem)) return false;
  while (true) {
    Frame& top = frames_.back();
    if (top.targets.size() == top.references.size()) {
      target = leave(top);
      frames_.pop_back();
      if (frames_.empty()) return true;
      frames_.back().targets.push_back(target);
      continue;
    }
    PyObject* next = top.references[top.targets.size()];
    Target found;
    if (next == nullptr || find(next, found)) {
      top.targets.push_back(found);
    } else if (!enter(next, problem)) {
      return false;
    }
  }
}

// Names what an object with references looks things up by. That a tuple of strings is made of names
// follows from who refers to it, so its own edges are named from here.
void Graph::name_references(const Frame& frame, const Target& target) {
  constexpr size_t kAll = ~size_t{0};
  if (frame.is_rebuilt) return name_elements(frame.targets[0], kAll);
  if (frame.shape->id == abi::ShapeId::kTuple) {
    for (const Target& element : frame.targets) name_elements(element, kAll);
    return;
  }
  for (size_t i = 0; i < frame.targets.size(); ++i) {
    size_t index = i;
    const abi::Field* field = reference_field(*frame.shape, index);
    if (field == nullptr || field->role == abi::FieldRole::kLabel) continue;
    const bool locals = field->role == abi::FieldRole::kLocals;
    name_elements(frame.targets[i], locals ? abi::argument_count(frame.object) : kAll);
    name_edge(target.index, i);
  }
}

// Names the first `count` references of a tuple; of anything else, nothing.
void Graph::name_elements(const Target& target, size_t count) {
  if (target.kind != Target::Kind::kNode) return;
  const Node& node = nodes_[target.index];
  if (node.shape->id != abi::ShapeId::kTuple) return;
  for (size_t i = 0; i < std::min<size_t>(count, node.edge_count); ++i) name_edge(target.index, i);
}

// Notes that the interpreter may look things up by what reference `index` of a node leads to: if it
// is an identifier, it has to be interned, and the interpreter's own copy to take its place.
void Graph::name_edge(uint32_t node_index, size_t index) {
  Node& node = nodes_[node_index];
  const size_t edge = node.first_edge + index;
  if (named_[edge] || edges_[edge].kind != Target::Kind::kNode) return;
  Node& named = nodes_[edges_[edge].index];
  if (!is_str(*named.shape)) return;
  named_[edge] = true;
  named.named = true;
  settle(named);
  if (named.familiar) expect_replacement(node);
}

void Graph::settle(Node& str) {
  if (str.identifier && str.named) str.segment = Kind::kStringSegment;
}

void Graph::expect_replacement(Node& node) {
  if (node.segment == Kind::kTupleSegment) node.segment = Kind::kReplacedTupleSegment;
  if (node.segment == Kind::kCodeSegment) node.segment = Kind::kReplacedCodeSegment;
}

// Answers true with the target of an object that needs no following.
bool Graph::find(PyObject* object, Target& target) {
  for (const auto* known : {&leaves_by_address_, &module_by_address_}) {
    if (const auto found = known->find(object); found != known->end()) {
      target = found->second;
      if (target.kind == Target::Kind::kNode) use(target.index);
      return true;
    }
  }
  if (const auto singleton = abi::singleton_of(object)) {
    target = add_external(external_of(*singleton, object));
    leaves_by_address_.emplace(object, target);
    return true;
  }
  const abi::Shape* shape = abi::shape_of(object);
  if (shape == nullptr || has_references(*shape)) return false;
  target = leaf(object, *shape);
  leaves_by_address_.emplace(object, target);
  use(target.index);
  return true;
}

bool Graph::enter(PyObject* object, Problem& problem) {
  const abi::Shape* shape = abi::shape_of(object);
  if (shape != nullptr) {
    if (shape->id == abi::ShapeId::kCode && !abi::is_unused(object)) {
      if (PyErr_Occurred() != nullptr) return problem.refuse_with_python_error("");
      return problem.refuse("", path() +
                                    ": is code that has run or been looked into; compile it "
                                    "again for freezing");
    }
    frames_.push_back({object, shape, references_of(*shape, object), {}, Action{}, false});
    return true;
  }
  // What the compiler makes constants of.
  const auto action = action_for(object);
  if (action != Action::kFrozenSet && action != Action::kSlice) {
    return problem.refuse("", path() + ": object of type " + Py_TYPE(object)->tp_name +
                                  " has no shape, so an image cannot hold it");
  }
  PyObject* argument = action_argument(*action, object);
  if (argument == nullptr) return problem.refuse_with_python_error("");
  kept_.push_back(Strong(argument));
  frames_.push_back({object, nullptr, {argument}, {}, *action, true});
  return true;
}

Target Graph::leave(const Frame& frame) {
  std::string key;
  if (frame.is_rebuilt) {
    put(key, static_cast<uint32_t>(frame.action));
  } else if (frame.shape->id == abi::ShapeId::kCode) {
    // Two code objects that are equal in all but identity stay two.
    put(key, reinterpret_cast<uintptr_t>(frame.object));
  }
  put(key, frame.is_rebuilt ? uint8_t{1} : uint8_t{0});
  for (const Target& target : frame.targets) put(key, target);
  Target target;
  if (const auto found = module_by_value_.find(key); found != module_by_value_.end()) {
    target = found->second;
  } else if (frame.is_rebuilt) {
    Target argument = frame.targets[0];
    if (argument.kind == Target::Kind::kExternal) {
      // An empty frozenset: its argument is the interpreter's empty tuple, which an action cannot
      // name. A tuple of the image's own stands in.
      argument = add_node(frame.references[0], *abi::shape(abi::ShapeId::kTuple), {});
    }
    rebuilt_.push_back({frame.action, argument.index, group_});
    target = {Target::Kind::kRebuilt, static_cast<uint32_t>(rebuilt_.size() - 1)};
    module_by_value_.emplace(std::move(key), target);
  } else {
    target = add_node(frame.object, *frame.shape, frame.targets);
    module_by_value_.emplace(std::move(key), target);
  }
  name_references(frame, target);
  module_by_address_.emplace(frame.object, target);
  return target;
}

Target Graph::leaf(PyObject* object, const abi::Shape& shape) {
  const bool identifier = is_str(shape) && abi::is_interned(object);
  // The value: what is left of the object when everything that changes is reset.
  const size_t bytes = shape.bytes(object, kNoLimit);
  std::string key(bytes, '\0');
  abi::copy_unused(shape, object, key.data(), bytes);
  put(key, static_cast<uint8_t>(shape.id));
  if (const auto found = leaves_by_value_.find(key); found != leaves_by_value_.end()) {
    // Which of several equal strings is the interned one depends on what else the process has
    // interned; that one of them is does not.
    Node& node = nodes_[found->second.index];
    node.identifier = node.identifier || identifier;
    settle(node);
    return found->second;
  }
  const Target target = add_node(object, shape, {});
  leaves_by_value_.emplace(std::move(key), target);
  return target;
}

Target Graph::add_node(PyObject* object, const abi::Shape& shape,
                       const std::vector<Target>& targets) {
  Node node{};
  node.object = object;
  node.shape = &shape;
  node.bytes = shape.bytes(object, kNoLimit);
  node.group = group_;
  node.first_edge = static_cast<uint32_t>(edges_.size());
  node.edge_count = static_cast<uint32_t>(targets.size());
  node.identifier = is_str(shape) && abi::is_interned(object);
  if (is_str(shape) && familiar_) {
    node.familiar = PySet_Contains(familiar_.get(), object) > 0;
    PyErr_Clear();
  }
  const bool runs = shape.id == abi::ShapeId::kCode && expects_run(object);
  node.segment = segment_of(shape, runs);
  for (const Target& target : targets) {
    if (target.kind == Target::Kind::kRebuilt) expect_replacement(node);
  }
  nodes_.push_back(node);
  edges_.insert(edges_.end(), targets.begin(), targets.end());
  named_.resize(edges_.size());
  return {Target::Kind::kNode, static_cast<uint32_t>(nodes_.size() - 1)};
}

bool Graph::expects_run(PyObject* code) const {
  if (abi::runs_once(code)) return true;
  if (!ran_) return false;
  const Strong address = PyLong_FromVoidPtr(code);
  const bool found = address && PySet_Contains(ran_.get(), address.get()) > 0;
  PyErr_Clear();
  return found;
}

Target Graph::add_external(External external) {
  const auto [found, is_new] =
      externals_by_program_.try_emplace(external.program, static_cast<uint32_t>(externals_.size()));
  if (is_new) externals_.push_back(std::move(external));
  return {Target::Kind::kExternal, found->second};
}

// Notes that the current module uses a node. Objects with references never leave their module.
void Graph::use(uint32_t index) {
  Node& node = nodes_[index];
  if (has_references(*node.shape) || node.last_user == group_) return;
  node.last_user = group_;
  if (++node.users > 1) node.group = kCommonGroup;
}

std::string Graph::path() const {
  std::string path = "code";
  for (const Frame& frame : frames_) {
    if (frame.is_rebuilt) continue;
    if (frame.targets.size() < frame.references.size()) {
      path += reference_name(*frame.shape, frame.targets.size());
    }
  }
  return path;
}

}  // namespace tenure::image
