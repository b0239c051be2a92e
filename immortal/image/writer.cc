#include "tenure/immortal/image/writer.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "tenure/core/strong.h"
#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/placement.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

void append_slots(std::string& table, const std::vector<uint32_t>& slots) {
  table.append(reinterpret_cast<const char*>(slots.data()), slots.size() * sizeof(uint32_t));
}

void put_slots(std::string& stream, const std::vector<uint32_t>& slots) {
  uint32_t last = 0;
  for (uint32_t slot : slots) {
    put_varint(stream, slot - last);
    last = slot;
  }
}

class Writer {
 public:
  explicit Writer(const Graph& graph)
      : graph_(graph), placement_(graph), assembly_(graph.group_count()) {}

  bool write(std::vector<std::byte>& file, Problem& problem);

 private:
  // The slots of one group by what they lead to, each list in ascending order.
  struct Slots {
    std::vector<uint32_t> internal;
    std::map<uint32_t, std::vector<uint32_t>> external;  // by index of the external
    std::map<uint32_t, std::vector<uint32_t>> names;     // by slot number of the str
    std::map<uint32_t, std::vector<uint32_t>> labels;    // the same, where nothing is looked up
    std::map<uint32_t, std::vector<uint32_t>> rebuilt;   // by index of the rebuilt
  };

  void write_object(uint32_t index, Slots& slots);
  void write_group_tables(uint32_t group, Slots& slots);
  void write_modules();

  std::string& table(Kind kind) { return assembly_.table(kind); }
  uint64_t offset_of(uint32_t node) const {
    return assembly_.segment_offset(graph_.nodes()[node].segment) + placement_.offsets[node];
  }

  const Graph& graph_;
  const Placement placement_;
  Assembly assembly_;
};

bool Writer::write(std::vector<std::byte>& file, Problem& problem) {
  if (!assembly_.place(placement_.segment_bytes, problem)) return false;
  for (uint32_t group = 0; group < graph_.group_count(); ++group) {
    Slots slots;
    for (uint32_t node : placement_.nodes_by_group[group]) write_object(node, slots);
    write_group_tables(group, slots);
    assembly_.end_group(group, placement_.runs[group]);
  }
  write_modules();
  assembly_.write_externals(graph_.externals());
  assembly_.finish({});
  file.clear();
  file.reserve(assembly_.file_bytes());
  for (const auto& piece : assembly_.pieces()) file.insert(file.end(), piece.begin(), piece.end());
  return true;
}

void Writer::write_object(uint32_t index, Slots& slots) {
  const Node& node = graph_.nodes()[index];
  const uint64_t offset = offset_of(index);
  std::byte* copy = assembly_.at(offset);
  abi::copy_unused(*node.shape, node.object, copy, node.bytes);
  if (node.shape->id == abi::ShapeId::kCode) assembly_.add_code(offset);
  auto number = [&](const void* pointer) {
    const auto distance = static_cast<uint64_t>(static_cast<const std::byte*>(pointer) - copy);
    return static_cast<uint32_t>((offset + distance) / kSlotBytes);
  };
  auto write_external = [&](uint32_t slot_number, uint32_t external) {
    assembly_.slot(slot_number) = external;
    slots.external[external].push_back(slot_number);
  };
  write_external(number(copy + abi::kTypeOffset), graph_.type_external(*node.shape));
  uint32_t edge = node.first_edge;
  abi::for_each_reference(*node.shape, copy, node.bytes, [&](PyObject** reference) {
    const bool named = graph_.is_named(edge);
    const Target target = graph_.edges()[edge++];
    const uint32_t slot_number = number(reference);
    switch (target.kind) {
      case Target::Kind::kNull:
        break;
      case Target::Kind::kExternal:
        write_external(slot_number, target.index);
        break;
      case Target::Kind::kRebuilt:
        // None holds the place until the action is run.
        write_external(slot_number, graph_.none());
        slots.rebuilt[target.index].push_back(slot_number);
        break;
      case Target::Kind::kNode: {
        const uint64_t to = offset_of(target.index);
        assembly_.slot(slot_number) = to;
        slots.internal.push_back(slot_number);
        const Node& other = graph_.nodes()[target.index];
        const auto string = static_cast<uint32_t>(to / kSlotBytes);
        if (other.segment == Kind::kStringSegment && named) {
          slots.names[string].push_back(slot_number);
        } else if (other.segment == Kind::kStringSegment || other.segment == Kind::kTextSegment) {
          slots.labels[string].push_back(slot_number);
        }
        break;
      }
    }
  });
}

