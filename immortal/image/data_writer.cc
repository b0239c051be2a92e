#include "tenure/immortal/image/data_writer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/strings.h"
#include "tenure/core/abi/utf8.h"
#include "tenure/immortal/graph/frozen_table.h"
#include "tenure/immortal/graph/portable_hash.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

constexpr size_t kNoLimit = ~size_t{0};
constexpr uint64_t kProgressStep = 65'536;

// What is in a cycle is equal to nothing else that ends, so any number will do.
constexpr int64_t kCycleHash = 0x7e1a'7e57;

// A stream of slots in ascending order, as the tables have them.
class SlotStream {
 public:
  void add(std::string& stream, uint32_t slot) {
    put_varint(stream, slot - last_);
    last_ = slot;
    ++count_;
  }
  uint64_t count() const { return count_; }

 private:
  uint32_t last_ = 0;
  uint64_t count_ = 0;
};

class DataWriter {
 public:
  DataWriter(const DataGraph& graph, Assembly& assembly)
      : graph_(graph),
        assembly_(assembly),
        external_(graph.externals().size()),
        rebuilt_slots_(graph.rebuilt().size()) {}

  bool write(Problem& problem);

 private:
  using Form = DataGraph::Form;
  using Ref = DataGraph::Ref;

  struct ExternalSlots {
    SlotStream slots;
    std::string stream;
  };

  void write_object(const DataGraph::Node& node);
  void write_leaf(const DataGraph::Node& node, uint64_t offset);
  void write_dict(const DataGraph::Node& node, uint64_t offset);
  void write_references(std::span<const Ref> refs, uint64_t offset);
  void write_type(uint64_t offset, abi::ShapeId shape);
  void add_internal(uint64_t at, uint64_t to);
  void add_external(uint64_t at, uint32_t external);
  void write_tables();
  bool tell_progress(Problem& problem);

  uint64_t offset_of(const DataGraph::Node& node) const {
    const auto kind = static_cast<Kind>(node.segment + kFirstSegmentKind);
    return assembly_.segment_offset(kind) + uint64_t{node.place} * abi::kObjectAlignment;
  }

  const DataGraph& graph_;
  Assembly& assembly_;
  SlotStream internal_;
  std::vector<ExternalSlots> external_;
  std::vector<std::vector<uint32_t>> rebuilt_slots_;
  uint64_t last_object_ = 0;
  uint64_t written_ = 0;
  std::vector<graph::KeyHash> hashes_;
};

bool DataWriter::write(Problem& problem) {
  if (!assembly_.place(graph_.segment_bytes(), problem)) return false;
  std::array<Assembly::Run, kSegments> runs{};
  for (size_t segment = 0; segment < kSegments; ++segment) {
    for (const uint32_t index : graph_.members(segment)) {
      write_object(graph_.node(index));
      if (++written_ % kProgressStep == 0 && !tell_progress(problem)) return false;
    }
    runs[segment].end = graph_.segment_bytes()[segment];
  }
  write_tables();
  assembly_.end_group(kCommonGroup, runs);
  for (const DataGraph::Root& root : graph_.roots()) {
    RootEntry entry{};
    entry.name = assembly_.text(root.name);
    entry.group = kCommonGroup;
    entry.object = offset_of(graph_.node(root.holder));
    assembly_.append(Kind::kRoots, entry);
  }
  assembly_.write_externals(graph_.externals());
  return true;
}

bool DataWriter::tell_progress(Problem& problem) {
  if (!graph_.options().progress) return true;
  uint64_t total = 0;
  for (size_t segment = 0; segment < kSegments; ++segment) total += graph_.members(segment).size();
  // The second half of the work.
  if (graph_.options().progress(total + written_, 2 * total)) return true;
  return problem.refuse_with_python_error("image");
}

void DataWriter::write_object(const DataGraph::Node& node) {
  const uint64_t offset = offset_of(node);
  abi::ShapeId id = abi::ShapeId::kTuple;
  if (node.form == Form::kLeaf) {
    id = abi::shape_of(node.object)->id;
  } else if (node.form == Form::kDict) {
    id = abi::ShapeId::kFrozenDict;
  }
  std::string& objects = assembly_.table(Kind::kObjects);
  put_varint(objects, (offset - last_object_) / abi::kObjectAlignment);
  objects.push_back(static_cast<char>(id));
  last_object_ = offset;
  write_type(offset, id);
  if (node.form == Form::kLeaf) {
    write_leaf(node, offset);
  } else if (node.form == Form::kDict) {
    write_dict(node, offset);
  } else {
    const abi::Shape& shape = *abi::shape(id);
    const auto refs = graph_.edges(node);
    abi::write_blank(shape, assembly_.at(offset), static_cast<Py_ssize_t>(refs.size()));
    write_references(refs, offset + shape.fixed_bytes);
  }
  if (node.in_cycle) {
    const auto size = static_cast<int64_t>(graph_.edges(node).size());
    abi::write_hash(*abi::shape(id), assembly_.at(offset), kCycleHash + size);
  }
}

