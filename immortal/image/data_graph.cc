#include "tenure/immortal/image/data_graph.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "tenure/core/abi/containers.h"
#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/singletons.h"
#include "tenure/core/abi/utf8.h"
#include "tenure/immortal/image/actions.h"
#include "tenure/immortal/image/checksum.h"
#include "tenure/immortal/image/data_path.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

constexpr size_t kNoLimit = ~size_t{0};
constexpr uint64_t kProgressStep = 65'536;

uint64_t address_hash(const PyObject* object) { return mix(reinterpret_cast<uintptr_t>(object)); }

uint64_t content_hash(const abi::Shape& shape, PyObject* object, size_t bytes) {
  return checksum(abi::content(shape, object, bytes)) + static_cast<uint64_t>(shape.id);
}

uint64_t edges_hash(DataGraph::Form form, std::span<const DataGraph::Ref> refs) {
  return checksum(std::as_bytes(refs)) + static_cast<uint64_t>(form);
}

bool is_dict(PyObject* object) {
  return PyDict_CheckExact(object) || abi::is_builtin_frozendict(object);
}

bool is_nan(PyObject* object, const abi::Shape& shape) {
  if (shape.id == abi::ShapeId::kFloat) return std::isnan(PyFloat_AS_DOUBLE(object));
  if (shape.id != abi::ShapeId::kComplex) return false;
  return std::isnan(PyComplex_RealAsDouble(object)) || std::isnan(PyComplex_ImagAsDouble(object));
}

// By value, not by identity: which of two equal short strings is the interpreter's own depends on
// who made them. Strings in the interpreter's binary are copied like all others.
std::optional<abi::Singleton> singleton_by_value(PyObject* object) {
  using Kind = abi::Singleton::Kind;
  auto well_known = [](abi::WellKnown id) {
    return abi::Singleton{Kind::kWellKnown, static_cast<int64_t>(id)};
  };
  if (PyUnicode_CheckExact(object)) {
    const Py_ssize_t length = PyUnicode_GET_LENGTH(object);
    if (length == 0) return well_known(abi::WellKnown::kEmptyStr);
    if (length != 1) return std::nullopt;
    const Py_UCS4 character = PyUnicode_READ_CHAR(object, 0);
    if (character > 0xff) return std::nullopt;
    return abi::Singleton{Kind::kLatin1, character};
  }
  if (PyBytes_CheckExact(object)) {
    const Py_ssize_t size = PyBytes_GET_SIZE(object);
    if (size == 0) return well_known(abi::WellKnown::kEmptyBytes);
    if (size != 1) return std::nullopt;
    return abi::Singleton{Kind::kByte, static_cast<unsigned char>(PyBytes_AS_STRING(object)[0])};
  }
  if (PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) == 0) {
    return well_known(abi::WellKnown::kEmptyTuple);
  }
  return abi::singleton_of(object);
}

}  // namespace

DataGraph::DataGraph(Options options) : options_(std::move(options)) {
  auto external = [this](PyObject* object) {
    return add_external(external_of(*abi::singleton_of(object), object)) & ~kExternalRef;
  };
  none_ = external(Py_None);
  for (size_t id = 1; id < abi::kShapeIdEnd; ++id) {
    const auto shape_id = static_cast<abi::ShapeId>(id);
    if (shape_id == abi::ShapeId::kCode || shape_id == abi::ShapeId::kFrozenDict) continue;
    types_[id] = external(reinterpret_cast<PyObject*>(abi::shape(shape_id)->type));
  }
}

DataGraph::~DataGraph() {
  for (const Frame& frame : frames_) Py_XDECREF(frame.pending);
  for (const Node& node : nodes_) Py_XDECREF(node.object);
}

bool DataGraph::add_root(const std::string& name, PyObject* object, Problem& problem) {
  Strong holder = PyTuple_Pack(1, object);
  if (!holder) return problem.refuse_with_python_error("root '" + name + "'");
  Ref ref = 0;
  if (!scan(holder.get(), ref, problem)) {
    if (problem.where.empty()) problem.where = "root '" + name + "'";
    return false;
  }
  roots_.push_back({name, ref});
  return true;
}

