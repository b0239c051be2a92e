#include "tenure/immortal/image/preparation.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/immortal.h"
#include "tenure/core/abi/shape.h"
#include "tenure/core/abi/strings.h"
#include "tenure/immortal/image/actions.h"
#include "tenure/immortal/image/objects.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {

namespace {

// Elements of a set display are constants, nested as deep as somebody cared to write tuples.
constexpr int kActionDepth = 100;
// A damaged tuple can hold itself, twice.
constexpr int64_t kActionVisits = 10'000'000;

constexpr size_t index_of(Kind kind) { return static_cast<size_t>(kind) - kFirstSegmentKind; }

}  // namespace

Image::Preparation::Preparation(Image& image, uint32_t group)
    : image_(image), view_(image.view_), group_(group), base_(image.mapping_.base()) {
  for (const ExtentEntry& extent : view_.extents(group)) {
    if (extent.kind < kFirstSegmentKind) continue;
    segments_[extent.kind - kFirstSegmentKind] = {extent.offset, extent.offset + extent.bytes};
  }
  auto whole = [this](Kind kind) {
    const DirectoryEntry* entry = view_.entry(kind);
    return entry ? Range{entry->offset, entry->offset + entry->bytes} : Range{};
  };
  strings_ = whole(Kind::kStringSegment);
  texts_ = whole(Kind::kTextSegment);
}

bool Image::Preparation::run(Problem& problem) {
  Step& step = image_.steps_[group_];
  if (step == Step::kCheck) {
    // First, because pages that have been read are dearer to copy.
    expect_writes();
    for (const ExtentEntry& extent : view_.extents(group_)) {
      image_.mapping_.expect_reads(extent.offset, extent.bytes);
    }
    const auto parts = is_moving() ? View::Parts::kAll : View::Parts::kWithoutRelocation;
    if (!view_.check_group(group_, parts, problem)) return false;
    step = Step::kMove;
  }
  if (step == Step::kMove) {
    if (!is_moving() && !is_linked_here()) {
      return problem.refuse(view_.group_name(group_),
                            "was not written for the address that the header prefers");
    }
    if (is_moving() && !move(problem)) return false;
    step = Step::kIntern;
  }
  if (step == Step::kIntern) {
    if (!intern(problem)) return false;
    step = Step::kAct;
  }
  if (step == Step::kAct) {
    if (!act(problem)) return false;
    step = Step::kReady;
  }
  return true;
}

// True unless every pointer and number in the file is right as it is.
bool Image::Preparation::is_moving() const {
  return reinterpret_cast<uint64_t>(base_) != view_.header().preferred_base ||
         !image_.addresses_.empty() ||
         image_.first_code_version_ != view_.header().first_code_version;
}

bool Image::Preparation::in_image(uint64_t address) const {
  return address - reinterpret_cast<uint64_t>(base_) < view_.header().file_bytes;
}

// False if the first slot that leads into the image would lead out of it: either all pointers of a
// group are right for this address or none is. Damage of other kinds is for those who use the slot.
bool Image::Preparation::is_linked_here() const {
  uint64_t first = 0;
  if (image_.is_data()) {
    StreamReader in(view_.part(group_, Kind::kInternalSlots));
    first = in.varint();
  } else if (const auto slots = view_.table_part<uint32_t>(group_, Kind::kStringSlots);
             !slots.empty()) {
    // Of the tables that are checked where nothing is relocated.
    first = slots[0];
  }
  const uint64_t* pointer = slot(first, referring());
  return pointer == nullptr || in_image(*pointer);
}

void Image::Preparation::expect_writes() {
  for (size_t i = 0; i < segments_.size(); ++i) {
    const bool written = i == index_of(Kind::kStringSegment) ||
                         i == index_of(Kind::kReplacedTupleSegment) ||
                         i == index_of(Kind::kReplacedCodeSegment);
    if (!written && !is_moving()) continue;
    image_.mapping_.expect_writes(segments_[i].begin, segments_[i].end - segments_[i].begin);
  }
}

// True if [offset, offset + bytes) lies in the range.
bool Image::Preparation::holds(const Range& range, uint64_t offset, uint64_t bytes) {
  return offset >= range.begin && offset < range.end && range.end - offset >= bytes;
}

bool Image::Preparation::holds_slot(const Range& range, uint64_t number) {
  return holds(range, number * kSlotBytes, kSlotBytes);
}

// The segments of objects that refer to others. A slot elsewhere could only be an object's type, or
// would change a str that the interpreter has interned by then.
std::span<const Image::Preparation::Range> Image::Preparation::referring() const {
  return std::span(segments_).subspan(index_of(Kind::kTupleSegment));
}

