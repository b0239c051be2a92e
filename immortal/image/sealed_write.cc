#include "tenure/immortal/image/sealed_write.h"

#include <fcntl.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include "tenure/immortal/image/objects.h"
#include "tenure/immortal/image/root_paths.h"
#include "tenure/immortal/image/sealing.h"
#include "tenure/immortal/image/signal_chain.h"
#include "tenure/immortal/image/write_watch.h"

namespace tenure::image {
namespace {

// Everything below runs in a signal handler: what it needs lies on the stack or in the image.

class Line {
 public:
  void put(std::string_view text) {
    const size_t bytes = std::min(text.size(), text_.size() - length_ - 1);
    std::memcpy(&text_[length_], text.data(), bytes);
    length_ += bytes;
  }

  void put_hex(uint64_t number) {
    std::array<char, 2 + 16> digits = {'0', 'x'};
    put({digits.data(), std::to_chars(&digits[2], digits.data() + digits.size(), number, 16).ptr});
  }

  void put_item(const FieldPlace& field) {
    put(field.name);
    if (field.item < 0) return;
    std::array<char, 20> digits;
    put(" ");
    put({digits.data(),
         std::to_chars(digits.data(), digits.data() + digits.size(), field.item).ptr});
  }

  void write_out() {
    text_[length_++] = '\n';
    // Nothing can be done if it fails.
    if (write(STDERR_FILENO, text_.data(), length_) < 0) return;
  }

 private:
  std::array<char, 2000> text_;
  size_t length_ = 0;
};

// Looks through the objects of an image as it lies in memory: takes no memory, and time for each
// question.
class Search {
 public:
  explicit Search(const SealedImage& image) : image_(image), view_(image.view) {}

  std::optional<ObjectPlace> object_at(uint64_t offset) const;

  // The path to an object; false, with nothing put, if it is too long or not found.
  bool put_path(uint64_t object, Line& line) const;

 private:
  struct Step {
    ObjectPlace parent;
    uint64_t slot;  // from the parent's address
    Action as;      // what takes the object as an argument, if that is why it is there
  };

  template <typename Visit>
  void for_each(Visit&& visit) const;
  size_t bytes_of(const ObjectPlace& object) const;
  std::optional<Step> find_referrer(uint64_t object) const;
  std::optional<Step> find_maker(uint64_t argument) const;
  bool is_root(uint64_t object) const;
  bool put_start(uint64_t object, Line* line) const;

  static constexpr size_t kLongestPath = 64;