DataGraph::Ref DataGraph::settled(Ref ref) const {
  while ((ref & kExternalRef) == 0 && nodes_[ref].form == Form::kAlias) ref = nodes_[ref].place;
  return ref;
}

// Depth first with a stack of its own: what is frozen may be nested deeper than the C++ stack.
bool DataGraph::scan(PyObject* object, Ref& ref, Problem& problem) {
  if (visit(object, ref, problem) == Visit::kRefused) return false;
  while (!frames_.empty()) {
    PyObject* child = next(frames_.back());
    if (child == nullptr) {
      const Frame frame = frames_.back();
      frames_.pop_back();
      leave_cycle(frame);
      leave(frame);
      continue;
    }
    Ref to = 0;
    const size_t first_ref = refs_.size();
    const Visit visited = visit(child, to, problem);
    if (visited == Visit::kRefused) return false;
    refs_.push_back(to);
    if (visited == Visit::kKnown) note_cycle(to);
    if (visited == Visit::kEntered) frames_.back().first_ref = first_ref + 1;
    if (nodes_.size() >= progress_at_ && !tell_progress(problem)) return false;
  }
  ref = settled(ref);
  return true;
}

// What is being looked at has led to `ref`: if that leads back to what is open, there is a cycle.
void DataGraph::note_cycle(Ref ref) {
  if ((ref & kExternalRef) != 0) return;
  const Node& node = nodes_[ref];
  size_t& low = frames_.back().low;
  if (node.form == Form::kOpen) {
    low = std::min<size_t>(low, node.place);
  } else if (node.in_cycle) {
    const CycleRoot root = cycles_.at(ref);
    if (root.frame < frames_.size() && frames_[root.frame].node == root.node) {
      low = std::min(low, root.frame);
    }
  }
}

// Tarjan's rule: who leads back to itself or to one below is in a cycle.
void DataGraph::leave_cycle(const Frame& frame) {
  const size_t own = frames_.size();
  if (frame.low == kNoFrame) return;
  const bool is_root = frame.low == own;
  cycles_[frame.node] = {frame.low, is_root ? frame.node : frames_[frame.low].node};
  nodes_[frame.node].in_cycle = true;
  if (!is_root) frames_.back().low = std::min(frames_.back().low, frame.low);
}

bool DataGraph::tell_progress(Problem& problem) {
  progress_at_ = nodes_.size() + kProgressStep;
  if (!options_.progress) return true;
  uint64_t waiting = 0;
  // Deeper ones have seldom many left, and there may be millions.
  for (size_t i = 0; i < std::min<size_t>(frames_.size(), 1000); ++i) {
    const Py_ssize_t size = PyObject_Size(frames_[i].container);
    if (size > frames_[i].next) waiting += static_cast<uint64_t>(size - frames_[i].next);
  }
  // Writing is the other half of the work.
  if (options_.progress(nodes_.size(), 2 * (nodes_.size() + waiting))) return true;
  return problem.refuse_with_python_error("image");
}

// The next object that a container refers to, borrowed; null after the last one. What a container
// that can change gives is kept until it is visited: then a node has it.
PyObject* DataGraph::next(Frame& frame) {
  PyObject* container = frame.container;
  if (frame.pending != nullptr) {
    current_ = Strong(std::exchange(frame.pending, nullptr));
    return current_.get();
  }
  if (PyTuple_CheckExact(container)) {
    if (frame.next >= PyTuple_GET_SIZE(container)) return nullptr;
    return PyTuple_GET_ITEM(container, frame.next++);
  }
  if (PyList_CheckExact(container)) {
    if (frame.next >= PyList_GET_SIZE(container)) return nullptr;
    current_ = Strong(PyList_GetItemRef(container, frame.next++));
    // Another thread has shortened it.
    if (!current_) PyErr_Clear();
    return current_.get();
  }
  if (abi::is_frozen_dict(container)) {
    const abi::FrozenDictObject* dict = abi::as_frozen_dict(container);
    const auto index = static_cast<size_t>(frame.next++);
    if (index >= 2 * abi::entry_count(dict)) return nullptr;
    const abi::FrozenEntry& entry = abi::entries_of(dict)[index / 2];
    return index % 2 == 0 ? entry.key : entry.value;
  }
  PyObject* key = nullptr;
  Py_BEGIN_CRITICAL_SECTION(container);
  PyObject* value = nullptr;
  if (PyDict_Next(container, &frame.next, &key, &value)) {
    frame.pending = Py_NewRef(value);
    Py_INCREF(key);
  }
  Py_END_CRITICAL_SECTION();
  current_ = Strong(key);
  return key;
}

