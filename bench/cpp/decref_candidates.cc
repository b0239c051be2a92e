#include "tenure/bench/cpp/decref_candidates.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>

#include "tenure/core/lane.h"
#include "tenure/core/push_signal.h"

namespace tenure::bench {

namespace {

// What each producer has of its own, found as ours is, by a thread-local pointer; one side for each
// type of lane.
template <typename Own>
class LaneOfThread {
 public:
  Own& get() {
    if (mine_ == nullptr) [[unlikely]] {
      auto made = std::make_unique<Own>();
      mine_ = made.get();
      std::lock_guard guard(mutex_);
      all_.push_back(std::move(made));
    }
    return *mine_;
  }

  std::vector<std::unique_ptr<Own>>& all() { return all_; }

 private:
  static inline thread_local Own* mine_ = nullptr;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Own>> all_;
};

struct Ring {
  boost::lockfree::spsc_queue<PyObject*, boost::lockfree::capacity<Lane::kSlots>> items;
  std::atomic<Ring*> next{nullptr};
};

boost::lockfree::stack<Ring*, boost::lockfree::capacity<256>> kept_rings;

class RingLane {
 public:
  void push(PyObject* object) {
    if (!write_->items.push(object)) [[unlikely]]
      push_to_next(object);
  }

  template <typename Take>
  void take_all(Take take) {
    for (;;) {
      read_->items.consume_all(take);
      // Partner: the release in push_to_next(). Nothing is pushed to a ring that has a next one.
      Ring* next = read_->next.load(std::memory_order_acquire);
      if (next == nullptr) return;
      read_->items.consume_all(take);
      read_->next.store(nullptr, std::memory_order_relaxed);
      if (!kept_rings.push(read_)) delete read_;
      read_ = next;
    }
  }

 private:
  void push_to_next(PyObject* object) {
    Ring* ring = nullptr;
    if (!kept_rings.pop(ring)) ring = new Ring;
    ring->items.push(object);
    write_->next.store(ring, std::memory_order_release);
    write_ = ring;
  }

  Ring* write_ = new Ring;
  Ring* read_ = write_;
};

class SpscRingsSide : public Side {
 public:
  void drop(size_t times) override {
    for_each(objects_, times, [&](PyObject* object) { push(object); });
  }

  void drain() override {
    for (auto& lane : lanes_.all()) lane->take_all([](PyObject* object) { Py_DECREF(object); });
  }

 private:
  [[gnu::noinline]] void push(PyObject* object) {
    lanes_.get().push(object);
    signal_.raise_after_publishing();
  }

  PushSignal signal_;
  LaneOfThread<RingLane> lanes_;
};

// Its nodes go back to a list of its own and stay there, so after the rounds to warm up it
// allocates nothing.
class MpmcSide : public Side {
 public:
  void drop(size_t times) override {
    for_each(objects_, times, [&](PyObject* object) { push(object); });
  }

  void drain() override {
    queue_.consume_all([](PyObject* object) { Py_DECREF(object); });
  }

 private:
  [[gnu::noinline]] void push(PyObject* object) {
    queue_.push(object);
    signal_.raise_after_publishing();
  }

  PushSignal signal_;
  boost::lockfree::queue<PyObject*> queue_{4096};
};

class TreiberSide : public Side {
 public:
  void drop(size_t times) override {
    const uint32_t drains = drains_.load(std::memory_order_acquire);
    for_each(objects_, times, [&](PyObject* object) { push(object, drains); });
  }

  void drain() override {
    Node* node = top_.exchange(nullptr, std::memory_order_acquire);
    for (; node != nullptr; node = node->next) Py_DECREF(node->object);
    drains_.fetch_add(1, std::memory_order_release);
  }

 private:
  struct Node {
    Node* next;
    PyObject* object;
  };

  // Starts again from its first node when there has been a drain: as cheap as a pool can be.
  class Pool {
   public:
    Node* next(uint32_t drains) {
      if (used_ == kNodes || drains != drains_) [[unlikely]] {
        slab_ = drains != drains_ || slabs_.empty() ? 0 : slab_ + 1;
        drains_ = drains;
        used_ = 0;
        if (slab_ == slabs_.size()) slabs_.push_back(std::make_unique<Node[]>(kNodes));
      }
      return &slabs_[slab_][used_++];
    }

   private:
    static constexpr size_t kNodes = 2048;
    uint32_t drains_ = ~0U;
    size_t slab_ = 0;
    size_t used_ = kNodes;
    std::vector<std::unique_ptr<Node[]>> slabs_;
  };

  [[gnu::noinline]] void push(PyObject* object, uint32_t drains) {
    Node* node = pools_.get().next(drains);
    node->object = object;
    node->next = top_.load(std::memory_order_relaxed);
    // Partner: the acquire in drain().
    while (!top_.compare_exchange_weak(node->next, node, std::memory_order_release,
                                       std::memory_order_relaxed)) {
    }
    signal_.raise_after_publishing();
  }

  PushSignal signal_;
  alignas(64) std::atomic<Node*> top_{nullptr};
  alignas(64) std::atomic<uint32_t> drains_{0};
  LaneOfThread<Pool> pools_;
};

class FullFenceSide : public Side {
 public:
  void drop(size_t times) override {
    for_each(objects_, times, [&](PyObject* object) { push(object); });
  }

  void drain() override {
    for (auto& each : lanes_.all()) {
      while (PyObject* object = each->lane.take()) Py_DECREF(object);
    }
  }

 private:
  struct Alone {
    Lane lane{nullptr, 1};
  };

  [[gnu::noinline]] void push(PyObject* object) {
    lanes_.get().lane.push(object);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!signal_.is_up()) signal_.raise();
  }

  PushSignal signal_;
  LaneOfThread<Alone> lanes_;
};

class GilSide : public Side {
 public:
  void drop(size_t times) override {
    // Makes the thread state that the others find.
    static thread_local bool has_state = false;
    if (!has_state) {
      PyGILState_Ensure();
      PyEval_SaveThread();
      has_state = true;
    }
    for_each(objects_, times, [](PyObject* object) {
      const PyGILState_STATE state = PyGILState_Ensure();
      Py_DECREF(object);
      PyGILState_Release(state);
    });
  }

  bool wants_gil() const override { return true; }
};

}  // namespace

Side* make_candidate(const std::string& name) {
  if (name == "spsc-rings") return new SpscRingsSide;
  if (name == "mpmc") return new MpmcSide;
  if (name == "treiber") return new TreiberSide;
  if (name == "full-fence") return new FullFenceSide;
  if (name == "gil") return new GilSide;
  return nullptr;
}

}  // namespace tenure::bench
