#include "tenure/tests/core/exit_programs.h"

#include <optional>

#include "tenure/core/strong.h"
#include "tenure/tests/support/programs.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

std::optional<Deaths> all_deaths;

PyObject* make_mortal(PyObject*, PyObject*) { return deaths().make().release(); }

PyObject* defer_argument(PyObject*, PyObject* object) {
  DecrefQueue::current()->defer(Py_NewRef(object));
  Py_RETURN_NONE;
}

PyObject* drain_some(PyObject*, PyObject*) {
  return PyLong_FromSize_t(DecrefQueue::current()->drain({.objects = 10}).objects);
}

PyMethodDef methods[] = {
    {"mortal", make_mortal, METH_NOARGS, nullptr},
    {"defer", defer_argument, METH_O, nullptr},
    {"drain", drain_some, METH_NOARGS, nullptr},
};

}  // namespace

DecrefQueue& start_with_queue() {
  start_python();
  all_deaths.emplace();
  PyObject* names = PyModule_GetDict(PyImport_AddModule("__main__"));
  for (PyMethodDef& method : methods) {
    const Strong function = PyCFunction_New(&method, nullptr);
    require(PyDict_SetItemString(names, method.ml_name, function.get()) == 0, "it has a function");
  }
  DecrefQueue* queue = DecrefQueue::current();
  require(queue != nullptr, "there is a queue");
  return *queue;
}

Deaths& deaths() { return *all_deaths; }

void run_in_main(const char* source) { require(PyRun_SimpleString(source) == 0, source); }

void require_balanced(const DecrefQueue& queue) {
  const DeferStats stats = queue.stats();
  require(stats.pushed == stats.drained + stats.pending + stats.leaked, "the counts add up");
}

void finalize(const DecrefQueue& queue) {
  require(Py_FinalizeEx() == 0, "the interpreter ends well");
  require(queue.is_finished(), "the queue is finished");
  require(!queue.has_pending(), "nobody is asked to drain");
  require(queue.stats().pending == 0, "nothing is pending");
  require_balanced(queue);
}

}  // namespace tenure::testing
