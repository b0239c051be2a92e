// Where an object of an image stands in the graph: the way to it from a root or a module.
//
//   $.countries[3].name                          data: from the root; see View::roots()
//   module 'json.decoder': code.co_consts[2]     code: from what the module's table names
//
// The items of what an action makes are told as if they were in it where they are: $.list[3]. Those
// of a frozenset, say, have no place there, and are told by the tuple that it is made of:
// "module 'a': code.co_consts[2].<made of>[1]".
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
FieldPlace field_at(const abi::Shape& shape, const std::byte* object, int64_t at);

// An object that a path leads through. As what an action takes it, it stands for what is made of
// it; kNoAction: it is itself.
inline constexpr auto kNoAction = Action{0};

// What leads from an object to the one that its slot at `at` names: ".co_consts", "[3]", or the key
// of a value: ".name", "['a name']". Nothing from what holds a root. As field_at().
class StepText {
 public:
  StepText(const abi::Shape& shape, const std::byte* object, uint64_t at, Action as);
  std::string_view text() const { return {text_.data(), length_}; }

 private:
  void put(std::string_view text);
  void put_number(std::string_view before, int64_t number, std::string_view after);
  void put_entry(const std::byte* slot, size_t reference);
  bool put_key(PyObject* key);

  std::array<char, 128> text_;
  size_t length_ = 0;
};

// What a path has instead of a name for the step into the argument of an action.
constexpr std::string_view made_of(Action action) {
  return action == kNoAction || action == Action::kList || action == Action::kDict ? ""
                                                                                   : ".<made of>";
}

// What a path starts with, in the image `view`: the object of the index-th root, which the first
// object of the path holds; or what the table of modules says of the index-th. Calls
// put(std::string_view) for each part. As field_at() if put() is.
template <typename Put>
void put_root(const View& view, size_t index, Put&& put) {
  if (view.roots().size() == 1) return put(std::string_view("$"));
  put(std::string_view("roots['"));
  put(view.text(view.roots()[index].name));
  put(std::string_view("']"));
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
    Action as;        // what takes it as an argument, if it was reached that way
  };
  static constexpr uint32_t kUnreached = ~uint32_t{0};
  static constexpr uint32_t kRoot = kUnreached - 1;
  static constexpr uint32_t kModule = kUnreached - 2;

  struct ActionSlot {
    uint64_t slot;  // offset
    uint64_t argument;
    Action action;
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