uint64_t* Image::Preparation::slot(uint64_t number, std::span<const Range> segments) const {
  for (const Range& range : segments) {
    if (holds_slot(range, number)) {
      return reinterpret_cast<uint64_t*>(base_ + number * kSlotBytes);
    }
  }
  return nullptr;
}

bool Image::Preparation::refuse_slot(const char* table, uint64_t number, Problem& problem) const {
  return problem.refuse(view_.group_name(group_),
                        std::string("has a slot outside the group in its ") + table +
                            ", at offset " + std::to_string(number * kSlotBytes));
}

bool Image::Preparation::move(Problem& problem) {
  expect_writes();
  const uint64_t distance = reinterpret_cast<uint64_t>(base_) - view_.header().preferred_base;
  if (distance != 0 && !move_internal(distance, problem)) return false;
  if (!image_.addresses_.empty() && !move_external(problem)) return false;
  return image_.first_code_version_ == view_.header().first_code_version ||
         move_code_versions(problem);
}

bool Image::Preparation::move_internal(uint64_t distance, Problem& problem) {
  StreamReader in(view_.part(group_, Kind::kInternalSlots));
  uint64_t number = 0;
  while (!in.at_end()) {
    number += in.varint();
    uint64_t* pointer = in.failed() ? nullptr : slot(number, referring());
    if (pointer == nullptr) return refuse_slot("internal slots", number, problem);
    *pointer += distance;
    if (!in_image(*pointer)) return refuse_slot("internal slots", number, problem);
    ++image_.stats_.slots_relocated;
  }
  return true;
}

bool Image::Preparation::move_external(Problem& problem) {
  const auto externals = view_.externals();
  StreamReader in(view_.part(group_, Kind::kExternalSlots));
  while (!in.at_end()) {
    const uint64_t external = in.varint();
    const uint64_t count = in.varint();
    if (in.failed() || external >= externals.size()) {
      return problem.refuse(view_.group_name(group_), "names an external that does not exist");
    }
    const uint64_t address = image_.external_address(external);
    const bool moved = address != externals[external].address;
    uint64_t number = 0;
    for (uint64_t i = 0; i < count; ++i) {
      number += in.varint();
      uint64_t* pointer = in.failed() ? nullptr : slot(number, segments_);
      if (pointer == nullptr) return refuse_slot("external slots", number, problem);
      if (!moved) continue;
      *pointer = address;
      ++image_.stats_.slots_relocated;
    }
  }
  return true;
}

bool Image::Preparation::move_code_versions(Problem& problem) {
  const uint32_t distance = image_.first_code_version_ - view_.header().first_code_version;
  return for_each_object(view_, group_, problem, [&](uint64_t offset, const abi::Shape& shape) {
    if (shape.id == abi::ShapeId::kCode) {
      abi::set_code_version(base_ + offset, abi::code_version(base_ + offset) + distance);
    }
    return true;
  });
}

// A string's entry in seen_; the last one, which stays kUnseen, if there is no str that could have
// one.
Image::Seen& Image::Preparation::seen(uint32_t string) const {
  const uint64_t offset = uint64_t{string} * kSlotBytes;
  const size_t last = image_.seen_.size() - 1;
  const size_t index =
      offset < strings_.begin ? last : (offset - strings_.begin) / abi::kObjectAlignment;
  return image_.seen_[std::min(index, last)];
}

bool Image::Preparation::intern(Problem& problem) {
  // Nothing in data is looked up by identity.
  if (image_.is_data()) return !abi::identity().debug || mark_strings(problem);
  if (image_.seen_.empty()) {
    // In another build, a str of this image may be one of those in the interpreter's binary.
    if (image_.same_interpreter_) image_.intern_table_ = abi::find_intern_table();
    image_.seen_.resize((strings_.end - strings_.begin) / abi::kObjectAlignment + 2);
  }
  const auto uses = view_.table_part<StringUse>(group_, Kind::kStringUses);
  const auto slots = view_.table_part<uint32_t>(group_, Kind::kStringSlots);
  const bool every_string = abi::identity().debug;
  size_t next_slot = 0;
  for (const StringUse& use : uses) {
    const size_t count = use.slot_count & ~kIdentifier;
    const bool identifier = (use.slot_count & kIdentifier) != 0;
    if (count > slots.size() - next_slot) {
      return problem.refuse(view_.group_name(group_), "uses more string slots than it has");
    }
    const auto own_slots = slots.subspan(next_slot, count);
    next_slot += count;
    // By far the most uses: an earlier group had the str interned. Neither it nor its slots are
    // touched.
    if (identifier ? seen(use.string) == Seen::kOwn : !every_string) continue;
    PyObject* str = canonical(use.string, identifier, problem);
    if (str == nullptr) return false;
    if (str == image_.object(uint64_t{use.string} * kSlotBytes)) continue;
    if (!replace(own_slots, str, problem)) return false;
  }
  return true;
}

