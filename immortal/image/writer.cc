#include "tenure/immortal/image/writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/checksum.h"
#include "tenure/immortal/image/placement.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

// Between what position-dependent executables, sanitizers' shadows and heaps use below, and where
// position-independent executables, libraries and stacks live above.
constexpr uint64_t kBasesBegin = 0x1100'0000'0000;
constexpr uint64_t kBasesEnd = 0x5000'0000'0000;
constexpr uint64_t kBaseStep = uint64_t{1} << 21;

// Slots and strings are numbered in 32 bits.
constexpr uint64_t kMaxFileBytes = uint64_t{std::numeric_limits<uint32_t>::max()} * kSlotBytes;

constexpr size_t kFirstTable = static_cast<size_t>(Kind::kText);
constexpr size_t kTableEnd = static_cast<size_t>(Kind::kObjects) + 1;

uint64_t round_up(uint64_t bytes, uint64_t step) { return (bytes + step - 1) / step * step; }

template <typename Entry>
void append(std::string& table, const Entry& entry) {
  table.append(reinterpret_cast<const char*>(&entry), sizeof entry);
}

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
  explicit Writer(const Graph& graph) : graph_(graph), placement_(graph) {}

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

  void place_segments();
  void write_object(uint32_t index, Slots& slots);
  void write_group_tables(uint32_t group);
  void write_names();
  void choose_identity();
  void link();
  void write_file(std::vector<std::byte>& file);
  void describe_binding(Binding& binding) const;

  TextRef text(const std::string& text);
  std::string& table(Kind kind) { return tables_[static_cast<size_t>(kind)]; }
  uint64_t segment_offset(size_t segment) const { return segment_offsets_[segment]; }
  uint64_t offset_of(uint32_t node) const {
    const size_t segment = static_cast<size_t>(graph_.nodes()[node].segment) - kFirstSegmentKind;
    return segment_offsets_[segment] + placement_.offsets[node];
  }
  std::byte* at(uint64_t offset) { return segments_.data() + (offset - kPageBytes); }
  uint64_t& slot(uint32_t number) {
    return *reinterpret_cast<uint64_t*>(at(uint64_t{number} * kSlotBytes));
  }

  const Graph& graph_;
  const Placement placement_;
  std::array<uint64_t, Placement::kSegments> segment_offsets_{};
  std::vector<std::byte> segments_;  // the file from its second page to the end of the segments
  std::vector<Slots> slots_;         // by group
  std::vector<uint64_t> code_;       // offsets of code objects, ascending by group and place
  std::array<std::string, kTableEnd> tables_;
  std::vector<std::vector<ExtentEntry>> extents_;  // by group; of tables: from the table's start
  uint64_t content_id_[2] = {};
  uint64_t base_ = 0;
  uint32_t first_code_version_ = 0;
};

bool Writer::write(std::vector<std::byte>& file, Problem& problem) {
  place_segments();
  if (segments_.size() > kMaxFileBytes) {
    return problem.refuse("image", "is too large: " + std::to_string(segments_.size()) +
                                       " bytes of objects; freeze less into it");
  }
  slots_.resize(graph_.group_count());
  for (uint32_t group = 0; group < graph_.group_count(); ++group) {
    for (uint32_t node : placement_.nodes_by_group[group]) write_object(node, slots_[group]);
  }
  extents_.resize(graph_.group_count());
  for (uint32_t group = 0; group < graph_.group_count(); ++group) write_group_tables(group);
  write_names();
  choose_identity();
  link();
  write_file(file);
  return true;
}

void Writer::place_segments() {
  uint64_t next = kPageBytes;
  for (size_t segment = 0; segment < Placement::kSegments; ++segment) {
    segment_offsets_[segment] = next;
    next = round_up(next + placement_.segment_bytes[segment], kPageBytes);
  }
  segments_.resize(next - kPageBytes);
}

