#include "tenure/immortal/linked/assembler.h"

#include <dlfcn.h>

#include <cstddef>
#include <vector>

#include "tenure/immortal/image/externals.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::linked {
namespace {

using image::ExternalEntry;
using image::Header;
using image::Kind;
using image::Problem;
using image::StreamReader;
using image::View;

// As GNU as reads a string.
std::string quoted(const std::string& path) {
  std::string text = "\"";
  for (const char c : path) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

class Writer {
 public:
  Writer(const View& view, const Section& section, std::string& source)
      : view_(view), begin_(section.symbol + "_begin"), source_(source) {}

  bool write(Problem& problem) {
    relocate(offsetof(Header, preferred_base), begin_, 0);
    return name_externals(problem) && write_internal_slots(problem) &&
           write_external_slots(problem);
  }

 private:
  // "symbol+offset" of each external; empty for what is where the file says in every process.
  bool name_externals(Problem& problem) {
    const auto* table = view_.externals().data();
    for (size_t i = 0; i < view_.externals().size(); ++i) {
      const ExternalEntry& external = table[i];
      targets_.emplace_back();
      if ((external.flags & image::kOwn) != 0) continue;
      const std::string where = "external " + std::to_string(i);
      const PyObject* object = image::follow_path(view_.program(external), where, problem);
      if (object == nullptr) return false;
      Dl_info info{};
      if (dladdr(object, &info) == 0 || info.dli_sname == nullptr) {
        return problem.refuse(where,
                              "lies in no symbol that the interpreter exports, so no linker can "
                              "find it; link the graph for any address instead");
      }
      const auto address = reinterpret_cast<uint64_t>(object);
      const uint64_t offset = address - reinterpret_cast<uint64_t>(info.dli_saddr);
      targets_.back() = std::string(info.dli_sname) + '+' + std::to_string(offset);
      const auto* entry = reinterpret_cast<const std::byte*>(&external);
      const auto at = static_cast<uint64_t>(entry - view_.bytes(0, 0).data());
      relocate(at + offsetof(ExternalEntry, address), targets_.back(), 0);
    }
    return true;
  }

  bool write_internal_slots(Problem& problem) {
    const uint64_t base = view_.header().preferred_base;
    StreamReader in(view_.part(image::kCommonGroup, Kind::kInternalSlots));
    uint64_t slot = 0;
    while (!in.at_end()) {
      slot += in.varint();
      const uint64_t at = slot * image::kSlotBytes;
      if (in.failed() || !view_.in_segment(at, image::kSlotBytes)) {
        return problem.refuse("internal slots", "lead out of the image");
      }
      const auto bytes = view_.bytes(at, image::kSlotBytes);
      relocate(at, begin_, *reinterpret_cast<const uint64_t*>(bytes.data()) - base);
    }
    return true;
  }

  bool write_external_slots(Problem& problem) {
    StreamReader in(view_.part(image::kCommonGroup, Kind::kExternalSlots));
    while (!in.at_end()) {
      const uint64_t external = in.varint();
      const uint64_t count = in.varint();
      if (in.failed() || external >= targets_.size()) {
        return problem.refuse("external slots", "name an external that does not exist");
      }
      uint64_t slot = 0;
      for (uint64_t i = 0; i < count; ++i) {
        slot += in.varint();
        const uint64_t at = slot * image::kSlotBytes;
        if (in.failed() || !view_.in_segment(at, image::kSlotBytes)) {
          return problem.refuse("external slots", "lead out of the image");
        }
        if (!targets_[external].empty()) relocate(at, targets_[external], 0);
      }
    }
    return true;
  }

  void relocate(uint64_t at, const std::string& target, uint64_t addend) {
    source_ += " .reloc " + begin_ + '+' + std::to_string(at) + ",R_X86_64_64," + target;
    if (addend != 0) source_ += '+' + std::to_string(addend);
    source_ += '\n';
  }

  const View& view_;
  const std::string begin_;
  std::string& source_;
  std::vector<std::string> targets_;
};

}  // namespace

bool write_source(const View& view, const Section& section, Link link, std::string& source,
                  Problem& problem) {
  if (!view.modules().empty()) {
    return problem.refuse("image", "holds modules, and only data can be linked in");
  }
  const std::string begin = section.symbol + "_begin";
  const std::string end = section.symbol + "_end";
  source += " .section " + quoted(section.name) + ",\"a\",@progbits\n .p2align 12\n";
  for (const std::string& symbol : {begin, end}) {
    source.append(" .globl ").append(symbol).append("\n .hidden ").append(symbol).append("\n");
  }
  source += " .type " + begin + ",@object\n .size " + begin + "," +
            std::to_string(view.header().file_bytes) + '\n';
  source += begin + ":\n .incbin " + quoted(section.path) + '\n' + end + ":\n";
  const bool is_fixed = link == Link::kFixed && view.entry(Kind::kActions) == nullptr;
  if (is_fixed && !Writer(view, section, source).write(problem)) return false;
  source += " .section .note.GNU-stack,\"\",@progbits\n";
  return true;
}

}  // namespace tenure::linked