bool Image::Preparation::mark_strings(Problem& problem) {
  return for_each_object(view_, group_, problem, [&](uint64_t offset, const abi::Shape& shape) {
    if (shape.id == abi::ShapeId::kStrAscii || shape.id == abi::ShapeId::kStrCompact) {
      abi::mark_interned(image_.object(offset));
    }
    return true;
  });
}

bool Image::Preparation::replace(std::span<const uint32_t> slots, PyObject* str, Problem& problem) {
  // The slots of a string are in order, so one after the other mostly lies in the same segment.
  const std::span<const Range> segments = referring();
  auto range = segments.begin();
  for (const uint32_t number : slots) {
    if (!holds_slot(*range, number)) {
      range = std::find_if(segments.begin(), segments.end(),
                           [number](const Range& one) { return holds_slot(one, number); });
      if (range == segments.end()) return refuse_slot("string slots", number, problem);
    }
    *reinterpret_cast<PyObject**>(base_ + uint64_t{number} * kSlotBytes) = str;
  }
  image_.stats_.slots_replaced += slots.size();
  return true;
}

bool Image::Preparation::holds_str(const Range& range, uint64_t offset) {
  return holds(range, offset, abi::kSmallestStrBytes);
}

// The shape of a str where a table says one is; null if there is none.
const abi::Shape* Image::Preparation::str_shape(PyObject* str, uint64_t offset,
                                                bool identifier) const {
  const Range& segment = identifier || holds_str(strings_, offset) ? strings_ : texts_;
  if (!holds_str(segment, offset) || !Py_IS_TYPE(str, &PyUnicode_Type)) return nullptr;
  const abi::Shape* shape = abi::shape_of(str);
  return shape != nullptr && shape->bytes(str, segment.end - offset) != 0 ? shape : nullptr;
}

PyObject* Image::Preparation::canonical(uint32_t string, bool identifier, Problem& problem) {
  // Only debug builds get here with strings that are no identifiers, of which seen_ knows nothing.
  if (!identifier || seen(string) == Seen::kReplaced) {
    const auto found = image_.replacements_.find(string);
    if (found != image_.replacements_.end()) return found->second;
  }
  const uint64_t offset = uint64_t{string} * kSlotBytes;
  PyObject* str = image_.object(offset);
  if (str_shape(str, offset, identifier) == nullptr) {
    problem.refuse(view_.group_name(group_),
                   "names a string where there is none, at offset " + std::to_string(offset));
    return nullptr;
  }
  if (abi::is_interned_here(str)) return str;
  PyObject* canonical = abi::intern_unused(str, image_.intern_table_);
  if (canonical == nullptr) {
    problem.refuse_with_python_error(view_.group_name(group_));
    return nullptr;
  }
  if (canonical == str) {
    ++image_.stats_.strings_interned;
  } else {
    image_.replacements_.emplace(string, canonical);
    image_.note_outside(canonical);
    ++image_.stats_.strings_replaced;
  }
  if (holds_str(strings_, offset)) seen(string) = canonical == str ? Seen::kOwn : Seen::kReplaced;
  return canonical;
}

bool Image::Preparation::act(Problem& problem) {
  const auto actions = view_.table_part<ActionEntry>(group_, Kind::kActions);
  const auto slots = view_.table_part<uint32_t>(group_, Kind::kActionSlots);
  size_t next_slot = 0;
  std::vector<std::pair<const ActionEntry*, PyObject*>> empty;
  for (const ActionEntry& action : actions) {
    if (action.slot_count > slots.size() - next_slot) {
      return problem.refuse(view_.group_name(group_), "uses more action slots than it has");
    }
    PyObject* object = rebuild(action, problem);
    if (object == nullptr) return false;
    if (is_filled_later(static_cast<Action>(action.action))) {
      empty.emplace_back(&action, object);
    } else {
      abi::make_immortal(object);
    }
    image_.rebuilt_.push_back(object);
    image_.note_outside(object);
    ++image_.stats_.objects_rebuilt;
    for (uint32_t i = 0; i < action.slot_count; ++i) {
      uint64_t* pointer = slot(slots[next_slot], referring());
      if (pointer == nullptr) return refuse_slot("action slots", slots[next_slot], problem);
      *pointer = reinterpret_cast<uint64_t>(object);
      ++next_slot;
    }
  }
  for (const auto& [action, object] : empty) {
    if (!fill(*action, object, problem)) return false;
  }
  return true;
}

