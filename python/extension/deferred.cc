// What tenure.deferred asks the queues of an interpreter: those of this module and those of every
// other extension module that has a copy of its own.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"
#include "tenure/core/tenure_deferred.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {

namespace {

// Calls visit(table, queue) for each queue of this interpreter. False with a Python error.
template <typename Visit>
bool for_each_queue(Visit visit) {
  PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr) return PyErr_Occurred() == nullptr;
  PyObject* found = nullptr;
  if (PyDict_GetItemStringRef(dict, DecrefQueue::kQueuesKey, &found) < 0) return false;
  // A copy: what a flush runs may make queues.
  Strong listed = found;
  if (!listed) return true;
  Strong queues = PySequence_List(listed.get());
  if (!queues) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(queues.get()); ++i) {
    PyObject* capsule = PyList_GET_ITEM(queues.get(), i);
    auto* queue =
        static_cast<tenure_queue*>(PyCapsule_GetPointer(capsule, DecrefQueue::kCapsuleName));
    auto* table = static_cast<const tenure_deferred_api*>(PyCapsule_GetContext(capsule));
    if (queue == nullptr || table == nullptr) return false;
    visit(*table, queue);
  }
  return true;
}

void add(tenure_queue_counts& sum, const tenure_queue_counts& one) {
  sum.pushed += one.pushed;
  sum.drained += one.drained;
  sum.leaked += one.leaked;
  sum.pending += one.pending;
  sum.high_water = std::max(sum.high_water, one.high_water);
  sum.drains += one.drains;
  sum.longest_drain_ns = std::max(sum.longest_drain_ns, one.longest_drain_ns);
  sum.pending_calls += one.pending_calls;
  sum.reaper_drains += one.reaper_drains;
  sum.dismantling += one.dismantling;
  sum.lanes += one.lanes;
}

}  // namespace

PyObject* deferred_stats(PyObject*, PyObject*) {
  tenure_queue_counts sum = {};
  uint64_t queues = 0;
  if (!for_each_queue([&](const tenure_deferred_api& table, tenure_queue* queue) {
        tenure_queue_counts counts = {};
        table.queue_count(queue, &counts, sizeof(counts));
        add(sum, counts);
        ++queues;
      })) {
    return nullptr;
  }
  return Py_BuildValue("{sK sK sK sK sK sK sK sK sK sK sK sK}",             //
                       "pushed", sum.pushed, "drained", sum.drained,        //
                       "leaked", sum.leaked, "pending", sum.pending,        //
                       "high_water", sum.high_water, "drains", sum.drains,  //
                       "longest_drain_ns", sum.longest_drain_ns,            //
                       "pending_calls", sum.pending_calls,                  //
                       "reaper_drains", sum.reaper_drains,                  //
                       "dismantling", sum.dismantling, "lanes", sum.lanes,  //
                       "queues", queues);
}

PyObject* deferred_flush(PyObject*, PyObject*) {
  size_t done = 0;
  if (!for_each_queue([&](const tenure_deferred_api& table, tenure_queue* queue) {
        done += table.queue_flush(queue);
      })) {
    return nullptr;
  }
  return PyLong_FromSize_t(done);
}

PyObject* deferred_bound(PyObject*, PyObject*) {
  return PyFloat_FromDouble(static_cast<double>(tenure_deferred_get_bound()) / 1e9);
}

PyObject* deferred_set_bound(PyObject*, PyObject* seconds) {
  const double value = PyFloat_AsDouble(seconds);
  if (value == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
  constexpr double kLeast = 0.001;
  constexpr double kMost = 3600.0;
  // Also false for a nan.
  if (!(value >= kLeast && value <= kMost)) {
    PyErr_Format(PyExc_ValueError, "the bound is between 0.001 and 3600 seconds, not %R", seconds);
    return nullptr;
  }
  const auto nanoseconds = static_cast<int64_t>(std::llround(value * 1e9));
  tenure_deferred_set_bound(nanoseconds);
  if (!for_each_queue(
          [&](const tenure_deferred_api& table, tenure_queue*) { table.set_bound(nanoseconds); })) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* release(PyObject*, PyObject* object) {
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) return nullptr;
  queue->release_when_unused(Py_NewRef(object));
  Py_RETURN_NONE;
}

int add_deferred_api(PyObject* module) {
  Strong capsule = PyCapsule_New(const_cast<tenure_deferred_api*>(tenure_deferred_get_api()),
                                 TENURE_DEFERRED_CAPSULE, nullptr);
  return capsule ? PyModule_AddObjectRef(module, "_deferred_api", capsule.get()) : -1;
}

}  // namespace tenure::extension
