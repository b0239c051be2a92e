// An open hash table of small numbers that stand for something elsewhere: eight bytes a slot, half
// of them the hash, so that what a number stands for is looked at only when it is found.
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

  // The number for which `is_same` answers true, of those that were added with the lower half of
  // that hash; kNone if there is none.
  template <typename IsSame>
  uint32_t find(uint64_t hash, IsSame&& is_same) const {
    if (slots_.empty()) return kNone;
    const auto half = static_cast<uint32_t>(hash);
    const size_t mask = slots_.size() - 1;
    for (size_t at = half & mask; slots_[at].number != kNone; at = (at + 1) & mask) {
      if (slots_[at].hash == half && is_same(slots_[at].number)) return slots_[at].number;
    }
    return kNone;
  }

  // Adds a number that is not there.
  void add(uint64_t hash, uint32_t number) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    put({static_cast<uint32_t>(hash), number});
    ++count_;
  }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t number = kNone;
  };

  void put(const Slot& slot) {
    const size_t mask = slots_.size() - 1;
    size_t at = slot.hash & mask;
    while (slots_[at].number != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kNone) put(slot);
    }
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_HASH_INDEX_H_
