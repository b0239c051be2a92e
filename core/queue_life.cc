// How queues come to be, and what becomes of them when their interpreter ends or the process forks.
//
// The end, in the interpreter's own order: atexit functions (drain, then nobody enters from outside
// any more); the modules go, with drains by whoever calls for one; PyUnstable_AtExit (last drain,
// and closed). Pushes after that are leaked.
#include <pthread.h>

#include <cassert>
#include <cstdlib>
#include <mutex>
#include <new>

#include "tenure/core/asymmetric.h"
#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"
#include "tenure/core/tenure_deferred.h"
#include "tenure/core/thread_lanes.h"

namespace tenure {

class QueueLife {
 public:
  static DecrefQueue* find(PyInterpreterState* interpreter);
  static DecrefQueue* find_or_make(PyInterpreterState* interpreter);
  static bool install_hooks(DecrefQueue& queue);

  static PyObject* at_exit(PyObject* capsule, PyObject*);
  static PyObject* after_fork_in_child(PyObject* capsule, PyObject*);
  static void finish(void* queue);

  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child_process();
};

namespace {

// Guards the making of queues; nothing of Python's runs under it. Held over a fork, so that the
// child finds it free.
constinit std::mutex making;
// Pushed in front of under `making`, with a release; nothing is ever taken out.
constinit std::atomic<DecrefQueue*> newest_queue{nullptr};
constinit std::atomic<DecrefQueue*> main_queue{nullptr};
bool is_process_set_up = false;    // guarded by `making`
bool sees_end_of_runtime = false;  // the same, or nobody else is there

// See count_lost_without_queue().
constinit std::atomic<uint64_t> lost_without_queue{0};

DecrefQueue& queue_in(PyObject* capsule) {
  return *static_cast<DecrefQueue*>(PyCapsule_GetPointer(capsule, DecrefQueue::kCapsuleName));
}

PyMethodDef at_exit_method = {"tenure_at_exit", &QueueLife::at_exit, METH_NOARGS,
                              "Does the deferred decrefs of this interpreter before it ends."};
PyMethodDef after_fork_method = {"tenure_after_fork", &QueueLife::after_fork_in_child, METH_NOARGS,
                                 "Does the deferred decrefs that a forked child inherited."};

// function(method bound to the queue, as `keyword` if there is one), in a module of the
// interpreter.
bool register_with(const char* module_name, const char* function_name, const char* keyword,
                   PyMethodDef& method, DecrefQueue& queue) {
  Strong module = PyImport_ImportModule(module_name);
  if (!module) return false;
  Strong function = PyObject_GetAttrString(module.get(), function_name);
  if (!function) return false;
  Strong capsule = PyCapsule_New(&queue, DecrefQueue::kCapsuleName, nullptr);
  if (!capsule) return false;
  Strong callback = PyCFunction_New(&method, capsule.get());
  if (!callback) return false;
  Strong positional = keyword == nullptr ? PyTuple_Pack(1, callback.get()) : PyTuple_New(0);
  Strong keywords = PyDict_New();
  if (!positional || !keywords) return false;
  if (keyword != nullptr && PyDict_SetItemString(keywords.get(), keyword, callback.get()) < 0) {
    return false;
  }
  return static_cast<bool>(Strong(PyObject_Call(function.get(), positional.get(), keywords.get())));
}

// Adds the queue to those of its interpreter.
bool list_queue(DecrefQueue& queue) {
  PyObject* dict = PyInterpreterState_GetDict(queue.gate().interpreter());
  if (dict == nullptr) {
    if (PyErr_Occurred() == nullptr) PyErr_NoMemory();
    return false;
  }
  Strong capsule = PyCapsule_New(&queue, DecrefQueue::kCapsuleName, nullptr);
  if (!capsule || PyCapsule_SetContext(capsule.get(), const_cast<tenure_deferred_api*>(
                                                          tenure_deferred_get_api())) < 0) {
    return false;
  }
  PyObject* listed = nullptr;
  if (PyDict_GetItemStringRef(dict, DecrefQueue::kQueuesKey, &listed) < 0) return false;
  if (listed == nullptr) {
    listed = PyList_New(0);
    if (listed == nullptr || PyDict_SetItemString(dict, DecrefQueue::kQueuesKey, listed) < 0) {
      Py_XDECREF(listed);
      return false;
    }
  }
  const int failed = PyList_Append(listed, capsule.get());
  Py_DECREF(listed);
  return failed == 0;
}

}  // namespace

DecrefQueue* QueueLife::find(PyInterpreterState* interpreter) {
  for (DecrefQueue* queue = DecrefQueue::newest(); queue != nullptr; queue = queue->next_) {
    if (queue->gate_.interpreter() == interpreter) return queue;
    // Asked for after the last moment at which anything can be drained: what is pushed is leaked.
    if (queue->is_finished() && queue->gate_.was_of(interpreter)) return queue;
  }
  return nullptr;
}

DecrefQueue* QueueLife::find_or_make(PyInterpreterState* interpreter) {
  std::lock_guard guard(making);
  if (DecrefQueue* queue = find(interpreter)) return queue;
  if (!is_process_set_up) {
    abi::find_current_state();
    asymmetric_setup();
    lanes_setup();
    thread_lanes_setup();
    pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child_process);
    is_process_set_up = true;
  }
  if (!sees_end_of_runtime) {
    sees_end_of_runtime = Py_AtExit([] {
                            Gate::end_life();
                            sees_end_of_runtime = false;
                          }) == 0;
  }
  void* memory = std::aligned_alloc(alignof(DecrefQueue), sizeof(DecrefQueue));
  if (memory == nullptr) return nullptr;
  auto* queue = new (memory) DecrefQueue;
  queue->gate_.open();
  queue->next_ = newest_queue.load(std::memory_order_relaxed);
  newest_queue.store(queue, std::memory_order_release);
  if (queue->gate_.is_main()) {
    queue->lost_.store(lost_without_queue.exchange(0, std::memory_order_relaxed),
                       std::memory_order_relaxed);
    main_queue.store(queue, std::memory_order_release);
  }
  return queue;
}

