#include "tenure/immortal/image/verify.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tenure/core/abi/check.h"
#include "tenure/core/abi/code.h"
#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/strings.h"
#include "tenure/core/abi/utf8.h"
#include "tenure/immortal/graph/frozen_table.h"
#include "tenure/immortal/image/objects.h"

namespace tenure::image {
namespace {

class Verifier {
 public:
  Verifier(Image& image, Verified& verified, Problem& problem)
      : image_(image), view_(image.view()), verified_(verified), problem_(problem) {}

  bool run();

 private:
  bool list(uint32_t group);
  bool check(uint32_t group, uint64_t offset, const abi::Shape& shape);
  bool check_code(uint32_t group, uint64_t offset, const abi::Shape& shape);
  bool check_references(uint32_t group, uint64_t offset, const abi::Shape& shape, size_t bytes);
  bool check_index(uint32_t group, uint64_t offset, const abi::Shape& shape);
  bool check_utf8(uint32_t group, uint64_t offset, const abi::Shape& shape, size_t bytes);
  bool check_version(uint32_t group, uint64_t offset);
  bool may_be_named(PyObject* object) const;

  uint64_t space_after(uint64_t offset) const;
  bool refuse(uint32_t group, uint64_t offset, const std::string& what);

  Image& image_;
  const View& view_;
  Verified& verified_;
  Problem& problem_;
  std::unordered_map<uint64_t, const abi::Shape*> objects_;  // by offset
  std::unordered_set<uint64_t> outside_;                     // addresses slots may name
  std::unordered_set<uint32_t> versions_;
};

bool Verifier::run() {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    // Preparing writes to the segments, and the checksums are of what is in the file.
    const auto parts = image_.is_prepared(group) ? View::Parts::kTables : View::Parts::kAll;
    if (!view_.check_group(group, parts, problem_)) return false;
  }
  if (!image_.prepare_all(problem_)) return false;
  for (size_t i = 0; i < view_.externals().size(); ++i) outside_.insert(image_.external_address(i));
  for (PyObject* object : image_.substitutes()) {
    outside_.insert(reinterpret_cast<uint64_t>(object));
  }
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    if (!list(group)) return false;
  }
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    const bool good = for_each_object(
        view_, group, problem_,
        [&](uint64_t offset, const abi::Shape& shape) { return check(group, offset, shape); });
    if (!good) return false;
  }
  for (const RootEntry& root : view_.roots()) {
    const auto holder = objects_.find(root.object);
    if (holder == objects_.end() || image_.root(root) == nullptr) {
      return refuse(root.group, root.object, "does not hold a root");
    }
  }
  // Code says of what type its parts are, and keys are hashed, so those have to be objects, and
  // whole, before.
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    const bool good =
        for_each_object(view_, group, problem_, [&](uint64_t offset, const abi::Shape& shape) {
          return check_code(group, offset, shape) && check_index(group, offset, shape);
        });
    if (!good) return false;
  }
  for (const ModuleEntry& module : view_.modules()) {
    const auto code = objects_.find(module.code);
    if (code == objects_.end() || code->second->id != abi::ShapeId::kCode) {
      return refuse(module.group, module.code, "is not the code of a module");
    }
  }
  return true;
}

bool Verifier::list(uint32_t group) {
  return for_each_object(view_, group, problem_, [&](uint64_t offset, const abi::Shape& shape) {
    if (!objects_.emplace(offset, &shape).second) {
      return refuse(group, offset, "is listed twice");
    }
    return true;
  });
}

bool Verifier::check(uint32_t group, uint64_t offset, const abi::Shape& shape) {
  PyObject* object = image_.object(offset);
  const uint64_t limit = space_after(offset);
  const size_t bytes = shape.bytes(object, limit);
  // Without bytes, the fault of code is found before its parts are looked at.
  if (shape.id != abi::ShapeId::kCode || bytes == 0) {
    const char* fault = abi::find_fault(shape, object, limit);
    if (fault != nullptr) return refuse(group, offset, fault);
  }
  ++verified_.objects;
  verified_.bytes += bytes + shape.prefix_bytes;
  return check_utf8(group, offset, shape, bytes) && check_references(group, offset, shape, bytes);
}

