// An open hash table of small numbers that stand for something elsewhere: four bytes an entry,
// which counts when there are ten million. Its users hash and compare what the numbers stand for.
//
// Not for: anything that a std::unordered_map is small enough for. Nothing is ever removed.
#ifndef TENURE_IMMORTAL_IMAGE_HASH_INDEX_H_
#define TENURE_IMMORTAL_IMAGE_HASH_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenure::image {

// A finalizer: every bit of `value` moves every bit of the answer.
inline uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93;
  value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93;
  return value ^ (value >> 32);
}

class HashIndex {
 public:
  static constexpr uint32_t kNone = ~uint32_t{0};

  // The number for which `is_same` answers true, of those that were added with that hash or one
  // that meets it; kNone if there is none.
  template <typename IsSame>
  uint32_t find(uint64_t hash, IsSame&& is_same) const {
    if (slots_.empty()) return kNone;
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask; slots_[at] != kNone; at = (at + 1) & mask) {
      if (is_same(slots_[at])) return slots_[at];
    }
    return kNone;
  }

  // Adds a number that is not there. `hash_of` answers the hash of a number that is.
  template <typename HashOf>
  void add(uint64_t hash, uint32_t number, HashOf&& hash_of) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow(hash_of);
    put(hash, number);
    ++count_;
  }

 private:
  void put(uint64_t hash, uint32_t number) {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at] != kNone) at = (at + 1) & mask;
    slots_[at] = number;
  }

  template <typename HashOf>
  void grow(HashOf&& hash_of) {
    std::vector<uint32_t> old(slots_.empty() ? 64 : slots_.size() * 2, kNone);
    old.swap(slots_);
    for (const uint32_t number : old) {
      if (number != kNone) put(hash_of(number), number);
    }
  }

  std::vector<uint32_t> slots_;
  size_t count_ = 0;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_HASH_INDEX_H_
