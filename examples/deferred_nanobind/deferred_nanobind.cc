// nanobind: a cache of Python objects whose entries expire, and are dropped, in a C++ thread.
//
// What it shows: a deleter of one line makes std::unique_ptr hold Python references that may be
// dropped on any thread. The cache's own thread never attaches to the interpreter, so it needs the
// GIL for nothing, holds up nobody, and has no order of locks to mind. With nb::object and
// nb::gil_scoped_acquire it would wait for the GIL under the cache's lock, while get(), which has
// the GIL, waits for that lock.
//
//   cache = deferred_nanobind.Cache(seconds=60)
//   cache.put("key", value)
//   cache.get("key")                                # value, or None when it has expired
//
// The function comes from the tenure package, which has to be installed; nothing of it is linked.
//
// Built by Bazel:   ./dev bazel build //examples/deferred_nanobind
// Built by hand, in a clone of Tenure or with a copy of the one header (NANOBIND is the folder of
// nanobind; it has robin_map in it, or that is installed beside it):
//
//   mkdir -p include/tenure/core && cp core/tenure_deferred.h include/tenure/core/
//   flags="-std=c++20 -DNDEBUG -fPIC -fvisibility=hidden -Iinclude $(python3-config --includes)
//          -I$NANOBIND/include -I$NANOBIND/ext/robin_map/include"
//   c++ $flags -O3 -fno-strict-aliasing -c $NANOBIND/src/nb_combined.cpp
//   c++ $flags -Os -c examples/deferred_nanobind/deferred_nanobind.cc
//   module=deferred_nanobind$(python3-config --extension-suffix)
//   c++ -shared deferred_nanobind.o nb_combined.o -o $module

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#define TENURE_DEFERRED_IMPORT
#include "tenure/core/tenure_deferred.h"

namespace nb = nanobind;

namespace {

// All there is to it. Never null where a smart pointer calls it.
struct DeferredDecref {
  void operator()(PyObject* object) const noexcept { tenure_defer_decref(object); }
};

// An nb::object that may be moved to any thread and dropped there. A std::shared_ptr<PyObject> can
// be made of one, for several holders and for what a std::function captures.
using DeferredObject = std::unique_ptr<PyObject, DeferredDecref>;

DeferredObject deferred(nb::object object) { return DeferredObject(object.release().ptr()); }

using Clock = std::chrono::steady_clock;

// Entries in the order in which they expire. Whoever holds the lock waits for nothing else, so it
// may be waited for with the GIL.
class Entries {
 public:
  explicit Entries(Clock::duration lifetime) : lifetime_(lifetime) {}

  // Requires: attached.
  void put(const std::string& key, DeferredObject value) {
    // Dropped attached, where a decref is done at once and may run any code: when the lock, which
    // goes first, is no longer held.
    DeferredObject old;
    std::lock_guard guard(lock_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      const auto entry = found->second;
      old = std::exchange(entry->value, std::move(value));
      entry->end = Clock::now() + lifetime_;
      in_order_.splice(in_order_.end(), in_order_, entry);
    } else {
      in_order_.push_back({key, std::move(value), Clock::now() + lifetime_});
      by_key_.emplace(key, std::prev(in_order_.end()));
    }
    has_changed_.notify_one();
  }

