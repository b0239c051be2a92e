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

FieldPlace field_at(const abi::Shape& shape, int64_t at) {
  if (at < 0) return {"collector's head", -1, -int64_t{shape.prefix_bytes}, shape.prefix_bytes};
  for (const abi::Field& field : shape.fields) {
    if (at >= field.offset && at < field.offset + field.bytes) {
      return {field.name, -1, field.offset, field.bytes};
    }
  }
  const int64_t fixed = shape.fixed_bytes;
  if (shape.tail != abi::Tail::kReferences) return {"contents", -1, at, 1};
  const int64_t item = (at - fixed) / static_cast<int64_t>(sizeof(PyObject*));
  return {"item", item, fixed + item * static_cast<int64_t>(sizeof(PyObject*)), sizeof(PyObject*)};
}

StepText::StepText(const abi::Shape& shape, uint64_t at) {
  const FieldPlace field = field_at(shape, static_cast<int64_t>(at));
  if (field.item < 0) {
    text_[length_++] = '.';
    const size_t bytes = std::min(field.name.size(), text_.size() - length_);
    std::memcpy(&text_[length_], field.name.data(), bytes);
    length_ += bytes;
    return;
  }
  text_[length_++] = '[';
  char* end = std::to_chars(&text_[length_], text_.data() + text_.size() - 1, field.item).ptr;
  *end++ = ']';
  length_ = static_cast<size_t>(end - text_.data());
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
      nodes_.push_back({offset, kUnreached, 0, static_cast<uint8_t>(shape.id), 0, false});
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
        actions_.push_back({uint64_t{slots[next++]} * kSlotBytes, action.argument});
      }
    }
  }
  std::sort(actions_.begin(), actions_.end(),
            [](const ActionSlot& a, const ActionSlot& b) { return a.slot < b.slot; });
}

void RootPaths::walk() {
  std::vector<uint32_t> queue;
  auto start = [&](uint64_t offset, uint32_t from, size_t index, ModulePart part) {
    reach(offset, {0, from, static_cast<uint32_t>(index), 0, static_cast<uint8_t>(part), false},
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
  node.is_made_of = how.is_made_of;
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
      return reach(target, {0, parent, at, 0, 0, false}, queue);
    }
    const auto action =
        std::lower_bound(actions_.begin(), actions_.end(), offset + at,
                         [](const ActionSlot& one, uint64_t wanted) { return one.slot < wanted; });
    if (action == actions_.end() || action->slot != offset + at) return;
    reach(action->argument, {0, parent, at, 0, 0, true}, queue);
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
    path += StepText(*abi::shape(static_cast<abi::ShapeId>(parent.shape)), node.slot).text();
    if (node.is_made_of) path += kMadeOf;
  }
  return path;
}

}  // namespace tenure::image
