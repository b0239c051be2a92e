// References of a scope: a ReferencePool, a pool in the shape of PyO3's GILPool, and Owned handles.
//
// An extension module, as that is where pools are: pool_references.run(count, rounds, seed, kind)
// prints the samples as JSON.
//
// A loop makes `count` objects and uses each; what is to become of them is the side's. The kind is
// what they are: "rows" (for each turn of the loop a float, an int and a tuple of both), "floats",
// or "shared" (new references to objects that live on). Nanoseconds for an object: {"fill",
// "drain", "turn"}; sides without a pool have only the last, which is all of the work.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tenure/bench/cpp/pool_sides.h"
#include "tenure/core/abi/python.h"
#include "tenure/handles/owned.h"
#include "tenure/pool/reference_pool.h"

namespace tenure::bench {
namespace {

using pool::ReferencePool;

// The idea of PyO3 before 0.23, in C++: a list of the thread that owns references, of which a pool
// remembers where it began. Its end takes its part out (Vec::split_off, which allocates one for it,
// or trades the whole for an empty one of the same capacity) and drops that, the oldest first.
class GilPool {
 public:
  GilPool() : begin_(owned_.size()) {}
  GilPool(const GilPool&) = delete;
  GilPool& operator=(const GilPool&) = delete;
  ~GilPool() {
    if (begin_ == owned_.size()) return;
    std::vector<PyObject*> mine;
    if (begin_ == 0) {
      mine.reserve(owned_.capacity());
      mine.swap(owned_);
    } else {
      mine.assign(owned_.begin() + static_cast<ptrdiff_t>(begin_), owned_.end());
      owned_.resize(begin_);
    }
    for (PyObject* object : mine) Py_DECREF(object);
  }
  static PyObject* keep(PyObject* object) {
    if (object != nullptr) owned_.push_back(object);
    return object;
  }

 private:
  static inline thread_local std::vector<PyObject*> owned_;
  const size_t begin_;
};

[[noreturn]] void end_with_error() {
  PyErr_Print();
  std::exit(1);
}

void use(PyObject* object) {
  if (object == nullptr) end_with_error();
  escape(object);
}

// What each turn of the loop makes: `keep` is given each object and answers it.

// A float, an int and a tuple of both, as of a row that is read.
struct Rows {
  static constexpr size_t kObjects = 3;

  template <typename Keep>
  void make(size_t i, Keep keep) {
    PyObject* const weight = keep(PyFloat_FromDouble(static_cast<double>(i)));
    use(weight);
    PyObject* const number = keep(PyLong_FromSize_t(100'000 + i));
    use(number);
    use(keep(PyTuple_Pack(2, weight, number)));
  }
  void make_owned(size_t i) {
    const auto own = [](PyObject* made) {
      use(made);
      return Owned<>::steal(made);
    };
    const Owned<> weight = own(PyFloat_FromDouble(static_cast<double>(i)));
    const Owned<> number = own(PyLong_FromSize_t(100'000 + i));
    const Owned<> row = own(PyTuple_Pack(2, weight.get(), number.get()));
  }
};

struct Floats {
  static constexpr size_t kObjects = 1;

  template <typename Keep>
  void make(size_t i, Keep keep) {
    use(keep(PyFloat_FromDouble(static_cast<double>(i))));
  }
  void make_owned(size_t i) {
    PyObject* const made = PyFloat_FromDouble(static_cast<double>(i));
    use(made);
    const Owned<> owner = Owned<>::steal(made);
  }
};

// New references to objects that live on.
struct SharedOnes {
  static constexpr size_t kObjects = 1;
  static constexpr size_t kLiving = 256;
  std::vector<PyObject*> living;

  SharedOnes() {
    for (size_t i = 0; i < kLiving; ++i) living.push_back(PyList_New(0));
  }
  template <typename Keep>
  void make(size_t i, Keep keep) {
    use(keep(Py_NewRef(living[i % kLiving])));
  }
  void make_owned(size_t i) {
    const Owned<> owner = Owned<>::steal(Py_NewRef(living[i % kLiving]));
    use(owner.get());
  }
};

template <typename Made>
class Work {
 public:
  explicit Work(size_t count)
      : turns_(std::max<size_t>(1, count / Made::kObjects)),
        times_(std::max<size_t>(1, 100'000 / count)) {}

  std::vector<TakingTurns> sides() {
    return {
        {"pool", [this] { return run_phases<ReferencePool>(); }},
        {"gil-pool", [this] { return run_phases<GilPool>(); }},
        {"owned", [this] { return run_owned(); }},
        {"pool-turn", [this] { return run_turns<ReferencePool>(); }},
        {"gil-pool-turn", [this] { return run_turns<GilPool>(); }},
    };
  }

 private:
  double each(double ns) const {
    return ns / static_cast<double>(turns_ * Made::kObjects * times_);
  }

  template <typename Pool>
  [[gnu::noinline, gnu::aligned(64)]] void fill(Pool& pool) {
    for (size_t i = 0; i < turns_; ++i) {
      made_.make(i, [&](PyObject* object) { return pool.keep(object); });
    }
  }

  template <typename Pool>
  Sample run_phases() {
    double fill_ns = 0;
    double drain_ns = 0;
    for (size_t i = 0; i < times_; ++i) {
      std::optional<Pool> pool;
      const Stopwatch filling;
      pool.emplace();
      fill(*pool);
      fill_ns += filling.ns();
      const Stopwatch draining;
      pool.reset();
      drain_ns += draining.ns();
    }
    return {{"fill", each(fill_ns)}, {"drain", each(drain_ns)}};
  }

  // Without the clock in between.
  template <typename Pool>
  Sample run_turns() {
    const Stopwatch time;
    for (size_t i = 0; i < times_; ++i) {
      Pool pool;
      fill(pool);
    }
    return {{"turn", each(time.ns())}};
  }

  Sample run_owned() {
    const Stopwatch time;
    for (size_t k = 0; k < times_; ++k) {
      for (size_t i = 0; i < turns_; ++i) made_.make_owned(i);
    }
    return {{"turn", each(time.ns())}};
  }

  const size_t turns_;
  const size_t times_;
  Made made_;
};

template <typename Made>
void run(size_t count, int rounds, unsigned seed) {
  Work<Made> work(count);
  take_turns(work.sides(), rounds, seed);
}

PyObject* run_kind(PyObject* /*module*/, PyObject* arguments) {
  Py_ssize_t count = 0;
  int rounds = 0;
  unsigned seed = 0;
  const char* kind = nullptr;
  if (!PyArg_ParseTuple(arguments, "niIs", &count, &rounds, &seed, &kind)) return nullptr;
  const auto objects = static_cast<size_t>(count);
  if (std::string_view(kind) == "rows") {
    run<Rows>(objects, rounds, seed);
  } else if (std::string_view(kind) == "floats") {
    run<Floats>(objects, rounds, seed);
  } else {
    run<SharedOnes>(objects, rounds, seed);
  }
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"run", run_kind, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "pool_references",
                          nullptr,
                          0,
                          methods,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace
}  // namespace tenure::bench

PyMODINIT_FUNC PyInit_pool_references() { return PyModuleDef_Init(&tenure::bench::definition); }