bool Verifier::check_code(uint32_t group, uint64_t offset, const abi::Shape& shape) {
  if (shape.id != abi::ShapeId::kCode) return true;
  const char* fault = abi::find_fault(shape, image_.object(offset), space_after(offset));
  if (fault != nullptr) return refuse(group, offset, fault);
  return check_version(group, offset);
}

// An index is right if it is the one that its keys give.
bool Verifier::check_index(uint32_t group, uint64_t offset, const abi::Shape& shape) {
  if (shape.id != abi::ShapeId::kFrozenDict) return true;
  abi::FrozenDictObject* dict = abi::as_frozen_dict(image_.object(offset));
  std::vector<graph::KeyHash> keys;
  keys.reserve(abi::entry_count(dict));
  for (size_t i = 0; i < abi::entry_count(dict); ++i) {
    keys.push_back(graph::key_hash(abi::entries_of(dict)[i].key));
  }
  std::vector<uint32_t> index(abi::frozen_index_bytes(keys.size()) / sizeof(uint32_t));
  const uint32_t flags = graph::lay_out_index(keys, index.data());
  return (flags == dict->flags && std::equal(index.begin(), index.end(), abi::index_of(dict))) ||
         refuse(group, offset, "is a FrozenDict whose index does not fit its keys");
}

// The UTF-8 of a str of data lies right behind it, and says what the str says.
bool Verifier::check_utf8(uint32_t group, uint64_t offset, const abi::Shape& shape, size_t bytes) {
  if (shape.id != abi::ShapeId::kStrCompact || !image_.is_data()) return true;
  PyObject* str = image_.object(offset);
  const size_t wanted = abi::utf8_bytes(str);
  std::vector<char> text(wanted + 1);
  if (wanted != 0) abi::write_utf8(str, text.data());
  const std::string_view found = abi::cached_utf8(str);
  if (wanted == 0 && found.data() == nullptr) return true;
  const char* place = reinterpret_cast<const char*>(str) + bytes;
  return (found.data() == place && found.size() == wanted && wanted < space_after(offset) - bytes &&
          std::equal(text.begin(), text.end(), place)) ||
         refuse(group, offset, "is a str with the wrong UTF-8");
}

bool Verifier::check_references(uint32_t group, uint64_t offset, const abi::Shape& shape,
                                size_t bytes) {
  bool good = true;
  size_t index = 0;
  abi::for_each_reference(shape, image_.object(offset), bytes, [&](PyObject** slot) {
    ++verified_.references;
    if (good && !may_be_named(*slot)) {
      good = refuse(group, offset,
                    "refers, in reference " + std::to_string(index) +
                        ", to something that is no object of the image");
    }
    ++index;
  });
  return good;
}

bool Verifier::check_version(uint32_t group, uint64_t offset) {
  const uint32_t version = abi::code_version(image_.object(offset));
  const uint32_t first = image_.first_code_version();
  if (version - first >= view_.header().code_version_count) {
    return refuse(group, offset, "is code with a version outside the image's");
  }
  return versions_.insert(version).second ||
         refuse(group, offset, "is code with the version of another one");
}

bool Verifier::may_be_named(PyObject* object) const {
  const auto address = reinterpret_cast<uint64_t>(object);
  const auto base = reinterpret_cast<uint64_t>(image_.mapping().base());
  if (address - base < view_.header().file_bytes) return objects_.contains(address - base);
  return outside_.contains(address);
}

uint64_t Verifier::space_after(uint64_t offset) const {
  const DirectoryEntry* segment = view_.segment_at(offset);
  return segment != nullptr ? segment->offset + segment->bytes - offset : 0;
}

bool Verifier::refuse(uint32_t group, uint64_t offset, const std::string& what) {
  return problem_.refuse(view_.group_name(group),
                         "is wrong: the object at offset " + std::to_string(offset) + " " + what);
}

}  // namespace

bool verify(Image& image, Verified& verified, Problem& problem) {
  return Verifier(image, verified, problem).run();
}

}  // namespace tenure::image