// Pointers are written as if the image were mapped at 0, and externals as their index: what is in
// the segments then depends on nothing but the graph, and names it.
void Writer::write_object(uint32_t index, Slots& slots) {
  const Node& node = graph_.nodes()[index];
  const uint64_t offset = offset_of(index);
  std::byte* copy = at(offset);
  abi::copy_unused(*node.shape, node.object, copy, node.bytes);
  if (node.shape->id == abi::ShapeId::kCode) code_.push_back(offset);
  auto number = [&](const void* pointer) {
    const auto distance = static_cast<uint64_t>(static_cast<const std::byte*>(pointer) - copy);
    return static_cast<uint32_t>((offset + distance) / kSlotBytes);
  };
  auto write_external = [&](uint32_t slot_number, uint32_t external) {
    slot(slot_number) = external;
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
        slot(slot_number) = to;
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

void Writer::write_group_tables(uint32_t group) {
  Slots& slots = slots_[group];
  std::array<uint64_t, kTableEnd> begins{};
  for (size_t i = kFirstTable; i < kTableEnd; ++i) begins[i] = tables_[i].size();

  for (const Graph::Module& module : graph_.modules()) {
    if (module.group != group) continue;
    // No slot names them, but debug interpreters want every string interned.
    for (uint32_t node : {module.origin, module.cached}) {
      if (node != Graph::kNone) slots.labels[static_cast<uint32_t>(offset_of(node) / kSlotBytes)];
    }
  }
  auto write_uses = [this](const auto& strings, uint32_t flag) {
    for (const auto& [string, named_by] : strings) {
      append(table(Kind::kStringUses),
             StringUse{string, static_cast<uint32_t>(named_by.size()) | flag});
      append_slots(table(Kind::kStringSlots), named_by);
    }
  };
  write_uses(slots.names, kIdentifier);
  write_uses(slots.labels, 0);
  for (const auto& [index, named_by] : slots.rebuilt) {
    const Rebuilt& rebuilt = graph_.rebuilt()[index];
    append(table(Kind::kActions),
           ActionEntry{static_cast<uint16_t>(rebuilt.action), 0,
                       static_cast<uint32_t>(named_by.size()), offset_of(rebuilt.argument)});
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

  for (auto kind = static_cast<uint32_t>(Kind::kActions); kind < kTableEnd; ++kind) {
    const uint64_t bytes = tables_[kind].size() - begins[kind];
    if (bytes != 0) extents_[group].push_back({kind, 0, begins[kind], bytes, 0});
  }
  for (size_t segment = 0; segment < Placement::kSegments; ++segment) {
    const Placement::Run& run = placement_.runs[group][segment];
    if (run.begin == run.end) continue;
    extents_[group].push_back({static_cast<uint32_t>(segment + kFirstSegmentKind), 0,
                               segment_offsets_[segment] + run.begin, run.end - run.begin, 0});
  }
}

TextRef Writer::text(const std::string& text) {
  std::string& all = table(Kind::kText);
  const TextRef ref{static_cast<uint32_t>(all.size()), static_cast<uint32_t>(text.size())};
  all += text;
  return ref;
}

void Writer::write_names() {
  std::vector<const Graph::Module*> modules;
  for (const Graph::Module& module : graph_.modules()) modules.push_back(&module);
  std::sort(modules.begin(), modules.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const Graph::Module* module : modules) {
    ModuleEntry entry{};
    entry.name = text(module->name);
    const Strong origin =
        PyUnicode_AsEncodedString(graph_.nodes()[module->origin].object, "utf-8", "surrogatepass");
    if (!origin) PyErr_Clear();
    entry.origin = text(origin ? std::string(PyBytes_AS_STRING(origin.get()),
                                             static_cast<size_t>(PyBytes_GET_SIZE(origin.get())))
                               : "");
    entry.flags = module->is_package ? kPackage : 0u;
    entry.group = module->group;
    entry.code = offset_of(module->code);
    entry.origin_object = offset_of(module->origin);
    entry.cached_object = module->cached == Graph::kNone ? 0 : offset_of(module->cached);
    entry.source_bytes = module->source_bytes;
    entry.source_checksum = module->source_checksum;
    append(table(Kind::kModules), entry);
  }
  for (const External& external : graph_.externals()) {
    ExternalEntry entry{};
    entry.program = static_cast<uint32_t>(table(Kind::kPrograms).size());
    entry.program_bytes = static_cast<uint32_t>(external.program.size());
    entry.flags = external.fixed ? kFixed : 0u;
    entry.address = external.fixed ? reinterpret_cast<uint64_t>(external.object) : 0;
    table(Kind::kPrograms) += external.program;
    append(table(Kind::kExternals), entry);
  }
}

// The address and the code versions follow from the content, so that freezing twice gives the same
// bytes and two images seldom want the same place.
void Writer::choose_identity() {
  content_id_[0] = checksum(segments_);
  std::string names = table(Kind::kText) + table(Kind::kModules) + table(Kind::kPrograms);
  append(names, content_id_[0]);
  content_id_[1] = checksum(std::as_bytes(std::span(names)));
  const uint64_t places = (kBasesEnd - kBasesBegin - segments_.size()) / kBaseStep / 2;
  base_ = kBasesBegin + content_id_[1] % places * kBaseStep;
  const uint64_t versions = (uint64_t{1} << 32) - abi::kFirstImageVersion - code_.size();
  first_code_version_ =
      abi::kFirstImageVersion + static_cast<uint32_t>((content_id_[1] >> 20) % versions);
}

// Makes every pointer right for the base address and for this interpreter.
void Writer::link() {
  for (const Slots& slots : slots_) {
    for (uint32_t number : slots.internal) slot(number) += base_;
    for (const auto& [index, numbers] : slots.external) {
      const External& external = graph_.externals()[index];
      const uint64_t address = external.fixed ? reinterpret_cast<uint64_t>(external.object) : 0;
      for (uint32_t number : numbers) slot(number) = address;
    }
  }
  uint32_t version = first_code_version_;
  for (uint64_t code : code_) abi::set_code_version(at(code), version++);
}

void Writer::describe_binding(Binding& binding) const {
  const abi::Identity& self = abi::identity();
  binding.python_version = self.python_version;
  binding.bytecode_magic = self.bytecode_magic;
  binding.free_threaded = self.free_threaded;
  binding.debug = self.debug;
  binding.optimization = self.optimization;
  binding.layout_fingerprint = self.layout_fingerprint;
  binding.load_bias = self.load_bias;
  binding.witness = self.witness;
  binding.build_id_bytes = self.build_id_bytes;
  std::memcpy(binding.build_id, self.build_id.data(), self.build_id.size());
}

void Writer::write_file(std::vector<std::byte>& file) {
  // Where each table goes: behind the segments, those without extents last, because the extent
  // table holds checksums of what comes before it.
  std::array<uint64_t, kTableEnd> offsets{};
  uint64_t next = kPageBytes + segments_.size();
  const uint64_t extent_count = [this] {
    uint64_t count = 0;
    for (const auto& group : extents_) count += group.size();
    return count;
  }();
  table(Kind::kExtents).resize(extent_count * sizeof(ExtentEntry));
  table(Kind::kGroups).resize(extents_.size() * sizeof(GroupEntry));
  for (size_t kind = kFirstTable; kind < kTableEnd; ++kind) {
    offsets[kind] = next;
    next = round_up(next + tables_[kind].size(), alignof(uint64_t) * 2);
  }
  file.assign(round_up(next, kPageBytes), std::byte{0});
  std::copy(segments_.begin(), segments_.end(), file.begin() + kPageBytes);

  std::string extents;
  std::string groups;
  uint32_t first_extent = 0;
  for (size_t kind = static_cast<size_t>(Kind::kActions); kind < kTableEnd; ++kind) {
    std::memcpy(file.data() + offsets[kind], tables_[kind].data(), tables_[kind].size());
  }
  for (auto& group : extents_) {
    append(groups, GroupEntry{first_extent, static_cast<uint32_t>(group.size())});
    first_extent += static_cast<uint32_t>(group.size());
    for (ExtentEntry& extent : group) {
      if (extent.kind < kFirstSegmentKind) extent.offset += offsets[extent.kind];
      extent.checksum = checksum(std::span(file).subspan(extent.offset, extent.bytes));
      append(extents, extent);
    }
  }
  table(Kind::kExtents) = std::move(extents);
  table(Kind::kGroups) = std::move(groups);

  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.format_version = kFormatVersion;
  header.header_bytes = sizeof(Header);
  header.file_bytes = file.size();
  header.preferred_base = base_;
  std::memcpy(header.content_id, content_id_, sizeof content_id_);
  header.first_code_version = first_code_version_;
  header.code_version_count = static_cast<uint32_t>(code_.size());
  describe_binding(header.binding);

  std::vector<DirectoryEntry> directory;
  for (size_t kind = kFirstTable; kind < kTableEnd; ++kind) {
    if (tables_[kind].empty()) continue;
    std::memcpy(file.data() + offsets[kind], tables_[kind].data(), tables_[kind].size());
    const bool bulk = static_cast<Kind>(kind) >= Kind::kActions;
    directory.push_back({static_cast<uint32_t>(kind), kMustUnderstand | (bulk ? kBulk : 0u),
                         offsets[kind], tables_[kind].size(),
                         bulk ? 0 : checksum(std::as_bytes(std::span(tables_[kind])))});
  }
  for (size_t segment = 0; segment < Placement::kSegments; ++segment) {
    if (placement_.segment_bytes[segment] == 0) continue;
    directory.push_back({static_cast<uint32_t>(segment + kFirstSegmentKind),
                         kMustUnderstand | kBulk, segment_offsets_[segment],
                         placement_.segment_bytes[segment], 0});
  }
  header.directory_count = static_cast<uint32_t>(directory.size());
  std::memcpy(file.data() + sizeof header, directory.data(),
              directory.size() * sizeof(DirectoryEntry));
  std::memcpy(file.data(), &header, sizeof header);
  header.header_checksum = checksum(std::span(file).first(kPageBytes));
  std::memcpy(file.data(), &header, sizeof header);
}

}  // namespace

bool write_image(const Graph& graph, std::vector<std::byte>& file, Problem& problem) {
  return Writer(graph).write(file, problem);
}

}  // namespace tenure::image
