// Tenure's side of `./dev bench literals`.

#include "tenure/bench/cpp/literals.h"
#include "tenure/immortal/literal.h"

namespace tenure::bench {
namespace {

struct Literals {
  static bool start() { return prepare_names(); }

  template <size_t kIndex>
  static PyObject* text() {
    return literal::object<literal::str(kText<kIndex>.chars)>();
  }
  template <size_t kIndex>
  static PyObject* name() {
    return literal::Name<kName<kIndex>.chars>::get();
  }
  template <size_t kIndex>
  static PyObject* number() {
    return literal::object<kNumber<kIndex>>();
  }
  template <size_t kIndex>
  static PyObject* tuple() {
    return literal::object<
        literal::tuple<literal::str(kText<kIndex>.chars), kNumber<kIndex>, kFraction<kIndex>>>();
  }
};

// What names are not to be.
struct TextsAsNames {
  template <size_t kIndex>
  static PyObject* name() {
    return literal::object<literal::str(kName<kIndex>.chars)>();
  }
};

PyMethodDef find_names_by_texts = {"find_names_by_texts", Module<TextsAsNames>::find_names, METH_O,
                                   nullptr};

}  // namespace
}  // namespace tenure::bench

PyMODINIT_FUNC PyInit_literals_tenure() {
  PyObject* module = tenure::bench::Module<tenure::bench::Literals>::make("literals_tenure");
  if (module == nullptr) return nullptr;
  PyObject* function = PyCFunction_New(&tenure::bench::find_names_by_texts, nullptr);
  if (PyModule_Add(module, "find_names_by_texts", function) < 0) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}
