#include "tenure/immortal/image/filling.h"

#include <sys/mman.h>

#include <algorithm>
#include <unordered_map>

#include "tenure/core/abi/fill.h"
#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/objects.h"

namespace tenure::image {
namespace {

using abi::HashFill;

// How deep the interpreter may have to go into objects that keep no hash, one call within another.
constexpr int kMostDepth = 500;

// Computes hashes from the bottom up, so that each computation finds those below it done, however
// deep the graph is.
class HashFiller {
 public:
  explicit HashFiller(const Image& image)
      : base_(reinterpret_cast<uint64_t>(image.mapping().base())),
        bytes_(image.view().header().file_bytes) {}

  HashFill fill(PyObject* object, const abi::Shape& shape);

 private:
  // What a hash is worth for those that depend on it.
  struct Known {
    HashFill fill = HashFill::kKnown;
    int depth = 0;  // of what it goes into each time it is asked for
  };

  struct Visit {
    PyObject* object;
    const abi::Shape* shape;
    std::vector<PyObject*> below;
    size_t next = 0;
    Known worst;
  };

  void enter(PyObject* object, const abi::Shape& shape);
  Known leave(const Visit& visit);
  bool look_at(PyObject* object, Known& known);
  static void add(const Known& below, Visit& visit);

  const uint64_t base_;
  const uint64_t bytes_;
  std::vector<Visit> visits_;
  // Of objects that keep no hash, have none, or are being visited.
  std::unordered_map<PyObject*, Known> known_;
};

void HashFiller::enter(PyObject* object, const abi::Shape& shape) {
  visits_.push_back({object, &shape, {}, 0, {}});
  std::vector<PyObject*>& below = visits_.back().below;
  const size_t bytes = shape.bytes(object, bytes_ - (reinterpret_cast<uint64_t>(object) - base_));
  abi::for_each_reference(shape, object, bytes, [&](PyObject** slot) {
    if (*slot != nullptr) below.push_back(*slot);
  });
  // Who comes back to it before it is left has found a cycle.
  known_[object] = {HashFill::kOpen, 0};
}

// True with what is known of an object; false if it has to be visited first.
bool HashFiller::look_at(PyObject* object, Known& known) {
  if (reinterpret_cast<uint64_t>(object) - base_ >= bytes_) {
    if (!abi::hashes_without_python(object)) known.fill = HashFill::kOpen;
    return true;
  }
  const abi::Shape* shape = abi::shape_of(object);
  if (shape == nullptr) {
    known.fill = HashFill::kOpen;
    return true;
  }
  if (const auto found = known_.find(object); found != known_.end()) {
    known = found->second;
    return true;
  }
  const bool keeps_hash =
      std::any_of(shape->fields.begin(), shape->fields.end(),
                  [](const abi::Field& field) { return field.role == abi::FieldRole::kHash; });
  if (keeps_hash && !abi::has_unknown_hash(*shape, object)) return true;
  const bool refers =
      shape->tail == abi::Tail::kReferences || shape->tail == abi::Tail::kEntries ||
      std::any_of(shape->fields.begin(), shape->fields.end(),
                  [](const abi::Field& field) { return abi::is_reference(field.role); });
  if (refers) return false;
  known.fill = abi::fill_hash(*shape, object);
  return true;
}

// One that is unhashable is so in the end, whatever comes before it.
void HashFiller::add(const Known& below, Visit& visit) {
  Known& worst = visit.worst;
  worst.depth = std::max(worst.depth, below.depth);
  if (worst.fill != HashFill::kUnhashable && below.fill != HashFill::kKnown) {
    worst.fill = below.fill;
  }
}

HashFiller::Known HashFiller::leave(const Visit& visit) {
  Known known = visit.worst;
  if (known.depth > kMostDepth) known.fill = HashFill::kOpen;
  const bool keeps_hash = abi::has_unknown_hash(*visit.shape, visit.object);
  if (keeps_hash && known.fill == HashFill::kKnown) {
    known.fill = abi::fill_hash(*visit.shape, visit.object);
  }
  if (keeps_hash && known.fill == HashFill::kKnown) {
    known_.erase(visit.object);
    return {};
  }
  ++known.depth;
  known_[visit.object] = known;
  return known;
}

HashFill HashFiller::fill(PyObject* object, const abi::Shape& shape) {
  Known known;
  if (look_at(object, known)) return known.fill;
  enter(object, shape);
  while (!visits_.empty()) {
    Visit& visit = visits_.back();
    if (visit.next == visit.below.size()) {
      known = leave(visit);
      visits_.pop_back();
      if (!visits_.empty()) add(known, visits_.back());
      continue;
    }
    PyObject* below = visit.below[visit.next++];
    Known found;
    if (look_at(below, found)) {
      add(found, visit);
    } else {
      enter(below, *abi::shape_of(below));
    }
  }
  return known.fill;
}

class Filler {
 public:
  Filler(Image& image, std::vector<ByteRange>& open, Problem& problem)
      : image_(image), open_(open), problem_(problem), hashes_(image) {}

  bool run();

 private:
  template <typename Visit>
  bool for_each(Visit&& visit);
  bool settle(uint64_t offset, const abi::Shape& shape);
  bool make_texts();

  Image& image_;
  std::vector<ByteRange>& open_;
  Problem& problem_;
  HashFiller hashes_;
  size_t text_bytes_ = 0;
};

// Calls visit(offset, shape) for every object that could be finished.
template <typename Visit>
bool Filler::for_each(Visit&& visit) {
  for (uint32_t group = 0; group < image_.view().groups().size(); ++group) {
    const bool good = for_each_object(
        image_.view(), group, problem_, [&](uint64_t offset, const abi::Shape& shape) {
          return abi::is_written_in_use(shape) || visit(offset, shape);
        });
    if (!good) return false;
  }
  return true;
}

bool Filler::run() {
  return for_each(
             [this](uint64_t offset, const abi::Shape& shape) { return settle(offset, shape); }) &&
         (text_bytes_ == 0 || make_texts());
}

bool Filler::settle(uint64_t offset, const abi::Shape& shape) {
  PyObject* object = image_.object(offset);
  if (shape.type == &PyUnicode_Type) {
    if (!abi::settle_intern_state(object)) return problem_.refuse_with_python_error("image");
    text_bytes_ += abi::utf8_cache_bytes(shape, object);
  }
  if (!abi::has_unknown_hash(shape, object)) return true;
  if (hashes_.fill(object, shape) == HashFill::kOpen) {
    const uint64_t limit = image_.view().header().file_bytes - offset;
    open_.push_back({offset - shape.prefix_bytes, offset + shape.bytes(object, limit)});
  }
  return true;
}

// The UTF-8 forms, one behind the other, in memory of their own that nobody writes to again.
bool Filler::make_texts() {
  void* room =
      mmap(nullptr, text_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) {
    PyErr_NoMemory();
    return problem_.refuse_with_python_error("image");
  }
  auto* next = static_cast<char*>(room);
  const char* const end = next + text_bytes_;
  const bool good = for_each([&](uint64_t offset, const abi::Shape& shape) {
    PyObject* object = image_.object(offset);
    const size_t bytes = abi::utf8_cache_bytes(shape, object);
    if (bytes == 0 || bytes > static_cast<size_t>(end - next)) return true;
    abi::fill_utf8_cache(object, next);
    next += bytes;
    return true;
  });
  mprotect(room, text_bytes_, PROT_READ);
  return good;
}

}  // namespace

bool fill(Image& image, std::vector<ByteRange>& open, Problem& problem) {
  return Filler(image, open, problem).run();
}

}  // namespace tenure::image
