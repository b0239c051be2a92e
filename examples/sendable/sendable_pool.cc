// A thread pool whose tasks own Python objects: Sendable and Shared at work, in an extension module
// in C++ that links Tenure.
//
// What it shows: what a task is called with is a Sendable, and so is what it returns; the function,
// which all tasks of a submit() call, is a Shared. Tasks are made by one thread, moved to another
// and dropped by whoever has them last, attached or not, without a thought about the GIL. Where a
// thread has to run Python it attaches, and learns that way whether the interpreter is still there.
//
//   sendable_pool.submit(function, items)    # function(item) for each, by other threads
//   sendable_pool.results()                  # what they returned, as they finished
//
// Each interpreter has its own pool. The module needs no tenure package to run: it has a copy of
// what it uses, with a queue of its own, which tenure.deferred sees if it is there.
//
// Built by Bazel:   ./dev bazel build //examples/sendable:sendable_pool

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tenure/core/attach.h"
#include "tenure/handles/borrowed.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/result.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"

namespace {

using tenure::Attach;
using tenure::Attached;
using tenure::Borrowed;
using tenure::Detach;
using tenure::Owned;
using tenure::Result;
using tenure::Sendable;
using tenure::Shared;

constexpr size_t kThreads = 4;

struct Task {
  Shared<> function;
  Sendable<> object;  // what the function is called with, then what it returned
};

// What the threads work on, and share with the Pool.
class Tasks {
 public:
  void add(std::list<Task>&& more) {
    std::lock_guard guard(lock_);
    unfinished_ += more.size();
    waiting_.splice(waiting_.end(), std::move(more));
    has_work_.notify_all();
  }

  // Everything that nobody has begun. Whoever drops it need not be attached.
  std::list<Task> take_waiting() {
    std::lock_guard guard(lock_);
    unfinished_ -= waiting_.size();
    if (unfinished_ == 0) is_done_.notify_all();
    return std::exchange(waiting_, {});
  }

  std::list<Task> take_finished() {
    std::lock_guard guard(lock_);
    return std::exchange(finished_, {});
  }

  void stop() {
    std::lock_guard guard(lock_);
    is_stopping_ = true;
    has_work_.notify_all();
  }

  // Whether everything is finished, within a moment. Requires: not attached.
  bool wait_a_moment() {
    std::unique_lock guard(lock_);
    return is_done_.wait_for(guard, std::chrono::milliseconds(100),
                             [this] { return unfinished_ == 0; });
  }

  // A thread. Not attached.
  void work() {
    std::unique_lock guard(lock_);
    for (;;) {
      has_work_.wait(guard, [this] { return is_stopping_ || !waiting_.empty(); });
      if (is_stopping_) return;
      std::list<Task> mine;
      mine.splice(mine.end(), waiting_, waiting_.begin());
      guard.unlock();
      const bool has_result = run(mine.front());
      if (!has_result) mine.clear();
      guard.lock();
      finished_.splice(finished_.end(), std::move(mine));
      if (--unfinished_ == 0) is_done_.notify_all();
    }
  }

 private:
  static bool run(Task& task) {
    // Dropped at the end, when this thread is not attached any more: nobody's destructor runs here.
    const Shared<> function = std::move(task.function);
    const Sendable<> item = std::move(task.object);
    Attach attach(item.gate());
    // The interpreter has ended, or is about to: its objects may be dropped but not used.
    if (!attach) return false;
    const Attached attached = attach.token();
    Result<> result = PyObject_CallOneArg(function.get(attached).get(), item.get(attached).get());
    if (!result) {
      PyErr_WriteUnraisable(function.get(attached).get());
      return false;
    }
    task.object = Sendable<>(std::move(result).take(), item.queue());
    return true;
  }

  // Nobody waits for the GIL while holding it, so it may be waited for with the GIL.
  std::mutex lock_;
  std::condition_variable has_work_;
  std::condition_variable is_done_;
  std::list<Task> waiting_;
  std::list<Task> finished_;
  size_t unfinished_ = 0;
  bool is_stopping_ = false;
};

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Waits for tasks that have begun; drops the others. Requires: attached.
  ~Pool() {
    Detach detach;
    if (!is_of_parent_process()) tasks_->stop();
    for (std::thread& thread : threads_) {
      // A task may have dropped the module itself; and in a child of a fork nobody would come.
      if (is_of_parent_process() || thread.get_id() == std::this_thread::get_id()) {
        thread.detach();
      } else {
        thread.join();
      }
    }
  }

  void add(std::list<Task>&& more) {
    if (more.empty()) return;
    {
      std::lock_guard guard(starting_);
      process_ = getpid();
      while (threads_.size() < kThreads) {
        threads_.emplace_back([tasks = tasks_] { tasks->work(); });
      }
    }
    tasks_->add(std::move(more));
  }

  // Threads do not come along into the child of a fork, and locks may be held there for ever.
  bool is_of_parent_process() const {
    const pid_t process = process_;
    return process != 0 && process != getpid();
  }

