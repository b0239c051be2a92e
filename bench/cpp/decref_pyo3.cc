#include "tenure/bench/cpp/decref_pyo3.h"

#include <dlfcn.h>

namespace tenure::bench {

namespace {

using Drop = void(PyObject* const* objects, size_t count, size_t times);
using Body = void(void* argument);

// bench/pyo3/decref/src/lib.rs.
struct Functions {
  const char* (*version)() = nullptr;
  Drop* drop = nullptr;
  Drop* drop_apart = nullptr;
  void (*attach)(Body* body, void* argument) = nullptr;
};

Functions pyo3;

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) PyErr_Format(PyExc_ImportError, "the PyO3 library has no %s", name);
  return function != nullptr;
}

class PyO3Side : public Side {
 public:
  void drop(size_t times) override { pyo3.drop(objects_.data(), objects_.size(), times); }

  void drop_apart(size_t times) override {
    pyo3.drop_apart(objects_.data(), objects_.size(), times);
  }

  void drop_attached(size_t times, bool apart) override {
    Call call{this, times, apart};
    pyo3.attach(
        [](void* argument) {
          const Call& asked = *static_cast<Call*>(argument);
          asked.apart ? asked.side->drop_apart(asked.times) : asked.side->drop(asked.times);
        },
        &call);
  }

  void drain() override {
    pyo3.attach([](void*) {}, nullptr);
  }

 private:
  struct Call {
    PyO3Side* side;
    size_t times;
    bool apart;
  };
};

}  // namespace

std::string load_pyo3(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    PyErr_SetString(PyExc_ImportError, dlerror());
    return {};
  }
  if (!find(library, "tenure_pyo3_version", pyo3.version) ||
      !find(library, "tenure_pyo3_drop", pyo3.drop) ||
      !find(library, "tenure_pyo3_drop_apart", pyo3.drop_apart) ||
      !find(library, "tenure_pyo3_attach", pyo3.attach)) {
    return {};
  }
  return pyo3.version();
}

Side* make_pyo3_side() { return pyo3.attach != nullptr ? new PyO3Side : nullptr; }

}  // namespace tenure::bench