bool Image::Preparation::fill(const ActionEntry& entry, PyObject* object, Problem& problem) {
  const auto action = static_cast<Action>(entry.action);
  PyObject* argument = image_.object(entry.argument);
  // It was one before; the slots that were filled in since then are the file's choice.
  if (!is_tuple(argument, entry.argument)) {
    return problem.refuse(
        view_.group_name(group_),
        "has an action that writes to an argument, at offset " + std::to_string(entry.argument));
  }
  // The items of a list and the values of a dict are not looked at.
  const Py_ssize_t step = action == Action::kDict ? 2 : 1;
  if (action != Action::kList && !holds_objects(argument, step, problem)) return false;
  return fill_later(action, object, argument) ||
         problem.refuse_with_python_error(view_.group_name(group_));
}

bool Image::Preparation::is_tuple(PyObject* object, uint64_t offset) const {
  const abi::Shape& shape = *abi::shape(abi::ShapeId::kTuple);
  for (Kind kind : {Kind::kTupleSegment, Kind::kReplacedTupleSegment}) {
    const Range& range = segments_[index_of(kind)];
    if (holds(range, offset, shape.fixed_bytes)) {
      return offset % abi::kObjectAlignment == 0 && Py_IS_TYPE(object, shape.type) &&
             shape.bytes(object, range.end - offset) != 0;
    }
  }
  return false;
}

// True if the pointer leads to an object that can be hashed and compared without harm: one of this
// image that is as large as its shape says, or one that the image refers to outside of itself.
bool Image::Preparation::is_object(PyObject* object, int depth, int64_t& visits) {
  if (--visits < 0) return false;
  const auto address = reinterpret_cast<uint64_t>(object);
  if (!in_image(address)) return image_.is_outside_object(object);
  const uint64_t offset = address - reinterpret_cast<uint64_t>(base_);
  const DirectoryEntry* segment = view_.segment_at(offset);
  if (offset % abi::kObjectAlignment != 0 || segment == nullptr) return false;
  const uint64_t limit = segment->offset + segment->bytes - offset;
  // Of all types, only a str has to be looked into to know its shape.
  if (limit < abi::kHeadBytes ||
      (Py_IS_TYPE(object, &PyUnicode_Type) && limit < abi::kSmallestStrBytes)) {
    return false;
  }
  const abi::Shape* shape = abi::shape_of(object);
  if (shape == nullptr || limit < shape->fixed_bytes || shape->bytes(object, limit) == 0) {
    return false;
  }
  if (shape->id == abi::ShapeId::kCode) return false;
  bool good = true;
  abi::for_each_reference(*shape, object, shape->bytes(object, limit), [&](PyObject** reference) {
    good = good && depth > 0 && is_object(*reference, depth - 1, visits);
  });
  return good;
}

// True if every `step`-th item of a tuple is an object, as above.
bool Image::Preparation::holds_objects(PyObject* tuple, Py_ssize_t step, Problem& problem) {
  int64_t visits = kActionVisits + PyTuple_GET_SIZE(tuple);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i += step) {
    if (!is_object(PyTuple_GET_ITEM(tuple, i), kActionDepth, visits)) {
      return problem.refuse(view_.group_name(group_),
                            "has an action whose argument holds no object");
    }
  }
  return true;
}

PyObject* Image::Preparation::rebuild(const ActionEntry& action, Problem& problem) {
  PyObject* argument = image_.object(action.argument);
  if (!is_tuple(argument, action.argument)) {
    problem.refuse(view_.group_name(group_), "has an action without its argument, at offset " +
                                                 std::to_string(action.argument));
    return nullptr;
  }
  const auto kind = static_cast<Action>(action.action);
  if (!is_filled_later(kind) && !holds_objects(argument, 1, problem)) return nullptr;
  PyObject* object = run_action(kind, argument);
  if (object == nullptr && PyErr_Occurred()) {
    problem.refuse_with_python_error(view_.group_name(group_));
  } else if (object == nullptr) {
    problem.refuse(view_.group_name(group_), "has an action (number " +
                                                 std::to_string(action.action) +
                                                 ") that this Tenure cannot do; use a newer one");
  }
  return object;
}

}  // namespace tenure::image
