// pybind11 with callbacks and other Python objects in C++ threads, dropped there without the GIL.
//
// What it shows: a deleter of one line makes std::unique_ptr and std::shared_ptr hold Python
// references that may be dropped on any thread. So they can be members of jobs and captures of
// std::function, and be destroyed wherever the last copy happens to go: a py::object may not, and
// py::gil_scoped_acquire in every destructor would make each of them wait for the GIL, which
// deadlocks under locks, and hangs or crashes after the interpreter's end.
//
//   pool = deferred_pybind11.Pool(threads=4)
//   pool.integrate(1.0, steps=1000, token=anything, done=print)   # -> 0.785398...
//   pool.wait()
//
// The function comes from the tenure package, which has to be installed; nothing is linked.
//
// Built by Bazel:   ./dev bazel build //examples/deferred_pybind11
// Built by hand, in a clone of Tenure or with a copy of the one header:
//
//   mkdir -p include/tenure/core && cp core/tenure_deferred.h include/tenure/core/
//   flags="-std=c++20 -O2 -fPIC -fvisibility=hidden -Iinclude $(python3-config --includes)
//          $(pkg-config --cflags pybind11)"
//   module=deferred_pybind11$(python3-config --extension-suffix)
//   c++ $flags -shared examples/deferred_pybind11/deferred_pybind11.cc -o $module

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <pybind11/pybind11.h>

#define TENURE_DEFERRED_IMPORT
#include "tenure/core/tenure_deferred.h"

namespace py = pybind11;

namespace {

// All there is to it. Never null where smart pointers call it.
struct DeferredDecref {
  void operator()(PyObject* object) const noexcept { tenure_defer_decref(object); }
};

// A py::object with one holder, to be moved to any thread and dropped there.
using DeferredObject = std::unique_ptr<PyObject, DeferredDecref>;

// The same with several, for what has to be copyable, such as the captures of a std::function.
// Copies count in C++ and do not touch Python's count, so any thread may make them too.
using SharedObject = std::shared_ptr<PyObject>;

DeferredObject deferred(py::object object) { return DeferredObject(object.release().ptr()); }

struct Job {
  double upper;
  long steps;
  // Somebody else's, who wants it to live as long as the job.
  DeferredObject token;
  std::function<void(double)> done;
};

// Work for threads that are attached only while they call back. They share it with the Pool, and
// the last to go deletes it: that may be a thread, when a callback drops its own Pool.
class Jobs {
 public:
  void add(std::list<Job>&& one) {
    std::lock_guard guard(lock_);
    waiting_.splice(waiting_.end(), std::move(one));
    ++unfinished_;
    has_work_.notify_one();
  }

  // Drops what has not begun.
  void stop() {
    std::list<Job> dropped;
    std::lock_guard guard(lock_);
    dropped.swap(waiting_);
    is_stopping_ = true;
    has_work_.notify_all();
    is_done_.notify_all();
  }

  // Whether everything is done or will never be, within a moment. Requires: not attached.
  bool wait_a_moment() {
    std::unique_lock guard(lock_);
    return is_done_.wait_for(guard, std::chrono::milliseconds(100),
                             [this] { return unfinished_ == 0 || is_stopping_; });
  }

  // A thread. Not attached.
  void work() {
    for (;;) {
      std::list<Job> mine;
      {
        std::unique_lock guard(lock_);
        has_work_.wait(guard, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) return;
        mine.splice(mine.end(), waiting_, waiting_.begin());
      }
      Job& job = mine.front();
      const double area = integrate(job.upper, job.steps);
      if (job.done) job.done(area);
      // The token and the captures of `done` go here.
      mine.clear();
      std::lock_guard guard(lock_);
      if (--unfinished_ == 0) is_done_.notify_all();
    }
  }

 private:
  // A quarter of a circle, for lack of anything better to compute.
  static double integrate(double upper, long steps) {
    const double width = upper / static_cast<double>(steps);
    double sum = 0;
    for (long i = 0; i < steps; ++i) {
      const double x = (static_cast<double>(i) + 0.5) * width;
      sum += 1 / (1 + x * x);
    }
    return sum * width;
  }

  // Nobody waits for the GIL while holding it, so it may be waited for with the GIL.
  std::mutex lock_;
  std::condition_variable has_work_;
  std::condition_variable is_done_;
  std::list<Job> waiting_;
  size_t unfinished_ = 0;
  bool is_stopping_ = false;
};

class Pool {
 public:
  explicit Pool(size_t threads) : jobs_(std::make_shared<Jobs>()) {
    if (threads < 1 || threads > 64) throw py::value_error("threads is between 1 and 64");
    if (is_exiting) throw std::runtime_error("the interpreter is ending: too late for a pool");
    threads_.reserve(threads);
    try {
      while (threads_.size() < threads) {
        threads_.emplace_back([jobs = jobs_] { jobs->work(); });
      }
    } catch (...) {
      stop();
      throw;
    }
    living().insert(this);
  }

