// The C++ half of `./dev bench decref`: an extension module, as what it measures would be part of
// one.
//
// Its functions each do one measurement and answer times in nanoseconds; what is compared with
// what, and how often, is decided by the scripts bench/samples/decref_*.py.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/version.hpp>

#include "tenure/bench/cpp/decref_flood.h"
#include "tenure/bench/cpp/decref_producers.h"
#include "tenure/bench/cpp/decref_sides.h"
#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"

namespace tenure::bench {

namespace {

// Of the list that is given: what drops go round.
std::vector<PyObject*> objects_of(PyObject* list) {
  std::vector<PyObject*> objects;
  objects.reserve(static_cast<size_t>(PyList_GET_SIZE(list)));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    objects.push_back(PyList_GET_ITEM(list, i));
  }
  return objects;
}

void add_references(const std::vector<PyObject*>& objects, Py_ssize_t count) {
  for (PyObject* object : objects) Py_SET_REFCNT(object, Py_REFCNT(object) + count);
}

Side* side_or_error(const char* name) {
  Side* side = find_side(name);
  if (side == nullptr && PyErr_Occurred() == nullptr) {
    PyErr_Format(PyExc_ValueError, "there is no side called %s", name);
  }
  return side;
}

// False, with a Python error set, if a reference was lost or given back twice.
bool all_given_back(const std::vector<PyObject*>& objects, const char* side, Py_ssize_t before) {
  for (PyObject* object : objects) {
    if (Py_REFCNT(object) == before) continue;
    PyErr_Format(PyExc_RuntimeError, "%s: an object has %zd references, not %zd", side,
                 Py_REFCNT(object), before);
    return false;
  }
  return true;
}

PyObject* py_load_pyo3(PyObject*, PyObject* path) {
  const char* text = PyUnicode_AsUTF8(path);
  if (text == nullptr) return nullptr;
  const std::string version = load_pyo3(text);
  return version.empty() ? nullptr : PyUnicode_FromString(version.c_str());
}

// push(side, objects, threads, times) -> (wall, CPU, CPU of draining, whether it was disturbed)
PyObject* py_push(PyObject*, PyObject* args) {
  const char* name;
  PyObject* list;
  Py_ssize_t threads;
  Py_ssize_t times;
  if (PyArg_ParseTuple(args, "sO!nn", &name, &PyList_Type, &list, &threads, &times) == 0) {
    return nullptr;
  }
  Side* side = side_or_error(name);
  if (side == nullptr) return nullptr;
  const std::vector<PyObject*> objects = objects_of(list);
  const Py_ssize_t before = objects.empty() ? 0 : Py_REFCNT(objects[0]);
  side->prepare(objects);
  add_references(objects, threads * times);

  const auto push = [&](size_t) { side->drop(static_cast<size_t>(times)); };
  Producers::Took took;
  if (side->wants_gil()) {
    const Detach detach;
    took = Producers::get().run(static_cast<size_t>(threads), push);
  } else {
    // The GIL is held meanwhile: nobody drains what is being pushed.
    took = Producers::get().run(static_cast<size_t>(threads), push);
  }
  const int64_t start = thread_cpu_ns();
  side->drain();
  const int64_t draining = thread_cpu_ns() - start;

  if (!all_given_back(objects, name, before)) return nullptr;
  return Py_BuildValue("LLLO", took.wall_ns, took.cpu_ns, draining,
                       took.disturbed ? Py_True : Py_False);
}

// drop(side, objects, times, apart) -> CPU, of drops by this thread, attached
PyObject* py_drop(PyObject*, PyObject* args) {
  const char* name;
  PyObject* list;
  Py_ssize_t times;
  int apart;
  if (PyArg_ParseTuple(args, "sO!np", &name, &PyList_Type, &list, &times, &apart) == 0) {
    return nullptr;
  }
  Side* side = side_or_error(name);
  if (side == nullptr) return nullptr;
  const std::vector<PyObject*> objects = objects_of(list);
  const Py_ssize_t before = objects.empty() ? 0 : Py_REFCNT(objects[0]);
  side->prepare(objects);
  add_references(objects, times);
  const int64_t start = thread_cpu_ns();
  side->drop_attached(static_cast<size_t>(times), apart != 0);
  const int64_t cpu = thread_cpu_ns() - start;
  if (!all_given_back(objects, name, before)) return nullptr;
  return PyLong_FromLongLong(cpu);
}

std::unique_ptr<Flood> flood;
std::vector<PyObject*> flooded;

// flood(side, objects, threads, times, per second or 0, done: bytearray)
PyObject* py_flood(PyObject*, PyObject* args) {
  const char* name;
  PyObject* list;
  Py_ssize_t threads;
  Py_ssize_t times;
  double rate;
  PyObject* done;
  if (PyArg_ParseTuple(args, "sO!nndO!", &name, &PyList_Type, &list, &threads, &times, &rate,
                       &PyByteArray_Type, &done) == 0) {
    return nullptr;
  }
  Side* side = side_or_error(name);
  if (side == nullptr) return nullptr;
  // Both stay for good: the producers use them.
  Py_INCREF(list);
  Py_INCREF(done);
  flooded = objects_of(list);
  side->prepare(flooded);
  add_references(flooded, threads * times);
  flood = std::make_unique<Flood>(*side, flooded.size(), static_cast<size_t>(threads),
                                  static_cast<size_t>(times), rate,
                                  *reinterpret_cast<unsigned char*>(PyByteArray_AS_STRING(done)));
  Py_RETURN_NONE;
}

// flooded() -> (wall, CPU, resident KiB every 5 ms): waits for the flood's end.
PyObject* py_flooded(PyObject*, PyObject*) {
  Producers::Took took;
  {
    const Detach detach;
    took = flood->finish();
  }
  Strong samples = PyList_New(0);
  if (!samples) return nullptr;
  for (const int64_t kib : flood->resident()) {
    Strong number = PyLong_FromLongLong(kib);
    if (!number || PyList_Append(samples.get(), number.get()) < 0) return nullptr;
  }
  return Py_BuildValue("LLO", took.wall_ns, took.cpu_ns, samples.get());
}

PyObject* py_resident(PyObject*, PyObject*) { return PyLong_FromLongLong(resident_kib()); }

// stats() -> what the queue counted.
PyObject* py_stats(PyObject*, PyObject*) {
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) return nullptr;
  const DeferStats stats = queue->stats();
  return Py_BuildValue("{sKsKsKsKsKsKsK}", "pushed", stats.pushed, "drained", stats.drained,
                       "pending", stats.pending, "high_water", stats.high_water, "pending_calls",
                       stats.pending_calls, "reaper_drains", stats.reaper_drains,
                       "longest_drain_ns", stats.longest_drain_ns);
}

