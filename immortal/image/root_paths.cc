#include "tenure/immortal/image/root_paths.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "tenure/immortal/image/objects.h"

namespace tenure::image {
namespace {

constexpr size_t kNowhere = ~size_t{0};

}  // namespace

FieldPlace field_at(const abi::Shape& shape, const std::byte* object, int64_t at) {
  if (at < 0) return {"collector's head", -1, -int64_t{shape.prefix_bytes}, shape.prefix_bytes};
  for (const abi::Field& field : shape.fields) {
    if (at >= field.offset && at < field.offset + field.bytes) {
      return {field.name, -1, field.offset, field.bytes};
    }
  }
  const int64_t begin = at & ~int64_t{sizeof(PyObject*) - 1};
  const int64_t item = (at - shape.fixed_bytes) / static_cast<int64_t>(sizeof(PyObject*));
  if (shape.tail == abi::Tail::kReferences) return {"item", item, begin, sizeof(PyObject*)};
  if (shape.tail == abi::Tail::kEntries) {
    const size_t end = abi::references_end(shape, object, ~size_t{0});
    if (static_cast<size_t>(at) >= end) return {"index", -1, at, 1};
    return {item % 2 == 0 ? "key" : "value", item / 2, begin, sizeof(PyObject*)};
  }
  return {"contents", -1, at, 1};
}

StepText::StepText(const abi::Shape& shape, const std::byte* object, uint64_t at, Action as) {
  const FieldPlace field = field_at(shape, object, static_cast<int64_t>(at));
  if (field.item < 0) {
    put(".");
    put(field.name);
  } else if (shape.tail == abi::Tail::kEntries || as == Action::kDict) {
    put_entry(object + at, (at - shape.fixed_bytes) / sizeof(PyObject*));
  } else {
    put_number("[", field.item, "]");
  }
}

void StepText::put(std::string_view text) {
  const size_t bytes = std::min(text.size(), text_.size() - length_);
  std::memcpy(text_.data() + length_, text.data(), bytes);
  length_ += bytes;
}

void StepText::put_number(std::string_view before, int64_t number, std::string_view after) {
  std::array<char, 20> digits;
  put(before);
  put({digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr});
  put(after);
}

// Keys and values in turns; `slot` is that of reference number `reference`.
void StepText::put_entry(const std::byte* slot, size_t reference) {
  const auto number = static_cast<int64_t>(reference / 2);
  if (reference % 2 == 0) return put_number("<key ", number, ">");
  PyObject* key;
  std::memcpy(&key, slot - sizeof(PyObject*), sizeof(PyObject*));
  if (!put_key(key)) put_number("<value ", number, ">");
}

// False if the key is not told in a few words without asking the interpreter.
bool StepText::put_key(PyObject* key) {
  constexpr Py_ssize_t kMostCharacters = 100;
  if (PyLong_CheckExact(key)) {
    const auto* number = reinterpret_cast<PyLongObject*>(key);
    if (PyUnstable_Long_IsCompact(number) == 0) return false;
    put_number("[", PyUnstable_Long_CompactValue(number), "]");
    return true;
  }
  if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_ASCII(key)) return false;
  const std::string_view text(static_cast<const char*>(PyUnicode_DATA(key)),
                              static_cast<size_t>(PyUnicode_GET_LENGTH(key)));
  if (PyUnicode_GET_LENGTH(key) > kMostCharacters) return false;
  auto is_letter = [](char one) {
    return one == '_' || (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z');
  };
  auto is_digit = [](char one) { return one >= '0' && one <= '9'; };
  if (!text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), [&](char one) {
        return is_letter(one) || is_digit(one);
      })) {
    put(".");
    put(text);
    return true;
  }
  if (!std::all_of(text.begin(), text.end(), [](char one) {
        return one >= ' ' && one <= '~' && one != '\'' && one != '\\';
      })) {
    return false;
  }
  put("['");
  put(text);
  put("']");
  return true;
}

RootPaths::RootPaths(const View& view, const std::byte* base) : view_(view), base_(base) {
  list_objects();
  list_actions();
  walk();
}

void RootPaths::list_objects() {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    // What is damaged is not listed further; a group that is prepared is not.
    Problem ignored;
    (void)for_each_object(view_, group, ignored, [this](uint64_t offset, const abi::Shape& shape) {
      nodes_.push_back({offset, kUnreached, 0, static_cast<uint8_t>(shape.id), 0, kNoAction});
      return true;
    });
  }
  std::sort(nodes_.begin(), nodes_.end(),
            [](const Node& a, const Node& b) { return a.offset < b.offset; });
}

void RootPaths::list_actions() {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    const auto slots = view_.table_part<uint32_t>(group, Kind::kActionSlots);
    size_t next = 0;
    for (const ActionEntry& action : view_.table_part<ActionEntry>(group, Kind::kActions)) {
      for (uint32_t i = 0; i < action.slot_count && next < slots.size(); ++i) {
        actions_.push_back({uint64_t{slots[next++]} * kSlotBytes, action.argument,
                            static_cast<Action>(action.action)});
      }
    }
  }
  std::sort(actions_.begin(), actions_.end(),
            [](const ActionSlot& a, const ActionSlot& b) { return a.slot < b.slot; });
}