void DataWriter::write_leaf(const DataGraph::Node& node, uint64_t offset) {
  const abi::Shape& shape = *abi::shape_of(node.object);
  const size_t bytes = shape.bytes(node.object, kNoLimit);
  std::byte* copy = assembly_.at(offset);
  abi::copy_unused(shape, node.object, copy, bytes);
  if (shape.id != abi::ShapeId::kStrCompact) return;
  const size_t utf8 = abi::utf8_bytes(node.object);
  if (utf8 == 0) return;
  abi::write_utf8(node.object, reinterpret_cast<char*>(copy) + bytes);
  abi::set_utf8_bytes(copy, utf8);
  add_internal(offset + abi::kUtf8Offset, offset + bytes);
}

void DataWriter::write_dict(const DataGraph::Node& node, uint64_t offset) {
  const abi::Shape& shape = *abi::shape(abi::ShapeId::kFrozenDict);
  const auto refs = graph_.edges(node);
  const size_t size = refs.size() / 2;
  std::byte* copy = assembly_.at(offset);
  abi::write_blank(shape, copy, static_cast<Py_ssize_t>(size));
  hashes_.clear();
  for (size_t i = 0; i < size; ++i) {
    hashes_.push_back(graph::key_hash(graph_.object(graph_.settled(refs[2 * i]))));
  }
  auto* dict = reinterpret_cast<abi::FrozenDictObject*>(copy);
  dict->index_bits = abi::frozen_index_bits(size);
  dict->flags = graph::lay_out_index(hashes_, abi::index_of(dict));
  write_references(refs, offset + shape.fixed_bytes);
}

void DataWriter::write_references(std::span<const Ref> refs, uint64_t offset) {
  for (const Ref unsettled : refs) {
    const Ref ref = graph_.settled(unsettled);
    if ((ref & DataGraph::kExternalRef) != 0) {
      add_external(offset, ref & ~DataGraph::kExternalRef);
    } else if (const DataGraph::Node& to = graph_.node(ref); to.form == Form::kRebuilt) {
      // None holds the place until the action is run.
      add_external(offset, graph_.none());
      rebuilt_slots_[to.place].push_back(static_cast<uint32_t>(offset / kSlotBytes));
    } else {
      add_internal(offset, offset_of(to));
    }
    offset += sizeof(PyObject*);
  }
}

void DataWriter::write_type(uint64_t offset, abi::ShapeId shape) {
  add_external(offset + abi::kTypeOffset, graph_.type_external(shape));
}

void DataWriter::add_internal(uint64_t at, uint64_t to) {
  const auto number = static_cast<uint32_t>(at / kSlotBytes);
  assembly_.slot(number) = to;
  internal_.add(assembly_.table(Kind::kInternalSlots), number);
}

void DataWriter::add_external(uint64_t at, uint32_t external) {
  const auto number = static_cast<uint32_t>(at / kSlotBytes);
  assembly_.slot(number) = external;
  external_[external].slots.add(external_[external].stream, number);
}

void DataWriter::write_tables() {
  for (size_t i = 0; i < external_.size(); ++i) {
    ExternalSlots& external = external_[i];
    if (external.slots.count() == 0) continue;
    std::string& table = assembly_.table(Kind::kExternalSlots);
    put_varint(table, i);
    put_varint(table, external.slots.count());
    table += external.stream;
    external.stream = std::string();
  }
  for (size_t i = 0; i < rebuilt_slots_.size(); ++i) {
    const DataGraph::Rebuilt& rebuilt = graph_.rebuilt()[i];
    const std::vector<uint32_t>& slots = rebuilt_slots_[i];
    assembly_.append(
        Kind::kActions,
        ActionEntry{static_cast<uint16_t>(rebuilt.action), 0, static_cast<uint32_t>(slots.size()),
                    offset_of(graph_.node(graph_.settled(rebuilt.argument)))});
    for (const uint32_t slot : slots) assembly_.append(Kind::kActionSlots, slot);
  }
}

}  // namespace

bool write_data(const DataGraph& graph, Assembly& assembly, Problem& problem) {
  return DataWriter(graph, assembly).write(problem);
}

}  // namespace tenure::image