DataGraph::Visit DataGraph::visit(PyObject* object, Ref& ref, Problem& problem) {
  if (known(object, ref)) return Visit::kKnown;
  if (singleton(object, ref)) return Visit::kKnown;
  const abi::Shape* shape = abi::shape_of(object);
  if (shape != nullptr && shape->tail != abi::Tail::kReferences &&
      shape->tail != abi::Tail::kEntries && shape->id != abi::ShapeId::kCode) {
    ref = leaf(object, *shape);
    return Visit::kKnown;
  }
  if (nodes_.size() >= kExternalRef - 1 || edges_.size() >= HashIndex::kNone - refs_.size() - 2) {
    problem.refuse("image",
                   "is too large: it has more than two billion objects or four billion "
                   "references; freeze less into it");
    return Visit::kRefused;
  }
  return enter(object, ref, problem);
}

DataGraph::Visit DataGraph::enter(PyObject* object, Ref& ref, Problem& problem) {
  Frame frame{object, nullptr, 0, refs_.size(), kNoFrame, 0, Form::kTuple, Action{}};
  std::optional<Action> action;
  if (PyList_CheckExact(object)) {
    if (options_.keep_lists) action = Action::kList;
  } else if (is_dict(object)) {
    frame.form = Form::kDict;
    // A built-in frozendict cannot change, so it need not be kept as it is.
    if (options_.keep_dicts && PyDict_CheckExact(object)) action = Action::kDict;
  } else if (abi::is_frozen_dict(object)) {
    frame.form = Form::kDict;
  } else if (PySet_CheckExact(object)) {
    action = options_.keep_sets ? Action::kSet : Action::kFrozenSet;
  } else if (!PyTuple_CheckExact(object)) {
    action = action_for(object);
    if (!action) {
      if (PyErr_Occurred()) {
        problem.refuse_with_python_error("");
      } else {
        refuse_type(object, problem);
      }
      return Visit::kRefused;
    }
  }
  if (action) {
    PyObject* argument = action_argument(*action, object);
    if (argument == nullptr) {
      problem.refuse_with_python_error("");
      return Visit::kRefused;
    }
    kept_.push_back(Strong(argument));
    frame.container = PyTuple_Pack(1, argument);
    if (frame.container == nullptr) {
      problem.refuse_with_python_error("");
      return Visit::kRefused;
    }
    kept_.push_back(Strong(frame.container));
    frame.form = Form::kRebuilt;
    frame.action = *action;
  }
  frame.node = add_node(object, action ? Form::kRebuilt : Form::kOpen);
  if (action && is_filled_later(*action)) {
    nodes_[frame.node].place = static_cast<uint32_t>(rebuilt_.size());
    rebuilt_.push_back({*action, 0});
  }
  if (!action) nodes_[frame.node].place = static_cast<uint32_t>(frames_.size());
  frames_.push_back(frame);
  ref = frame.node;
  return Visit::kEntered;
}

