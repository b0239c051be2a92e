// The C API's side of `./dev bench literals`: all objects are made when the module is imported.

#include "tenure/bench/cpp/literals.h"

namespace tenure::bench {
namespace {

struct Made {
  static inline PyObject* texts[kCount];
  static inline PyObject* names[kCount];
  static inline PyObject* numbers[kCount];
  static inline PyObject* tuples[kTuples];

  template <size_t kIndex>
  static bool make() {
    texts[kIndex] = PyUnicode_FromString(kText<kIndex>.chars);
    names[kIndex] = PyUnicode_InternFromString(kName<kIndex>.chars);
    numbers[kIndex] = PyLong_FromLongLong(kNumber<kIndex>);
    return texts[kIndex] != nullptr && names[kIndex] != nullptr && numbers[kIndex] != nullptr;
  }

  template <size_t kIndex>
  static bool make_tuple() {
    PyObject* fraction = PyFloat_FromDouble(kFraction<kIndex>);
    if (fraction == nullptr) return false;
    tuples[kIndex] = PyTuple_Pack(3, texts[kIndex], numbers[kIndex], fraction);
    Py_DECREF(fraction);
    return tuples[kIndex] != nullptr;
  }

  template <size_t... kIndices, size_t... kOfTuples>
  static bool make_all(std::index_sequence<kIndices...>, std::index_sequence<kOfTuples...>) {
    return (make<kIndices>() && ...) && (make_tuple<kOfTuples>() && ...);
  }
  static bool start() {
    return make_all(std::make_index_sequence<kCount>(), std::make_index_sequence<kTuples>());
  }

  template <size_t kIndex>
  static PyObject* text() {
    return texts[kIndex];
  }
  template <size_t kIndex>
  static PyObject* name() {
    return names[kIndex];
  }
  template <size_t kIndex>
  static PyObject* number() {
    return numbers[kIndex];
  }
  template <size_t kIndex>
  static PyObject* tuple() {
    return tuples[kIndex];
  }
};

}  // namespace
}  // namespace tenure::bench

PyMODINIT_FUNC PyInit_literals_made() {
  return tenure::bench::Module<tenure::bench::Made>::make("literals_made");
}
