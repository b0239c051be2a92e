// nanobind's side.

#include <nanobind/nanobind.h>

#include "tenure/bench/cpp/handles_sides.h"

namespace nb = nanobind;

namespace tenure::bench {

namespace {

// A handle that knows the type, without a reference of its own: the cheapest there is.
template <typename T>
class Known {
 public:
  explicit Known(PyObject* object) : object_(nb::steal<T>(object)) {}
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
  for (size_t i = 0; i < times; ++i) use(nb::len(*Known<nb::list>(fresh(list))));
  return true;
}

bool attribute(const Subjects* subjects, size_t times) {
  PyObject* const object = subjects->object;
  const nb::handle name(subjects->name);
  for (size_t i = 0; i < times; ++i) {
    const nb::object found = nb::getattr(nb::handle(fresh(object)), name);
    use(found.ptr());
  }
  return true;
}

bool append(const Subjects* subjects, size_t times) {
  PyObject* const room = subjects->room;
  const nb::handle none(Py_None);
  for (size_t i = 0; i < times; ++i) Known<nb::list>(fresh(room))->append(none);
  return true;
}

bool lookup(const Subjects* subjects, size_t times) {
  PyObject* const dict = subjects->dict;
  const nb::handle key(subjects->key);
  const nb::handle none(Py_None);
  for (size_t i = 0; i < times; ++i) {
    const nb::object found = Known<nb::dict>(fresh(dict))->get(key, none);
    use(found.ptr());
  }
  return true;
}

bool temporaries(const Subjects* /*subjects*/, size_t times) {
  for (size_t i = 0; i < times; ++i) {
    const nb::int_ number(kFirstNumber + i);
    const nb::str text(number);
    use(text.ptr());
  }
  return true;
}

}  // namespace

Side nanobind_side() {
  return {"nanobind " NB_TOSTRING(NB_VERSION_MAJOR) "." NB_TOSTRING(NB_VERSION_MINOR),
          len,
          attribute,
          append,
          lookup,
          temporaries};
}

}  // namespace tenure::bench