void DataGraph::leave(const Frame& frame) {
  const std::span<const Ref> refs = std::span(refs_).subspan(frame.first_ref);
  if (frame.form != Form::kRebuilt) {
    leave_container(frame, refs);
  } else {
    Ref argument = settled(refs[0]);
    if ((argument & kExternalRef) != 0) {
      // The interpreter's empty tuple, which an action cannot name; one of the image's own stands
      // in.
      argument = add_node(nullptr, Form::kTuple);
      add_edges(nodes_[argument], {});
      const abi::Shape& shape = *abi::shape(abi::ShapeId::kTuple);
      place(argument, Kind::kTupleSegment, shape.prefix_bytes, shape.fixed_bytes);
    }
    if (is_filled_later(frame.action)) {
      rebuilt_[nodes_[frame.node].place].argument = argument;
    } else {
      nodes_[frame.node].place = static_cast<uint32_t>(rebuilt_.size());
      rebuilt_.push_back({frame.action, argument});
    }
  }
  refs_.resize(frame.first_ref);
}

void DataGraph::leave_container(const Frame& frame, std::span<const Ref> refs) {
  Node& node = nodes_[frame.node];
  const uint64_t hash = edges_hash(frame.form, refs);
  const uint32_t same = by_value_.find(hash, [&](uint32_t number) {
    const Node& other = nodes_[number];
    return other.form == frame.form && std::ranges::equal(edges(other), refs);
  });
  if (same != HashIndex::kNone) {
    node.form = Form::kAlias;
    node.place = same;
    return;
  }
  node.form = frame.form;
  add_edges(node, refs);
  by_value_.add(hash, frame.node);
  const bool replaced = std::ranges::any_of(refs, [this](Ref ref) {
    return (ref & kExternalRef) == 0 && nodes_[settled(ref)].form == Form::kRebuilt;
  });
  if (frame.form == Form::kTuple) {
    const abi::Shape& shape = *abi::shape(abi::ShapeId::kTuple);
    place(frame.node, replaced ? Kind::kReplacedTupleSegment : Kind::kTupleSegment,
          shape.prefix_bytes, shape.fixed_bytes + refs.size() * sizeof(PyObject*));
  } else {
    types_[static_cast<size_t>(abi::ShapeId::kFrozenDict)] =
        add_external(own_external(OwnObject::kFrozenDictType)) & ~kExternalRef;
    place(frame.node, replaced ? Kind::kReplacedDictSegment : Kind::kDictSegment,
          abi::shape(abi::ShapeId::kFrozenDict)->prefix_bytes,
          abi::frozen_dict_bytes(refs.size() / 2));
  }
}

bool DataGraph::known(PyObject* object, Ref& ref) {
  const uint32_t found = by_address_.find(address_hash(object), [this, object](uint32_t number) {
    return nodes_[number].object == object;
  });
  if (found == HashIndex::kNone) return false;
  ref = settled(found);
  if ((ref & kExternalRef) == 0 && nodes_[ref].form == Form::kExternal) {
    ref = nodes_[ref].place | kExternalRef;
  }
  return true;
}

bool DataGraph::singleton(PyObject* object, Ref& ref) {
  const auto found = singleton_by_value(object);
  if (!found) return false;
  PyObject* resolved = abi::resolve(*found);
  if (resolved == nullptr) {
    PyErr_Clear();
    return false;
  }
  ref = add_external(external_of(*found, resolved));
  nodes_[add_node(object, Form::kExternal)].place = ref & ~kExternalRef;
  return true;
}

bool DataGraph::is_same_leaf(uint32_t number, PyObject* object, const abi::Shape& shape,
                             size_t bytes) const {
  const Node& node = nodes_[number];
  if (node.form != Form::kLeaf || abi::shape_of(node.object) != &shape) return false;
  if (shape.bytes(node.object, kNoLimit) != bytes) return false;
  if (PyUnicode_CheckExact(object) && PyUnicode_KIND(object) != PyUnicode_KIND(node.object)) {
    return false;
  }
  return std::ranges::equal(abi::content(shape, node.object, bytes),
                            abi::content(shape, object, bytes));
}

