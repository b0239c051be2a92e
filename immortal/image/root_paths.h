// Where an object of an image stands in the graph: the way to it from a root or a module.
//
//   $.countries[3].name                          data: from the root; see View::roots()
//   module 'json.decoder': code.co_consts[2]     code: from what the module's table names
//
// An object that only an action takes, such as the tuple that a frozenset is made of, is told by
// the slot that names what is made: "module 'a': code.co_consts[2].<made of>[1]".
//
// Thread safety: needs an attached thread, but for the functions that say otherwise. No Python code
// runs.
#ifndef TENURE_IMMORTAL_IMAGE_ROOT_PATHS_H_
#define TENURE_IMMORTAL_IMAGE_ROOT_PATHS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/view.h"

namespace tenure::image {

// An object in an image: its offset there, and what it is.
struct ObjectPlace {
  uint64_t offset;
  const abi::Shape* shape;
};

// A part of an object that has a name: "ob_hash", "item 3".
struct FieldPlace {
  std::string_view name;  // "item" if `item` counts
  int64_t item;           // -1: not one of many
  int64_t begin;          // from the object's address; negative in front of it
  size_t bytes;
};

// The part that holds the byte at `at`, counted from the object's address. Thread state: any, also
// in signal handlers.
FieldPlace field_at(const abi::Shape& shape, int64_t at);

// What leads from an object to the one that its slot at `at` names: ".co_consts", "[3]". As
// field_at().
class StepText {
 public:
  StepText(const abi::Shape& shape, uint64_t at);
  std::string_view text() const { return {text_.data(), length_}; }

 private:
  std::array<char, 64> text_;
  size_t length_ = 0;
};

inline constexpr std::string_view kMadeOf = ".<made of>";

// What a path starts with, in the image `view`: index-th root, or what the table of modules says of
// the index-th. Calls put(std::string_view) for each part. As field_at() if put() is.
template <typename Put>
void put_root(const View& view, size_t index, Put&& put) {
  const RootEntry& root = view.roots()[index];
  if (root.name.bytes == 0 || view.roots().size() == 1) return put(std::string_view("$"));
  put(std::string_view("$("));
  put(view.text(root.name));
  put(std::string_view(")"));
}

enum class ModulePart : uint8_t { kCode, kOrigin, kCached };

template <typename Put>
void put_module(const View& view, size_t index, ModulePart part, Put&& put) {
  put(std::string_view("module '"));
  put(view.text(view.modules()[index].name));
  put(std::string_view(part == ModulePart::kCode     ? "': code"
                       : part == ModulePart::kOrigin ? "': __file__"
                                                     : "': __cached__"));
}

// The paths to all objects of an image, found once for many questions. Takes 24 bytes an object.
class RootPaths {
 public:
  // Requires: every group of the image at `base` is prepared. The view outlives this.
  RootPaths(const View& view, const std::byte* base);

  // The object whose bytes, the collector's head in front of it included, hold the one at `offset`.
  std::optional<ObjectPlace> object_at(uint64_t offset) const;

  // The shortest path to an object that object_at() answered. Empty if no root leads to it.
  std::string path_to(uint64_t object) const;

 private:
  struct Node {
    uint64_t offset;
    uint32_t parent;  // index of a node, or one of the numbers below
    uint32_t slot;    // offset of the slot in the parent; or index of a root or module
    uint8_t shape;    // abi::ShapeId
    uint8_t part;     // ModulePart
    bool is_made_of;  // reached by an action's argument
  };
  static constexpr uint32_t kUnreached = ~uint32_t{0};
  static constexpr uint32_t kRoot = kUnreached - 1;
  static constexpr uint32_t kModule = kUnreached - 2;

  struct ActionSlot {
    uint64_t slot;  // offset
    uint64_t argument;
  };

  void list_objects();
  void list_actions();
  void walk();
  void reach(uint64_t offset, const Node& how, std::vector<uint32_t>& queue);
  void follow(uint32_t parent, std::vector<uint32_t>& queue);
  size_t index_of(uint64_t offset) const;
  size_t bytes_of(const Node& node) const;

  const View& view_;
  const std::byte* const base_;
  std::vector<Node> nodes_;          // in order of offset
  std::vector<ActionSlot> actions_;  // in order of slot
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_ROOT_PATHS_H_
