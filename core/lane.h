// Lane: the deferred decrefs of one producer thread, in order.
//
// An unbounded queue with one producer and, at any time, one consumer: chunks of kSlots items in a
// chain. The producer writes an item and then publishes it by storing the new tail; it never reads
// what the consumer writes, so the two share no cache line while nothing is drained. It allocates
// once in kSlots pushes at most, and in the long run not at all: empty chunks are kept for whoever
// needs one next.
//
// Lanes are never freed and stay in their queue's list: a thread that ends leaves its lane, with
// what is in it, for the next thread that needs one.
//
// Invariants: 0 <= head <= tail; tail counts every push, head every item taken;
// the chunk that holds position n has first <= n < first + kSlots, and first is a multiple of
// kSlots. Every store keeps them, so that the child of a fork finds them true wherever the threads
// it lost were.
//
// Thread safety: push() for the owner; take() and strip() for one consumer at a time, attached to
// the queue's interpreter; the counts for any thread.
#ifndef TENURE_CORE_LANE_H_
#define TENURE_CORE_LANE_H_

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/python.h"

namespace tenure {

class DecrefQueue;

class alignas(64) Lane {
 public:
  // A power of two. 16 KiB of pointers.
  static constexpr size_t kSlots = 2048;

  Lane(DecrefQueue* queue, uintptr_t owner) : queue_(queue), owner_(owner) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  enum class Pushed : unsigned char { kYes, kBehind, kNoMemory };

  // Steals the reference, unless there is no memory. Says kBehind once in a while if more than a
  // chunk's worth waits to be taken. Requires: the caller owns the lane.
  Pushed push(PyObject* object) {
    // Only this thread writes it.
    const uint64_t position = tail_.load(std::memory_order_relaxed);
    const size_t slot = position % kSlots;
    Pushed pushed = Pushed::kYes;
    if (slot == 0) [[unlikely]] {
      if (!grow(position)) return Pushed::kNoMemory;
      if (position - taken() >= kSlots) pushed = Pushed::kBehind;
    }
    write_->slots[slot] = object;
    // Partner: the acquire in take(). Publishes the slot, and the chunk and its place in the chain.
    tail_.store(position + 1, std::memory_order_release);
    return pushed;
  }

  // The oldest item, or null if there is none. Gives the reference to the caller.
  PyObject* take() {
    const uint64_t position = head_.load(std::memory_order_relaxed);
    // Partner: the release in push().
    if (position == tail_.load(std::memory_order_acquire)) return nullptr;
    if (read_ == nullptr || position_in(read_, position) == kSlots) [[unlikely]] {
      next_chunk();
    }
    assert(position_in(read_, position) < kSlots);
    PyObject* object = read_->slots[position % kSlots];
    // Before its decref, whose destructor may come here again.
    head_.store(position + 1, std::memory_order_release);
    return object;
  }

  // Takes the oldest items for as long as `try_drop` answers that it has dropped one, up to `end`
  // and to the end of a chunk; `most` at most. Answers how many. Requires: no code of anybody
  // else's runs in try_drop, and end <= pushed().
  template <typename TryDrop>
  size_t take_while(uint64_t end, size_t most, TryDrop try_drop) {
    const uint64_t begin = taken();
    if (read_ == nullptr || position_in(read_, begin) == kSlots) return 0;
    const uint64_t stop = std::min({end, begin + most, read_->first + kSlots});
    uint64_t position = begin;
    while (position < stop && try_drop(read_->slots[position % kSlots])) ++position;
    head_.store(position, std::memory_order_release);
    return position - begin;
  }

  uint64_t pushed() const { return tail_.load(std::memory_order_acquire); }
  uint64_t taken() const { return head_.load(std::memory_order_relaxed); }
  bool is_empty() const { return taken() == pushed(); }

  DecrefQueue* queue() const { return queue_; }

  // Ownership. Partners: each other; the release of one owner publishes the producer's fields to
  // the next. `owner` is unique among living threads and not 0.
  bool try_own(uintptr_t owner) {
    uintptr_t nobody = 0;
    return owner_.load(std::memory_order_relaxed) == 0 &&
           owner_.compare_exchange_strong(nobody, owner, std::memory_order_acquire);
  }
  void disown() { owner_.store(0, std::memory_order_release); }
  uintptr_t owner() const { return owner_.load(std::memory_order_relaxed); }

  // Makes an owned lane ready to push to. False if there is no memory.
  bool prepare();

  // Whether there is anything to strip. Relaxed: a hint.
  bool has_chunk() const { return first_chunk_.load(std::memory_order_relaxed) != nullptr; }

  // Gives the chunk of an empty lane away. Requires: the caller owns it, and either is a consumer
  // too or knows that there is none any more.
  void strip();

  // From now on nobody takes: pushes go over each other instead of filling memory.
  void retire() { retired_.store(true, std::memory_order_release); }

  // Written when the lane is put into the list, before anybody else can see it.
  Lane* next_in_queue = nullptr;
  // The owner's.
  Lane* next_of_thread = nullptr;

 private:
  struct Chunk {
    std::atomic<Chunk*> next;
    uint64_t first;  // the position of slots[0]
    PyObject* slots[kSlots];
  };

  static uint64_t position_in(const Chunk* chunk, uint64_t position) {
    return position - chunk->first;
  }

  bool grow(uint64_t position);
  void next_chunk();

  // The producer's line.
  std::atomic<uint64_t> tail_{0};
  Chunk* write_ = nullptr;
  std::atomic<Chunk*> first_chunk_{nullptr};  // where a consumer without a chunk begins

  // The consumer's line.
  alignas(64) std::atomic<uint64_t> head_{0};
  Chunk* read_ = nullptr;

  // Seldom written.
  alignas(64) DecrefQueue* const queue_;
  std::atomic<uintptr_t> owner_;
  std::atomic<bool> retired_{false};
};

// Makes what lanes share. Done before the first lane is made, so that no fork finds it half done.
void lanes_setup();

}  // namespace tenure

#endif  // TENURE_CORE_LANE_H_
