// ReferencePool: references that are all dropped together, at the end of a scope, as PyO3's GILPool
// kept them.
//
//   ReferencePool pool;
//   PyObject* sums = pool.keep(PyDict_New());  // steals; null stays null
//   if (sums == nullptr) return nullptr;
//   const Borrowed<Dict> more = TENURE_TRY(pool.keep(Dict::make()));
//
// It is for code that is moving away from a pool of its own: docs/moving-from-gilpool.md. Nothing
// in it is dropped before it ends, so a loop needs as much memory as it has turns; a pool that has
// grown past kOvergrown is counted, and debug builds warn of it (ResourceWarning), again whenever
// it has doubled.
//
// Pools nest. At the end of one, its references are dropped, the newest first. Destructors may then
// run any code: make pools, which nest in the outer ones; keep something in this very one, by name,
// which is dropped before it has ended; raise, which is reported as unraisable. A Python
// error that is set before is set after.
//
// Not for: new code, where an Owned says where its object ends and costs less; coroutines and
// greenlets, whose frames are left while the pools of others go on.
//
// Thread safety: attached for everything; a pool is its thread's and its interpreter's. Each copy
// of this code, in however many extension modules, has pools of its own. In the child of a fork the
// pools of the forking thread go on, those of others are never drained.
#ifndef TENURE_POOL_REFERENCE_POOL_H_
#define TENURE_POOL_REFERENCE_POOL_H_

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <type_traits>
#include <utility>

#include "tenure/core/attach.h"

namespace tenure::pool {

namespace internal {

// What owns a reference and can give it away: Owned<T>, Result<T>.
template <typename H>
concept GivesAway = !std::is_lvalue_reference_v<H> && !std::is_const_v<H> && requires(H&& handle) {
  { std::forward<H>(handle).release() } -> std::same_as<PyObject*>;
};

// An Owned<T>: never null, and lends itself.
template <typename H>
concept Lends = requires(const H& handle) {
  { handle.borrow().get() } -> std::same_as<PyObject*>;
};

}  // namespace internal

class [[nodiscard]] ReferencePool {
 public:
  // Held inside the pool; more asks for memory.
  static constexpr size_t kOwnRoom = 32;
  static constexpr size_t kOvergrown = 50'000;

  // Becomes this thread's innermost. Requires: attached; ended by the thread that made it, before
  // those that were made before it.
  explicit ReferencePool(std::source_location where = std::source_location::current()) noexcept;
  // Drops all references. Where the thread is not attached to the pool's interpreter, which is an
  // error that debug builds assert unless Python is ending, they are left to the interpreter's
  // queue of deferred decrefs, or leaked if it has none.
  ~ReferencePool();
  ReferencePool(const ReferencePool&) = delete;
  ReferencePool& operator=(const ReferencePool&) = delete;
  static void* operator new(size_t size) = delete;
  static void* operator new[](size_t size) = delete;

  // The innermost of this thread and of the interpreter that it is attached to, or null. A pool
  // that is being drained is no longer it. Requires: attached.
  [[nodiscard]] static ReferencePool* current() noexcept;

  // Steals a reference, and answers it as a borrowed one that is good for as long as the pool is.
  // Null, with a Python error set, stays that. Null with MemoryError if there is no memory, which
  // drops the reference. Requires: attached. In a debug build it runs Python code when it warns.
  PyObject* keep(PyObject* object) {
    assert(is_attached_to(interpreter_));
    if (object == nullptr) return nullptr;
    PyObject** const slot = next_;
    if (slot == end_) [[unlikely]]
      return keep_slowly(object);
    *slot = object;
    next_ = slot + 1;
    return object;
  }

  // Of a Result<T>: a Result<Borrowed<T>>.
  template <template <typename> typename Outcome, typename T>
    requires internal::GivesAway<Outcome<T>> && (!internal::Lends<Outcome<T>>)
  auto keep(Outcome<T>&& made) {
    using Borrowed = std::remove_cvref_t<decltype(*std::declval<const Outcome<T>&>())>;
    return Outcome<Borrowed>(keep(std::move(made).release()));
  }

  // Of an Owned<T>: a Borrowed<T>, which cannot be null. Ends the process if there is no memory;
  // where that is too much, keep a Result.
  template <internal::GivesAway Handle>
    requires internal::Lends<Handle>
  auto keep(Handle&& owner) {
    const auto borrowed = owner.borrow();
    keep_or_end(std::forward<Handle>(owner).release());
    return borrowed;
  }

  // Of any other owner, a core/strong.h's Strong for one: as of a PyObject*.
  template <internal::GivesAway Handle>
    requires(!internal::Lends<Handle>)
  PyObject* keep(Handle&& owner) {
    return keep(std::forward<Handle>(owner).release());
  }

  // What somebody else owns is not the pool's to drop: keep(handle.new_ref()).
  template <typename Handle>
    requires(!std::is_pointer_v<Handle> && !std::is_null_pointer_v<Handle> &&
             !internal::GivesAway<Handle>)
  void keep(Handle&& handle) = delete;

  // How many references it holds.
  [[nodiscard]] size_t size() const noexcept {
    return below_ + static_cast<size_t>(next_ - begin_);
  }

  // Of all pools of this copy so far. Thread state: any.
  struct Statistics {
    uint64_t high_water = 0;  // the most that one pool held; it is counted when it grows or ends
    uint64_t grown = 0;       // pools that needed more than their own room
    uint64_t overgrown = 0;   // pools that went past kOvergrown
    uint64_t detached = 0;    // references of pools that ended detached
  };
  static Statistics statistics() noexcept;

 private:
  struct Chunk;

  [[gnu::noinline]] PyObject* keep_slowly(PyObject* object);
  void keep_or_end(PyObject* object);
  bool grow() noexcept;
  Chunk* take_newest() noexcept;
  void note_growth();
  void drain();
  void drop_detached() noexcept;
  void leave_stack() noexcept;

  // Invariants: begin_ <= next_ <= end_, all in the newest chunk or else in room_; what lies below
  // the newest chunk is full, room_ up to room_end_; below_ is how many there are in it.
  PyObject** next_ = room_;
  PyObject** begin_ = room_;
  PyObject** end_ = room_ + kOwnRoom;
  PyObject** room_end_ = room_ + kOwnRoom;
  Chunk* chunks_ = nullptr;  // the newest first
  size_t below_ = 0;
  size_t noted_at_ = kOvergrown;
  PyInterpreterState* const interpreter_;
  ReferencePool* outer_;
  const std::source_location where_;
  PyObject* room_[kOwnRoom];
};

}  // namespace tenure::pool

#endif  // TENURE_POOL_REFERENCE_POOL_H_
