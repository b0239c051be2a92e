// pybind11's side.

#include <pybind11/pybind11.h>

#include "tenure/bench/cpp/handles_sides.h"

namespace py = pybind11;

namespace tenure::bench {

namespace {

// A handle that knows the type, without a reference of its own: the cheapest there is.
template <typename T>
class Known {
 public:
  explicit Known(PyObject* object) : object_(py::reinterpret_steal<T>(object)) {}
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;
  ~Known() { object_.release(); }
  T* operator->() { return &object_; }
  T& operator*() { return object_; }

 private:
  T object_;
};

bool len(const Subjects* subjects, size_t times) {
  PyObject* const list = subjects->list;
  for (size_t i = 0; i < times; ++i) use(Known<py::list>(fresh(list))->size());
  return true;
}

bool attribute(const Subjects* subjects, size_t times) {
  PyObject* const object = subjects->object;
  const py::handle name(subjects->name);
  for (size_t i = 0; i < times; ++i) {
    const py::object found = py::getattr(py::handle(fresh(object)), name);
    use(found.ptr());
  }
  return true;
}

bool append(const Subjects* subjects, size_t times) {
  PyObject* const room = subjects->room;
  const py::handle none(Py_None);
  for (size_t i = 0; i < times; ++i) Known<py::list>(fresh(room))->append(none);
  return true;
}

bool lookup(const Subjects* subjects, size_t times) {
  PyObject* const dict = subjects->dict;
  const py::handle key(subjects->key);
  for (size_t i = 0; i < times; ++i) {
    const py::object found = (*Known<py::dict>(fresh(dict)))[key];
    use(found.ptr());
  }
  return true;
}

bool temporaries(const Subjects* /*subjects*/, size_t times) {
  for (size_t i = 0; i < times; ++i) {
    const py::int_ number(kFirstNumber + i);
    const py::str text(number);
    use(text.ptr());
  }
  return true;
}

}  // namespace

Side pybind11_side() {
  return {"pybind11 " PYBIND11_TOSTRING(PYBIND11_VERSION_MAJOR) "." PYBIND11_TOSTRING(
              PYBIND11_VERSION_MINOR),
          len,
          attribute,
          append,
          lookup,
          temporaries};
}

}  // namespace tenure::bench
