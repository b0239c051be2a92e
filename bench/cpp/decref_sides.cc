#include "tenure/bench/cpp/decref_sides.h"

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "tenure/bench/cpp/decref_candidates.h"
#include "tenure/bench/cpp/decref_pyo3.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/sendable.h"

namespace tenure::bench {

namespace {

class SendableSide : public Side {
 public:
  explicit SendableSide(DecrefQueue& queue) : queue_(queue) {}

  void prepare(Objects objects) override {
    handles_.resize(objects.size());
    for (size_t i = 0; i < objects.size(); ++i) {
      new (handles_[i].bytes) Sendable<>(Owned<>::steal(objects[i]), queue_);
    }
  }

  void drop(size_t times) override { for_each(std::span(handles_), times, take_and_drop); }

  void drop_apart(size_t times) override {
    for_each(std::span(handles_), times, take_and_drop_apart);
  }

  void drain() override { queue_.flush(); }

 private:
  // A handle that is dropped more than once: each time its bytes are copied, and the copy
  // destroyed.
  struct Handle {
    alignas(Sendable<>) std::byte bytes[sizeof(Sendable<>)];
  };

  static void take_and_drop(const Handle& handle) {
    union Copy {
      Copy() {}
      ~Copy() {}
      Sendable<> handle;
    } copy;
    std::memcpy(static_cast<void*>(&copy.handle), handle.bytes, sizeof(handle.bytes));
    copy.handle.~Sendable();
  }

  [[gnu::noinline]] static void take_and_drop_apart(const Handle& handle) { take_and_drop(handle); }

  DecrefQueue& queue_;
  std::vector<Handle> handles_;
};

class DeferSide : public Side {
 public:
  explicit DeferSide(DecrefQueue& queue) : queue_(queue) {}

  void drop(size_t times) override {
    for_each(objects_, times, [&](PyObject* object) { queue_.defer(object); });
  }

  void drain() override { queue_.flush(); }

 private:
  DecrefQueue& queue_;
};

// What one would write oneself. Two vectors take turns, so neither gives up what it has grown to.
class MutexVectorSide : public Side {
 public:
  void drop(size_t times) override {
    for_each(objects_, times, [&](PyObject* object) { push(object); });
  }

  void drain() override {
    {
      std::lock_guard guard(mutex_);
      pushed_.swap(drained_);
    }
    for (PyObject* object : drained_) Py_DECREF(object);
    drained_.clear();
  }

 private:
  [[gnu::noinline]] void push(PyObject* object) {
    std::lock_guard guard(mutex_);
    pushed_.push_back(object);
  }

  std::mutex mutex_;
  std::vector<PyObject*> pushed_;
  std::vector<PyObject*> drained_;
};

class CSide : public Side {
 public:
  void drop(size_t times) override {
    for_each(objects_, times, [](PyObject* object) { Py_DECREF(object); });
  }

  void drop_apart(size_t times) override { for_each(objects_, times, decref_apart); }

 private:
  [[gnu::noinline]] static void decref_apart(PyObject* object) { Py_DECREF(object); }
};

Side* make_side(const std::string& name) {
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) return nullptr;
  if (name == "sendable") return new SendableSide(*queue);
  if (name == "defer") return new DeferSide(*queue);
  if (name == "mutex-vector") return new MutexVectorSide;
  if (name == "c") return new CSide;
  if (name == "pyo3") return make_pyo3_side();
  return make_candidate(name);
}

}  // namespace

Side* find_side(const std::string& name) {
  static std::map<std::string, Side*> sides;
  Side*& side = sides[name];
  if (side == nullptr) side = make_side(name);
  return side;
}

}  // namespace tenure::bench