// The only reference to what is in a list of one, which is empty afterwards.
PyObject* take_from(PyObject* list) {
  if (!PyList_CheckExact(list) || PyList_GET_SIZE(list) != 1) {
    PyErr_SetString(PyExc_TypeError, "a list of one object is wanted");
    return nullptr;
  }
  PyObject* object = Py_NewRef(PyList_GET_ITEM(list, 0));
  if (PyList_SetSlice(list, 0, 1, nullptr) < 0) Py_CLEAR(object);
  return object;
}

// release([object], budget in ns) -> (wall, CPU, longest wall, longest undisturbed, steps): drops
// the object within the budgets of drains. The first step is the call that takes the object over. A
// step is undisturbed without the time in which other programs had the processor.
PyObject* py_release(PyObject*, PyObject* args) {
  PyObject* list;
  Py_ssize_t budget;
  if (PyArg_ParseTuple(args, "On", &list, &budget) == 0) return nullptr;
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) return nullptr;
  PyObject* object = take_from(list);
  if (object == nullptr) return nullptr;

  const int64_t wall = wall_ns();
  const int64_t cpu = thread_cpu_ns();
  int64_t longest_wall = 0;
  int64_t longest_undisturbed = 0;
  long steps = 0;
  const auto step = [&](auto body) {
    const int64_t waited = waited_ns();
    const int64_t start = wall_ns();
    body();
    const int64_t took = wall_ns() - start;
    longest_wall = std::max(longest_wall, took);
    longest_undisturbed = std::max(longest_undisturbed, took - (waited_ns() - waited));
    ++steps;
  };
  step([&] { queue->release_incrementally(object); });
  for (bool more = true; more;) {
    step([&] { more = queue->drain({.time = std::chrono::nanoseconds(budget)}).more; });
  }
  return Py_BuildValue("LLLLl", wall_ns() - wall, thread_cpu_ns() - cpu, longest_wall,
                       longest_undisturbed, steps);
}

// drop_at_once([object]) -> the same: one step
PyObject* py_drop_at_once(PyObject*, PyObject* list) {
  PyObject* object = take_from(list);
  if (object == nullptr) return nullptr;
  const int64_t waited = waited_ns();
  const int64_t start = wall_ns();
  const int64_t cpu_start = thread_cpu_ns();
  Py_DECREF(object);
  const int64_t cpu = thread_cpu_ns() - cpu_start;
  const int64_t wall = wall_ns() - start;
  return Py_BuildValue("LLLLl", wall, cpu, wall, wall - (waited_ns() - waited), 1L);
}

PyMethodDef methods[] = {
    {"load_pyo3", py_load_pyo3, METH_O, nullptr},
    {"push", py_push, METH_VARARGS, nullptr},
    {"drop", py_drop, METH_VARARGS, nullptr},
    {"flood", py_flood, METH_VARARGS, nullptr},
    {"flooded", py_flooded, METH_NOARGS, nullptr},
    {"resident", py_resident, METH_NOARGS, nullptr},
    {"stats", py_stats, METH_NOARGS, nullptr},
    {"release", py_release, METH_VARARGS, nullptr},
    {"drop_at_once", py_drop_at_once, METH_O, nullptr},
    {},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "decref_bench", nullptr, -1, methods};

}  // namespace

}  // namespace tenure::bench

PyMODINIT_FUNC PyInit_decref_bench() {
  using tenure::Strong;
  Strong made = PyModule_Create(&tenure::bench::module);
  // The text is "1_92".
  std::string boost = "Boost " BOOST_LIB_VERSION;
  std::replace(boost.begin(), boost.end(), '_', '.');
  if (!made || PyModule_AddStringConstant(made.get(), "boost", boost.c_str()) < 0) return nullptr;
  return std::move(made).release();
}
