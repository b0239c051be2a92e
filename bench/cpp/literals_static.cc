// Another side of `./dev bench literals`: each object is a static variable of the place that uses
// it, made when that is first reached.

#include "tenure/bench/cpp/literals.h"

namespace tenure::bench {
namespace {

struct Static {
  static bool start() { return true; }

  template <size_t kIndex>
  static PyObject* text() {
    static PyObject* const made = PyUnicode_FromString(kText<kIndex>.chars);
    return made;
  }
  template <size_t kIndex>
  static PyObject* name() {
    static PyObject* const made = PyUnicode_InternFromString(kName<kIndex>.chars);
    return made;
  }
  template <size_t kIndex>
  static PyObject* number() {
    static PyObject* const made = PyLong_FromLongLong(kNumber<kIndex>);
    return made;
  }
  template <size_t kIndex>
  static PyObject* tuple() {
    static PyObject* const made =
        Py_BuildValue("(OOd)", text<kIndex>(), number<kIndex>(), kFraction<kIndex>);
    return made;
  }
};

}  // namespace
}  // namespace tenure::bench

PyMODINIT_FUNC PyInit_literals_static() {
  return tenure::bench::Module<tenure::bench::Static>::make("literals_static");
}