bool QueueLife::install_hooks(DecrefQueue& queue) {
  // Last registered, first called: what others register later still finds the reaper at work.
  if (!register_with("atexit", "register", nullptr, at_exit_method, queue)) return false;
  if (queue.gate_.is_main() &&
      !register_with("posix", "register_at_fork", "after_in_child", after_fork_method, queue)) {
    return false;
  }
  if (PyUnstable_AtExit(queue.gate_.interpreter(), &QueueLife::finish, &queue) < 0) return false;
  // Last: the others do no harm when they are tried again.
  return list_queue(queue);
}

PyObject* QueueLife::at_exit(PyObject* capsule, PyObject*) {
  DecrefQueue& queue = queue_in(capsule);
  queue.flush();
  queue.gate_.close();
  // The end of the main interpreter ends those that are left, when no other thread can attach any
  // more: who is inside by then never leaves.
  if (queue.gate_.is_main()) {
    for (DecrefQueue* other = DecrefQueue::newest(); other != nullptr; other = other->next_) {
      other->gate_.close();
    }
  }
  // What visitors pushed while they were waited for.
  queue.flush();
  Py_RETURN_NONE;
}

void QueueLife::finish(void* argument) {
  auto& queue = *static_cast<DecrefQueue*>(argument);
  if (queue.is_finished()) return;
  // Closed already, unless somebody has emptied the list of atexit functions.
  queue.gate_.close();
  queue.signal_.close();
  constexpr Budget kUnlimited{.time = std::chrono::hours(24 * 365)};
  for (int round = 0; round < DecrefQueue::kFlushRounds; ++round) {
    queue.look_at_released(std::chrono::steady_clock::time_point::max());
    if (!queue.drain_now(kUnlimited).more) break;
  }
  for (Lane* lane = queue.lanes_.load(std::memory_order_acquire); lane != nullptr;
       lane = lane->next_in_queue) {
    lane->retire();
    if (!lane->try_own(kConsumer)) continue;
    lane->strip();
    lane->disown();
  }
  queue.finished_.store(true, std::memory_order_release);
  queue.gate_.forget();
  queue.reaper_.end();
}

