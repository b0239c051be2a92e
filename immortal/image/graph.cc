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

// `runs` is asked of code only, `replaced` of objects with references.
Kind segment_of(const abi::Shape& shape, bool runs, bool replaced) {
  switch (shape.id) {
    case abi::ShapeId::kStrAscii:
    case abi::ShapeId::kStrCompact:
      return Kind::kTextSegment;  // until somebody names it: see Graph::name()
    case abi::ShapeId::kTuple:
      return replaced ? Kind::kReplacedTupleSegment : Kind::kTupleSegment;
    case abi::ShapeId::kCode:
      if (runs) return Kind::kBodySegment;
      return replaced ? Kind::kReplacedCodeSegment : Kind::kCodeSegment;
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

bool is_label(const abi::Shape& shape, size_t index) {
  const abi::Field* field = reference_field(shape, index);
  return field != nullptr && field->role == abi::FieldRole::kLabel;
}

}  // namespace

Graph::Graph(PyObject* familiar, PyObject* ran)
    : familiar_(Py_XNewRef(familiar)), ran_(Py_XNewRef(ran)) {
  auto well_known = [this](abi::WellKnown id) {
    PyObject* object = abi::well_known(id);
    const abi::Singleton singleton{abi::Singleton::Kind::kWellKnown, static_cast<int64_t>(id)};
    return add_external(path_to(singleton, object), object).index;
  };
  none_ = well_known(abi::WellKnown::kNone);
  for (size_t id = 1; id < abi::kShapeIdEnd; ++id) {
    auto* type = reinterpret_cast<PyObject*>(abi::shape(static_cast<abi::ShapeId>(id))->type);
    if (const auto singleton = abi::singleton_of(type)) {
      types_[id] = add_external(path_to(*singleton, type), type).index;
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
    const size_t index = top.targets.size();
    PyObject* next = top.references[index];
    Target found;
    if (next == nullptr || find(next, found)) {
      if (!top.is_rebuilt && !is_label(*top.shape, index)) name(found);
      top.targets.push_back(found);
    } else if (!enter(next, problem)) {
      return false;
    }
  }
}

// Notes that a reference other than a label leads there: the interpreter may look things up by it,
// so an identifier has to be interned.
void Graph::name(const Target& target) {
  if (target.kind != Target::Kind::kNode) return;
  Node& node = nodes_[target.index];
  node.named = true;
  settle(node);
}

void Graph::settle(Node& node) {
  if (is_str(*node.shape) && node.identifier && node.named) node.segment = Kind::kStringSegment;
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
    target = add_external(path_to(*singleton, object), object);
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
      return problem.refuse("", path() +
                                    ": is code that has run or been looked into; compile it "
                                    "again for freezing");
    }
    frames_.push_back({object, shape, references_of(*shape, object), {}, Action{}, false});
    return true;
  }
  const auto action = action_for(object);
  if (!action) {
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
  } else if (frame.is_rebuilt && frame.targets[0].kind == Target::Kind::kExternal) {
    // An empty frozenset: its argument is the interpreter's empty tuple, which the image can not
    // name as an argument of an action. A tuple of its own stands in.
    target = add_node(frame.references[0], *abi::shape(abi::ShapeId::kTuple), {});
    rebuilt_.push_back({frame.action, target.index, group_});
    target = {Target::Kind::kRebuilt, static_cast<uint32_t>(rebuilt_.size() - 1)};
    module_by_value_.emplace(std::move(key), target);
  } else if (frame.is_rebuilt) {
    rebuilt_.push_back({frame.action, frame.targets[0].index, group_});
    target = {Target::Kind::kRebuilt, static_cast<uint32_t>(rebuilt_.size() - 1)};
    module_by_value_.emplace(std::move(key), target);
  } else {
    target = add_node(frame.object, *frame.shape, frame.targets);
    module_by_value_.emplace(std::move(key), target);
  }
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
  node.segment = segment_of(shape, runs, expects_replacement(targets));
  nodes_.push_back(node);
  edges_.insert(edges_.end(), targets.begin(), targets.end());
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

bool Graph::expects_replacement(const std::vector<Target>& targets) const {
  return std::any_of(targets.begin(), targets.end(), [this](const Target& target) {
    return target.kind == Target::Kind::kRebuilt ||
           (target.kind == Target::Kind::kNode && nodes_[target.index].familiar);
  });
}

Target Graph::add_external(std::string program, PyObject* object) {
  const auto [found, is_new] =
      externals_by_program_.try_emplace(program, static_cast<uint32_t>(externals_.size()));
  if (is_new) externals_.push_back({std::move(program), object, abi::is_in_binary(object)});
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