  const SealedImage& image_;
  const View& view_;
};

// Calls visit(place) for each object until it answers false.
template <typename Visit>
void Search::for_each(Visit&& visit) const {
  bool go_on = true;
  // Filled in only where a group is damaged, and an image that was sealed has none.
  Problem ignored;
  for (uint32_t group = 0; go_on && group < view_.groups().size(); ++group) {
    (void)for_each_object(view_, group, ignored, [&](uint64_t offset, const abi::Shape& shape) {
      go_on = visit(ObjectPlace{offset, &shape});
      return go_on;
    });
  }
}

size_t Search::bytes_of(const ObjectPlace& object) const {
  return object.shape->bytes(image_.base + object.offset,
                             view_.header().file_bytes - object.offset);
}

std::optional<ObjectPlace> Search::object_at(uint64_t offset) const {
  std::optional<ObjectPlace> found;
  for_each([&](const ObjectPlace& object) {
    const uint64_t begin = object.offset - object.shape->prefix_bytes;
    if (offset < begin || offset - begin >= object.shape->prefix_bytes + bytes_of(object)) {
      return true;
    }
    found = object;
    return false;
  });
  return found;
}

// The slot that names what an action makes of that argument.
std::optional<Search::Step> Search::find_maker(uint64_t argument) const {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    const auto slots = view_.table_part<uint32_t>(group, Kind::kActionSlots);
    size_t next = 0;
    for (const ActionEntry& action : view_.table_part<ActionEntry>(group, Kind::kActions)) {
      if (next >= slots.size()) break;
      if (action.argument == argument && action.slot_count > 0) {
        const uint64_t slot = uint64_t{slots[next]} * kSlotBytes;
        const auto parent = object_at(slot);
        if (!parent) return std::nullopt;
        return Step{*parent, slot - parent->offset, static_cast<Action>(action.action)};
      }
      next += action.slot_count;
    }
  }
  return std::nullopt;
}

std::optional<Search::Step> Search::find_referrer(uint64_t object) const {
  const auto address = reinterpret_cast<uint64_t>(image_.base) + object;
  std::optional<Step> found;
  for_each([&](const ObjectPlace& parent) {
    if (parent.offset == object) return true;
    std::byte* at = image_.base + parent.offset;
    abi::for_each_reference(*parent.shape, at, bytes_of(parent), [&](PyObject** slot) {
      if (found || reinterpret_cast<uint64_t>(*slot) != address) return;
      found = {parent, static_cast<uint64_t>(reinterpret_cast<std::byte*>(slot) - at), kNoAction};
    });
    return !found;
  });
  return found ? found : find_maker(object);
}

bool Search::is_root(uint64_t object) const {
  return std::any_of(view_.roots().begin(), view_.roots().end(),
                     [object](const RootEntry& root) { return root.object == object; });
}

// True if a table names the object; puts how, unless there is no line.
bool Search::put_start(uint64_t object, Line* line) const {
  auto put = [line](std::string_view text) {
    if (line != nullptr) line->put(text);
  };
  for (size_t i = 0; i < view_.roots().size(); ++i) {
    if (view_.roots()[i].object != object) continue;
    put_root(view_, i, put);
    return true;
  }
  for (size_t i = 0; i < view_.modules().size(); ++i) {
    const ModuleEntry& module = view_.modules()[i];
    for (const auto& [offset, part] : {std::pair(module.code, ModulePart::kCode),
                                       std::pair(module.origin_object, ModulePart::kOrigin),
                                       std::pair(module.cached_object, ModulePart::kCached)}) {
      if (offset != object) continue;
      put_module(view_, i, part, put);
      return true;
    }
  }
  return false;
}

bool Search::put_path(uint64_t object, Line& line) const {
  std::array<Step, kLongestPath> steps;
  size_t count = 0;
  while (!put_start(object, nullptr)) {
    const auto step = count < steps.size() ? find_referrer(object) : std::nullopt;
    if (!step) return false;
    steps[count++] = *step;
    object = step->parent.offset;
  }
  put_start(object, &line);
  // What holds a root is no part of the path.
  bool is_shown = !is_root(object);
  Action as = kNoAction;
  while (count > 0) {
    const Step& step = steps[--count];
    if (is_shown) {
      line.put(
          StepText(*step.parent.shape, image_.base + step.parent.offset, step.slot, as).text());
    }
    is_shown = true;
    as = step.as;
    line.put(made_of(as));
  }
  return true;
}

// Reads /proc/self/maps, a line at a time, for the binary that an instruction is in.
class Binaries {
 public:
  Binaries() : file_(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
  ~Binaries() {
    if (file_ >= 0) close(file_);
  }
  Binaries(const Binaries&) = delete;
  Binaries& operator=(const Binaries&) = delete;

  // " of PATH" and the offset in it in front; the bare address if it is in none.
  void put_place(uint64_t instruction, Line& line) {
    uint64_t first = 0;  // where the first mapping of the file is that was read last
    std::array<char, 512> last = {};
    while (next_line()) {
      const auto begin = number();
      const auto end = number();
      const char* path = std::find(line_.data(), line_.data() + length_, '/');
      const auto path_bytes = static_cast<size_t>(line_.data() + length_ - path);
      if (std::string_view(last.data()) != std::string_view(path, path_bytes)) {
        first = begin;
        const size_t kept = std::min(path_bytes, last.size() - 1);
        std::memcpy(last.data(), path, kept);
        last[kept] = '\0';
      }
      if (instruction < begin || instruction >= end || path_bytes == 0) continue;
      line.put_hex(instruction - first);
      line.put(" of ");
      line.put({path, path_bytes});
      return;
    }
    line.put_hex(instruction);
  }

 private:
  bool next_line() {
    length_ = 0;
    at_ = 0;
    for (char one = 0; file_ >= 0 && read(file_, &one, 1) == 1;) {
      if (one == '\n') return true;
      if (length_ < line_.size()) line_[length_++] = one;
    }
    return false;
  }

  uint64_t number() {
    uint64_t value = 0;
    at_ = static_cast<size_t>(
        std::from_chars(line_.data() + at_, line_.data() + length_, value, 16).ptr - line_.data() +
        1);
    at_ = std::min(at_, length_);
    return value;
  }

  const int file_;
  std::array<char, 600> line_;
  size_t length_ = 0;
  size_t at_ = 0;
};

const SealedImage* sealed_image_at(const void* address) {
  for (const SealedImage* one = newest_sealed_image(); one != nullptr; one = one->next) {
    const auto offset = static_cast<uint64_t>(static_cast<const std::byte*>(address) - one->base);
    if (!one->sealed.load(std::memory_order_acquire)) continue;
    for (const ByteRange& pages : one->pages) {
      if (offset >= pages.begin && offset < pages.end) return one;
    }
  }
  return nullptr;
}

bool explain(siginfo_t* info, void* argument) {
  constexpr greg_t kWriteFault = 0x2;
  const auto& machine = static_cast<ucontext_t*>(argument)->uc_mcontext;
  if (info->si_code != SEGV_ACCERR || (machine.gregs[REG_ERR] & kWriteFault) == 0) return false;
  const SealedImage* image = sealed_image_at(info->si_addr);
  if (image == nullptr || WriteWatch::sees(info->si_addr)) return false;
  const auto offset = static_cast<uint64_t>(static_cast<std::byte*>(info->si_addr) - image->base);
  Line line;
  line.put("tenure: ");
  line.put(image->path);
  line.put(" is sealed, but something wrote to ");
  const Search search(*image);
  const auto object = search.object_at(offset);
  if (object) {
    if (!search.put_path(object->offset, line)) line.put("an object");
    line.put(" (");
    line.put(object->shape->name);
    line.put(", offset ");
    line.put_hex(object->offset);
    line.put("), field ");
    line.put_item(field_at(*object->shape, image->base + object->offset,
                           static_cast<int64_t>(offset - object->offset)));
  } else {
    line.put("offset ");
    line.put_hex(offset);
  }
  line.put("; the instruction is at ");
  Binaries().put_place(static_cast<uint64_t>(machine.gregs[REG_RIP]), line);
  line.put(" (tenure.write_report() tells more)");
  line.write_out();
  return false;
}

constinit ChainedHandler explainer(SIGSEGV, explain);

}  // namespace

bool explain_sealed_writes() { return explainer.install(); }

}  // namespace tenure::image