// What the child still has: this thread, its lanes, and the main interpreter.
void QueueLife::after_fork_in_child_process() {
  Reaper::count_fork();
  for (DecrefQueue* queue = DecrefQueue::newest(); queue != nullptr; queue = queue->next_) {
    queue->lock_.reset_after_fork();
    queue->dismantler_.reset_after_fork();
    queue->reaper_.reset_after_fork();
    queue->gate_.reset_visitors();
    for (Lane* lane = queue->lanes_.load(std::memory_order_relaxed); lane != nullptr;
         lane = lane->next_in_queue) {
      if (lane->owner() != thread_lanes.id()) lane->disown();
    }
    if (queue->is_finished()) continue;
    if (!queue->gate_.is_main()) {
      // CPython frees other interpreters in a child without running anything of theirs.
      queue->signal_.close();
      for (Lane* lane = queue->lanes_.load(std::memory_order_relaxed); lane != nullptr;
           lane = lane->next_in_queue) {
        lane->retire();
      }
      queue->finished_.store(true, std::memory_order_relaxed);
      queue->gate_.close_after_fork();
    } else if (queue->is_idle()) {
      queue->signal_.lower_after_fork();
    } else {
      // A thread that is not here may have published without having come to say so.
      queue->signal_.raise();
    }
  }
  making.unlock();
}

PyObject* QueueLife::after_fork_in_child(PyObject* capsule, PyObject*) {
  DecrefQueue& queue = queue_in(capsule);
  // No push will start a reaper for a queue that is up already, so what is not done here needs one
  // now; and what is done lowers the signal as a reaper would, so that the next push starts one.
  if (!queue.drain().more && queue.signal_.try_lower() && !queue.is_idle()) queue.signal_.raise();
  if (queue.has_pending()) queue.reaper_.wake();
  Py_RETURN_NONE;
}

void QueueLife::before_fork() { making.lock(); }
void QueueLife::after_fork_in_parent() { making.unlock(); }

DecrefQueue* DecrefQueue::of(PyInterpreterState* interpreter) {
  assert(is_attached_to(interpreter));
  DecrefQueue* queue = QueueLife::find(interpreter);
  if (queue == nullptr) queue = QueueLife::find_or_make(interpreter);
  if (queue == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  using Hooks = DecrefQueue::Hooks;
  Hooks none = Hooks::kNone;
  // Python runs while they are made, and another thread may come by; the queue works without them.
  if (queue->hooks_.load(std::memory_order_acquire) != Hooks::kNone ||
      !queue->hooks_.compare_exchange_strong(none, Hooks::kBeingMade, std::memory_order_acq_rel)) {
    return queue;
  }
  const bool made = QueueLife::install_hooks(*queue);
  queue->hooks_.store(made ? Hooks::kThere : Hooks::kNone, std::memory_order_release);
  return made ? queue : nullptr;
}

DecrefQueue* DecrefQueue::current() { return of(PyInterpreterState_Get()); }

DecrefQueue* DecrefQueue::main() { return main_queue.load(std::memory_order_acquire); }

void DecrefQueue::set_bound(std::chrono::nanoseconds bound) { Reaper::set_bound(bound); }

std::chrono::nanoseconds DecrefQueue::bound() { return Reaper::bound(); }

void DecrefQueue::count_lost_without_queue() {
  lost_without_queue.fetch_add(1, std::memory_order_relaxed);
}

DecrefQueue* DecrefQueue::newest() { return newest_queue.load(std::memory_order_acquire); }

}  // namespace tenure
