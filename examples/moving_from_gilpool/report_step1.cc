// Step 1: a ReferencePool in place of the pool of our own, and nothing else.
//
// Built by Bazel:   ./dev bazel build //examples/moving_from_gilpool:report_step1

#include "tenure/pool/reference_pool.h"

using tenure::pool::ReferencePool;

namespace {

// The sum of the amounts of each customer's orders.
PyObject* totals(PyObject* /*module*/, PyObject* orders) {
  ReferencePool pool;
  PyObject* sums = pool.keep(PyDict_New());
  if (sums == nullptr) return nullptr;
  PyObject* iterator = pool.keep(PyObject_GetIter(orders));
  if (iterator == nullptr) return nullptr;
  while (PyObject* order = pool.keep(PyIter_Next(iterator))) {
    PyObject* customer = pool.keep(PyObject_GetAttrString(order, "customer"));
    if (customer == nullptr) return nullptr;
    PyObject* amount = pool.keep(PyObject_GetAttrString(order, "amount"));
    if (amount == nullptr) return nullptr;
    double sum = PyFloat_AsDouble(amount);
    if (sum == -1.0 && PyErr_Occurred()) return nullptr;
    PyObject* before = PyDict_GetItemWithError(sums, customer);
    if (before != nullptr) sum += PyFloat_AS_DOUBLE(before);
    if (before == nullptr && PyErr_Occurred()) return nullptr;
    PyObject* after = pool.keep(PyFloat_FromDouble(sum));
    if (after == nullptr || PyDict_SetItem(sums, customer, after) < 0) return nullptr;
  }
  if (PyErr_Occurred()) return nullptr;
  return Py_NewRef(sums);
}

// The longest of some strs, the first of those that are equally long.
PyObject* longest(PyObject* /*module*/, PyObject* texts) {
  ReferencePool pool;
  PyObject* iterator = pool.keep(PyObject_GetIter(texts));
  if (iterator == nullptr) return nullptr;
  PyObject* found = nullptr;
  while (PyObject* text = pool.keep(PyIter_Next(iterator))) {
    if (!PyUnicode_Check(text)) {
      return PyErr_Format(PyExc_TypeError, "expected str, not %.200s", Py_TYPE(text)->tp_name);
    }
    if (found == nullptr || PyUnicode_GET_LENGTH(text) > PyUnicode_GET_LENGTH(found)) found = text;
  }
  if (PyErr_Occurred()) return nullptr;
  if (found == nullptr) {
    PyErr_SetString(PyExc_ValueError, "there are no texts");
    return nullptr;
  }
  return Py_NewRef(found);
}

PyMethodDef methods[] = {{"totals", totals, METH_O, nullptr},
                         {"longest", longest, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "report_step1", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_report_step1() { return PyModuleDef_Init(&definition); }