void RootPaths::walk() {
  std::vector<uint32_t> queue;
  auto start = [&](uint64_t offset, uint32_t from, size_t index, ModulePart part) {
    reach(offset, {0, from, static_cast<uint32_t>(index), 0, static_cast<uint8_t>(part), kNoAction},
          queue);
  };
  for (size_t i = 0; i < view_.roots().size(); ++i) {
    start(view_.roots()[i].object, kRoot, i, ModulePart::kCode);
  }
  for (size_t i = 0; i < view_.modules().size(); ++i) {
    const ModuleEntry& module = view_.modules()[i];
    start(module.code, kModule, i, ModulePart::kCode);
    start(module.origin_object, kModule, i, ModulePart::kOrigin);
    start(module.cached_object, kModule, i, ModulePart::kCached);
  }
  for (size_t next = 0; next < queue.size(); ++next) follow(queue[next], queue);
}

// Notes how an object was reached, unless it was before.
void RootPaths::reach(uint64_t offset, const Node& how, std::vector<uint32_t>& queue) {
  const size_t index = index_of(offset);
  if (index == kNowhere || nodes_[index].parent != kUnreached) return;
  Node& node = nodes_[index];
  node.parent = how.parent;
  node.slot = how.slot;
  node.part = how.part;
  node.as = how.as;
  queue.push_back(static_cast<uint32_t>(index));
}

void RootPaths::follow(uint32_t parent, std::vector<uint32_t>& queue) {
  const uint64_t offset = nodes_[parent].offset;
  const abi::Shape& shape = *abi::shape(static_cast<abi::ShapeId>(nodes_[parent].shape));
  // Only read.
  auto* object = const_cast<std::byte*>(base_ + offset);
  abi::for_each_reference(shape, object, bytes_of(nodes_[parent]), [&](PyObject** slot) {
    const auto at = static_cast<uint32_t>(reinterpret_cast<std::byte*>(slot) - object);
    const auto target = reinterpret_cast<uint64_t>(*slot) - reinterpret_cast<uint64_t>(base_);
    if (target < view_.header().file_bytes) {
      return reach(target, {0, parent, at, 0, 0, kNoAction}, queue);
    }
    const auto action =
        std::lower_bound(actions_.begin(), actions_.end(), offset + at,
                         [](const ActionSlot& one, uint64_t wanted) { return one.slot < wanted; });
    if (action == actions_.end() || action->slot != offset + at) return;
    reach(action->argument, {0, parent, at, 0, 0, action->action}, queue);
  });
}

size_t RootPaths::index_of(uint64_t offset) const {
  const auto found =
      std::lower_bound(nodes_.begin(), nodes_.end(), offset,
                       [](const Node& node, uint64_t wanted) { return node.offset < wanted; });
  return found != nodes_.end() && found->offset == offset
             ? static_cast<size_t>(found - nodes_.begin())
             : kNowhere;
}

size_t RootPaths::bytes_of(const Node& node) const {
  const DirectoryEntry* segment = view_.segment_at(node.offset);
  return abi::shape(static_cast<abi::ShapeId>(node.shape))
      ->bytes(base_ + node.offset, segment->offset + segment->bytes - node.offset);
}

std::optional<ObjectPlace> RootPaths::object_at(uint64_t offset) const {
  auto after =
      std::upper_bound(nodes_.begin(), nodes_.end(), offset,
                       [](uint64_t wanted, const Node& node) { return wanted < node.offset; });
  auto place = [](const Node& node) {
    return ObjectPlace{node.offset, abi::shape(static_cast<abi::ShapeId>(node.shape))};
  };
  if (after != nodes_.end() && after->offset - offset <= place(*after).shape->prefix_bytes) {
    return place(*after);
  }
  if (after == nodes_.begin()) return std::nullopt;
  const Node& before = *std::prev(after);
  if (offset - before.offset >= bytes_of(before)) return std::nullopt;
  return place(before);
}

std::string RootPaths::path_to(uint64_t object) const {
  std::vector<size_t> way;
  for (size_t index = index_of(object); index != kNowhere;) {
    way.push_back(index);
    const uint32_t parent = nodes_[index].parent;
    if (parent == kUnreached) return "";
    index = parent == kRoot || parent == kModule ? kNowhere : parent;
  }
  if (way.empty()) return "";
  std::string path;
  auto put = [&path](std::string_view text) { path += text; };
  const Node& first = nodes_[way.back()];
  if (first.parent == kRoot) {
    put_root(view_, first.slot, put);
  } else {
    put_module(view_, first.slot, static_cast<ModulePart>(first.part), put);
  }
  for (size_t i = way.size() - 1; i-- > 0;) {
    const Node& node = nodes_[way[i]];
    const Node& parent = nodes_[node.parent];
    // What holds a root is no part of the path.
    if (parent.parent != kRoot) {
      path += StepText(*abi::shape(static_cast<abi::ShapeId>(parent.shape)), base_ + parent.offset,
                       node.slot, parent.as)
                  .text();
    }
    path += made_of(node.as);
  }
  return path;
}

}  // namespace tenure::image