  Tasks& tasks() { return *tasks_; }

 private:
  // The threads may outlive the pool by a moment.
  const std::shared_ptr<Tasks> tasks_ = std::make_shared<Tasks>();
  std::mutex starting_;
  std::vector<std::thread> threads_;  // guarded by it
  std::atomic<pid_t> process_{0};     // the one that has them, if there are any
};

Pool*& pool_of(PyObject* module) { return *static_cast<Pool**>(PyModule_GetState(module)); }

// What can be thrown here is want of memory or threads, and goes no further than this.
template <typename Function>
PyObject* call(PyObject* module, Function function) {
  Pool& pool = *pool_of(module);
  if (pool.is_of_parent_process()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "the threads of sendable_pool stayed behind in the process that this one was "
                    "forked from: fork before the first submit()");
    return nullptr;
  }
  try {
    return function(pool);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

// A task for each item. Nothing, with a Python error, if the items do not come or memory ran out.
std::optional<std::list<Task>> make_tasks(PyObject* function, PyObject* items) {
  std::optional<Shared<>> shared = Shared<>::make(Borrowed<>(function).new_ref());
  if (!shared) return std::nullopt;
  const Result<> iterator = PyObject_GetIter(items);
  if (!iterator) return std::nullopt;
  std::list<Task> tasks;
  while (PyObject* next = PyIter_Next(iterator.get())) {
    std::optional<Sendable<>> item = Sendable<>::make(Owned<>::steal(next));
    if (!item) return std::nullopt;
    tasks.push_back({*shared, std::move(*item)});
  }
  if (PyErr_Occurred() != nullptr) return std::nullopt;
  return tasks;
}

PyObject* submit(PyObject* module, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 2) {
    PyErr_Format(PyExc_TypeError, "submit() takes a function and its items, not %zd arguments",
                 count);
    return nullptr;
  }
  if (!PyCallable_Check(arguments[0])) {
    PyErr_Format(PyExc_TypeError, "submit() cannot call %R", arguments[0]);
    return nullptr;
  }
  return call(module, [&](Pool& pool) -> PyObject* {
    std::optional<std::list<Task>> tasks = make_tasks(arguments[0], arguments[1]);
    if (!tasks) return nullptr;
    const size_t added = tasks->size();
    pool.add(std::move(*tasks));
    return PyLong_FromSize_t(added);
  });
}

PyObject* results(PyObject* module, PyObject*) {
  return call(module, [](Pool& pool) -> PyObject* {
    for (bool done = false; !done;) {
      {
        Detach detach;
        done = pool.tasks().wait_a_moment();
      }
      if (PyErr_CheckSignals() < 0) return nullptr;
    }
    const Attached attached = Attached::current();
    std::list<Task> finished = pool.tasks().take_finished();
    Result<> list = PyList_New(static_cast<Py_ssize_t>(finished.size()));
    if (!list) return nullptr;
    Py_ssize_t index = 0;
    for (Task& task : finished) {
      PyList_SET_ITEM(list.get(), index++, std::move(task.object).into_owned(attached).release());
    }
    return std::move(list).release();
  });
}

PyObject* cancel(PyObject* module, PyObject*) {
  return call(module, [](Pool& pool) {
    size_t dropped = 0;
    {
      // So that the destructors of a million items do not run here and now.
      Detach detach;
      dropped = pool.tasks().take_waiting().size();
    }
    return PyLong_FromSize_t(dropped);
  });
}

int exec(PyObject* module) {
  try {
    pool_of(module) = new Pool;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
  }
  return 0;
}

void free_module(void* module) {
  if (PyModule_GetState(static_cast<PyObject*>(module)) == nullptr) return;
  delete std::exchange(pool_of(static_cast<PyObject*>(module)), nullptr);
}

PyMethodDef methods[] = {
    {"submit", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(submit)), METH_FASTCALL,
     "submit($module, function, items, /)\n--\n\n"
     "Call function(item) for each item, from other threads. Returns how many there are.\n\n"
     "What the function raises is reported by sys.unraisablehook. Raises RuntimeError in a child\n"
     "of the process that has the threads."},
    {"results", results, METH_NOARGS,
     "results($module, /)\n--\n\n"
     "Wait for all calls; returns a list of what they returned, in the order they finished.\n\n"
     "Each is returned once. A call that raised returned nothing."},
    {"cancel", cancel, METH_NOARGS,
     "cancel($module, /)\n--\n\n"
     "Drop all items that nobody has been called with. Returns how many there were."},
    {}};

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(exec)},
                            // Each interpreter has a pool, and each Sendable knows its interpreter.
                            {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
                            {Py_mod_gil, Py_MOD_GIL_NOT_USED},
                            {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "sendable_pool",
                          "Calls made by threads that own what they are called with.",
                          sizeof(Pool*),
                          methods,
                          slots,
                          nullptr,
                          nullptr,
                          free_module};

}  // namespace

PyMODINIT_FUNC PyInit_sendable_pool() { return PyModuleDef_Init(&definition); }