  // Requires: attached.
  nb::object get(const std::string& key) const {
    std::lock_guard guard(lock_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nb::none();
    // A reference of the caller's own, while the lock keeps ours.
    return nb::borrow(found->second->value.get());
  }

  size_t size() const {
    std::lock_guard guard(lock_);
    return in_order_.size();
  }

  // The thread. Not attached.
  void expire() {
    std::unique_lock guard(lock_);
    while (!is_stopping_) {
      if (in_order_.empty()) {
        has_changed_.wait(guard);
      } else if (const auto end = in_order_.front().end; Clock::now() < end) {
        has_changed_.wait_until(guard, end);
      } else {
        by_key_.erase(in_order_.front().key);
        // Under the lock, in peace: on this thread a reference is put on a queue, and no code runs.
        in_order_.pop_front();
      }
    }
  }

  // For the garbage collector, which has to know of cycles that lead through here, and asks twice
  // each time. What the thread has dropped between the one and the other looks like garbage to it;
  // so it is. (What the thread still used, as jobs are used, would have to be kept from it.)
  // Requires: attached.
  int traverse(visitproc visit, void* arg) const {
    std::lock_guard guard(lock_);
    for (const Entry& entry : in_order_) Py_VISIT(entry.value.get());
    return 0;
  }

  // Requires: attached.
  void clear() {
    // Dropped after the lock, as in put().
    std::list<Entry> old;
    std::lock_guard guard(lock_);
    old.swap(in_order_);
    by_key_.clear();
  }

  void stop() {
    std::lock_guard guard(lock_);
    is_stopping_ = true;
    has_changed_.notify_one();
  }

 private:
  struct Entry {
    std::string key;
    DeferredObject value;
    Clock::time_point end;
  };

  const Clock::duration lifetime_;
  mutable std::mutex lock_;
  std::condition_variable has_changed_;
  std::list<Entry> in_order_;
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  bool is_stopping_ = false;
};

class Cache {
 public:
  explicit Cache(double seconds) {
    // Also false for a nan.
    if (!(seconds >= 0 && seconds <= kMostSeconds)) {
      throw nb::value_error("seconds is between 0 and 1,000,000");
    }
    entries_ = std::make_unique<Entries>(
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
    thread_ = std::thread([entries = entries_.get()] { entries->expire(); });
    living().insert(this);
  }

  ~Cache() {
    living().erase(this);
    if (is_of_parent_process()) {
      // In a child of a fork the thread would never come to be joined, and what it waits for there
      // can be neither locked nor destroyed.
      thread_.detach();
      [[maybe_unused]] const Entries* left_alone = entries_.release();
      return;
    }
    stop();
  }

  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  void put(const std::string& key, nb::object value) {
    usable().put(key, deferred(std::move(value)));
  }
  nb::object get(const std::string& key) const { return usable().get(key); }
  size_t size() const { return usable().size(); }

  // Nothing expires after this. The thread would do no harm then: what it drops is kept until the
  // interpreter's very end. But it is kept from the collector too, with all that it leads to, when
  // that looks for the last time; nanobind would tell of what is left.
  static void stop_all() {
    for (Cache* cache : living()) {
      if (!cache->is_of_parent_process()) cache->stop();
    }
  }

  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    if (!nb::inst_ready(self)) return 0;
    const auto* cache = nb::inst_ptr<Cache>(self);
    return cache->is_of_parent_process() ? 0 : cache->entries_->traverse(visit, arg);
  }

  static int clear(PyObject* self) {
    if (!nb::inst_ready(self)) return 0;
    const auto* cache = nb::inst_ptr<Cache>(self);
    if (!cache->is_of_parent_process()) cache->entries_->clear();
    return 0;
  }

 private:
  static constexpr double kMostSeconds = 1e6;

  void stop() {
    if (!thread_.joinable()) return;
    entries_->stop();
    // With the GIL, for which that thread never waits.
    thread_.join();
  }

  // Guarded by the GIL.
  static std::set<Cache*>& living() {
    static std::set<Cache*> caches;
    return caches;
  }

  bool is_of_parent_process() const { return process_ != getpid(); }

  Entries& usable() const {
    if (is_of_parent_process()) {
      throw std::runtime_error(
          "this cache belongs to the process that this one was forked from: make another");
    }
    return *entries_;
  }

  std::unique_ptr<Entries> entries_;
  std::thread thread_;
  const pid_t process_ = getpid();
};

PyType_Slot cache_slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(&Cache::traverse)},
                             {Py_tp_clear, reinterpret_cast<void*>(&Cache::clear)},
                             {}};

}  // namespace

NB_MODULE(deferred_nanobind, module) {  // NOLINT(performance-unnecessary-value-param): its macro
  // What tenure_defer_decref() is given belongs to the main interpreter. nanobind declares the
  // module so, but an interpreter may be made not to ask.
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    throw nb::import_error("deferred_nanobind is for the main interpreter only");
  }
  // Says which package is missing, or too old.
  if (tenure_deferred_import() < 0) nb::raise_python_error();

  module.doc() = "A cache of Python objects that expire in a C++ thread, in nanobind.";
  nb::class_<Cache>(module, "Cache", nb::type_slots(cache_slots),
                    "Keeps each value for some seconds.")
      .def(nb::init<double>(), nb::arg("seconds"))
      .def("put", &Cache::put, nb::arg("key"), nb::arg("value").none(),
           "Keep value under this key, in place of what was there, from now on.")
      .def("get", &Cache::get, nb::arg("key"), "The value, or None if there is none any more.")
      .def("__len__", &Cache::size);
  // Before Tenure's own function, which was registered before it: so all that expired is dropped.
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&Cache::stop_all));
}