  ~Pool() {
    living().erase(this);
    stop();
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void integrate(double upper, long steps, py::object token, py::object done) {
    if (steps < 1) throw py::value_error("steps is at least 1");
    if (is_of_parent_process() || threads_.empty()) {
      throw std::runtime_error(
          "this pool has no threads: it was stopped, or belongs to the process that this one was "
          "forked from");
    }
    std::list<Job> one;
    one.push_back({upper, steps, deferred(std::move(token)), callback(std::move(done))});
    jobs_->add(std::move(one));
  }

  void wait() {
    if (is_of_parent_process()) return;
    // A callback may drop the pool while this waits.
    const std::shared_ptr<Jobs> jobs = jobs_;
    for (bool done = false; !done;) {
      {
        py::gil_scoped_release detached;
        done = jobs->wait_a_moment();
      }
      if (PyErr_CheckSignals() < 0) throw py::error_already_set();
    }
  }

  // Waits for jobs that have begun; the others never will. Requires: attached.
  void stop() {
    // Other threads may come by while this one is not attached, and even delete this.
    const std::shared_ptr<Jobs> jobs = jobs_;
    std::vector<std::thread> threads = std::exchange(threads_, {});
    // In a child of a fork nobody would ever come to be joined, and the lock may be held for ever.
    const bool is_joining = !is_of_parent_process();
    py::gil_scoped_release detached;
    if (is_joining && !threads.empty()) jobs->stop();
    for (std::thread& thread : threads) {
      if (is_joining && thread.get_id() != std::this_thread::get_id()) {
        thread.join();
      } else {
        thread.detach();
      }
    }
  }

  // Calling back means attaching, and an interpreter that ends must not be attached to any more.
  static void stop_all() {
    is_exiting = true;
    // A job's end may delete another pool.
    while (!living().empty()) {
      Pool* pool = *living().begin();
      living().erase(pool);
      pool->stop();
    }
  }

 private:
  // Not by the caster of pybind11/functional.h: the std::function that it makes waits for the GIL
  // when it is dropped.
  static std::function<void(double)> callback(py::object done) {
    if (done.is_none()) return nullptr;
    return [function = SharedObject(deferred(std::move(done)))](double area) {
      py::gil_scoped_acquire attached;
      try {
        py::handle(function.get())(area);
      } catch (py::error_already_set& error) {
        error.discard_as_unraisable("a callback of deferred_pybind11");
      } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
        PyErr_WriteUnraisable(function.get());
      }
    };
  }

  bool is_of_parent_process() const { return process_ != getpid(); }

  // Guarded by the GIL, as all of a Pool is.
  static std::set<Pool*>& living() {
    static std::set<Pool*> pools;
    return pools;
  }
  static inline bool is_exiting = false;

  std::shared_ptr<Jobs> jobs_;
  std::vector<std::thread> threads_;
  const pid_t process_ = getpid();
};

}  // namespace

PYBIND11_MODULE(deferred_pybind11, module) {
  // What tenure_defer_decref() is given belongs to the main interpreter. pybind11 declares the
  // module so unless told otherwise, but an interpreter may be made not to ask.
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    throw py::import_error("deferred_pybind11 is for the main interpreter only");
  }
  // Says which package is missing, or too old.
  if (tenure_deferred_import() < 0) throw py::error_already_set();

  module.doc() = "Integrals computed by threads that hold and drop Python objects, in pybind11.";
  py::class_<Pool>(module, "Pool", "Threads that integrate 1 / (1 + x * x).")
      .def(py::init<size_t>(), py::arg("threads") = 4)
      .def("integrate", &Pool::integrate, py::arg("upper"), py::kw_only(), py::arg("steps") = 1000,
           py::arg("token") = py::none(), py::arg("done") = py::none(),
           "Integrate from 0 to upper, then call done(area) from another thread.\n\n"
           "token is kept until then. Returns at once. What done raises is reported by\n"
           "sys.unraisablehook.")
      .def("wait", &Pool::wait, "Wait for everything that was begun.")
      .def("stop", &Pool::stop,
           "Wait for jobs that are being worked on; the others are dropped.\n\n"
           "Done when the pool is dropped, and at exit.");
  py::module_::import("atexit").attr("register")(py::cpp_function(&Pool::stop_all));
}