void Writer::write_group_tables(uint32_t group, Slots& slots) {
  for (const Graph::Module& module : graph_.modules()) {
    if (module.group != group) continue;
    // No slot names them, but debug interpreters want every string interned.
    for (uint32_t node : {module.origin, module.cached}) {
      if (node != Graph::kNone) slots.labels[static_cast<uint32_t>(offset_of(node) / kSlotBytes)];
    }
  }
  auto write_uses = [this](const auto& strings, uint32_t flag) {
    for (const auto& [string, named_by] : strings) {
      assembly_.append(Kind::kStringUses,
                       StringUse{string, static_cast<uint32_t>(named_by.size()) | flag});
      append_slots(table(Kind::kStringSlots), named_by);
    }
  };
  write_uses(slots.names, kIdentifier);
  write_uses(slots.labels, 0);
  for (const auto& [index, named_by] : slots.rebuilt) {
    const Rebuilt& rebuilt = graph_.rebuilt()[index];
    assembly_.append(Kind::kActions, ActionEntry{static_cast<uint16_t>(rebuilt.action), 0,
                                                 static_cast<uint32_t>(named_by.size()),
                                                 offset_of(rebuilt.argument)});
    append_slots(table(Kind::kActionSlots), named_by);
  }
  put_slots(table(Kind::kInternalSlots), slots.internal);
  for (const auto& [external, named_by] : slots.external) {
    put_varint(table(Kind::kExternalSlots), external);
    put_varint(table(Kind::kExternalSlots), named_by.size());
    put_slots(table(Kind::kExternalSlots), named_by);
  }
  uint64_t last = 0;
  for (uint32_t node : placement_.nodes_by_group[group]) {
    const uint64_t offset = offset_of(node);
    put_varint(table(Kind::kObjects), (offset - last) / abi::kObjectAlignment);
    table(Kind::kObjects).push_back(static_cast<char>(graph_.nodes()[node].shape->id));
    last = offset;
  }
}

void Writer::write_modules() {
  std::vector<const Graph::Module*> modules;
  for (const Graph::Module& module : graph_.modules()) modules.push_back(&module);
  std::sort(modules.begin(), modules.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const Graph::Module* module : modules) {
    ModuleEntry entry{};
    entry.name = assembly_.text(module->name);
    const Strong origin =
        PyUnicode_AsEncodedString(graph_.nodes()[module->origin].object, "utf-8", "surrogatepass");
    if (!origin) PyErr_Clear();
    entry.origin =
        assembly_.text(origin ? std::string(PyBytes_AS_STRING(origin.get()),
                                            static_cast<size_t>(PyBytes_GET_SIZE(origin.get())))
                              : "");
    entry.flags = module->is_package ? kPackage : 0u;
    entry.group = module->group;
    entry.code = offset_of(module->code);
    entry.origin_object = offset_of(module->origin);
    entry.cached_object = module->cached == Graph::kNone ? 0 : offset_of(module->cached);
    entry.source_bytes = module->source_bytes;
    entry.source_checksum = module->source_checksum;
    assembly_.append(Kind::kModules, entry);
  }
}

}  // namespace

bool write_image(const Graph& graph, std::vector<std::byte>& file, Problem& problem) {
  return Writer(graph).write(file, problem);
}

}  // namespace tenure::image