DataGraph::Ref DataGraph::leaf(PyObject* object, const abi::Shape& shape) {
  const size_t bytes = shape.bytes(object, kNoLimit);
  // Two that are not equal to themselves stay two: a dict tells them apart.
  const bool has_value = !is_nan(object, shape);
  const uint64_t hash = has_value ? content_hash(shape, object, bytes) : 0;
  if (has_value) {
    const uint32_t same = by_value_.find(
        hash, [&](uint32_t number) { return is_same_leaf(number, object, shape, bytes); });
    if (same != HashIndex::kNone) {
      nodes_[add_node(object, Form::kAlias)].place = same;
      return same;
    }
  }
  const uint32_t index = add_node(object, Form::kLeaf);
  if (has_value) {
    by_value_.add(hash, index);
  }
  if (shape.id == abi::ShapeId::kStrCompact) {
    const size_t utf8 = abi::utf8_bytes(object);
    place(index, Kind::kUtf8TextSegment, 0, bytes + (utf8 == 0 ? 0 : utf8 + 1));
  } else {
    place(index, PyUnicode_CheckExact(object) ? Kind::kTextSegment : Kind::kConstSegment, 0, bytes);
  }
  return index;
}

uint32_t DataGraph::add_node(PyObject* object, Form form) {
  const auto index = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({Py_XNewRef(object), 0, 0, form, 0, false});
  if (object != nullptr) {
    by_address_.add(address_hash(object), index);
  }
  return index;
}

void DataGraph::add_edges(Node& node, std::span<const Ref> refs) {
  node.first_edge = static_cast<uint32_t>(edges_.size());
  edges_.push_back(static_cast<Ref>(refs.size()));
  edges_.insert(edges_.end(), refs.begin(), refs.end());
}

void DataGraph::place(uint32_t index, Kind segment, size_t prefix_bytes, size_t bytes) {
  constexpr uint64_t kAlign = abi::kObjectAlignment;
  const size_t number = segment_index(segment);
  const uint64_t at = (segment_bytes_[number] + prefix_bytes + kAlign - 1) / kAlign;
  // One that does not fit into the number is past what a file can hold, which place() finds.
  nodes_[index].place = static_cast<uint32_t>(at);
  nodes_[index].segment = static_cast<uint8_t>(number);
  members_[number].push_back(index);
  segment_bytes_[number] = at * kAlign + bytes;
}

DataGraph::Ref DataGraph::add_external(External external) {
  const auto [found, is_new] = externals_by_program_.try_emplace(
      external.program, static_cast<uint32_t>(externals_.size()) | kExternalRef);
  if (is_new) externals_.push_back(std::move(external));
  return found->second;
}

bool DataGraph::refuse_type(PyObject* object, Problem& problem) const {
  return problem.refuse("", path() + ": object of type " + type_name(object) +
                                " cannot be frozen: only str, bytes, int, float, complex, bool, "
                                "None, Ellipsis, tuple, list, dict, set, frozenset, range, slice "
                                "and the types of datetime can, and no subclasses of them");
}

// From the root, which is the item of its holder, to where the scan stands.
std::string DataGraph::path() const {
  std::vector<PathStep> steps;
  for (const Frame& frame : frames_) {
    if (&frame == &frames_.front()) continue;
    const size_t seen = refs_.size() - frame.first_ref;
    const bool is_top = &frame == &frames_.back();
    const size_t index = is_top ? seen : (&frame + 1)->first_ref - 1 - frame.first_ref;
    if (frame.form == Form::kRebuilt) continue;
    const Frame& outer = *(&frame - 1);
    const bool is_dict_argument = outer.form == Form::kRebuilt && outer.action == Action::kDict;
    if (frame.form == Form::kTuple && !is_dict_argument) {
      steps.push_back({nullptr, index, false});
    } else {
      const bool is_key = index % 2 == 0;
      PyObject* key = is_key ? nullptr : object(refs_[frame.first_ref + index - 1]);
      steps.push_back({key, index / 2, is_key});
    }
  }
  return path_text(steps);
}

}  // namespace tenure::image
