// A line at a counter, simulated: events and measurements by the hundred thousand, each gone a
// moment after it was made. Their memory stays for the next.
//
// Built by Bazel:   ./dev bazel build //examples/pooled:counter
// Used by:          examples/pooled/simulate.py

#include <cstddef>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/pool/instance_pool.h"

using namespace tenure;

// What is to happen at a time. A class that is bound; the collector knows its instances, since what
// they refer to may refer to them.
struct Event {
  double time;
  Owned<Object> action;
};

template <>
struct tenure::ClassTraits<Event> : tenure::DefaultTraits<Event> {
  using Pool = tenure::pool::InstancePool<Event>;
};

// Not more is kept than the program needs at once.
template <>
struct tenure::pool::PoolLimits<Event> : tenure::pool::DefaultLimits {
  static constexpr size_t kMostInstances = 100;
};

namespace {

bool is_before(const Event& a, const Event& b) { return a.time < b.time; }

// How long somebody waited. A class written by hand.
struct Wait {
  PyObject_HEAD
  double from;
  double until;
};
using WaitPool = pool::InstancePool<Wait>;

PyObject* new_wait(PyTypeObject* type, PyObject* args, PyObject* /*keywords*/) {
  double from;
  double until;
  if (PyArg_ParseTuple(args, "dd:Wait", &from, &until) == 0) return nullptr;
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  reinterpret_cast<Wait*>(self)->from = from;
  reinterpret_cast<Wait*>(self)->until = until;
  return self;
}

void drop_wait(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* length_of_wait(PyObject* self, void* /*closure*/) {
  const auto* const wait = reinterpret_cast<Wait*>(self);
  return PyFloat_FromDouble(wait->until - wait->from);
}

PyGetSetDef wait_attributes[] = {{"length", length_of_wait, nullptr, "Until it was over.", nullptr},
                                 {}};
PyType_Slot wait_slots[] = {TENURE_INSTANCE_POOL_SLOTS(Wait),
                            {Py_tp_new, reinterpret_cast<void*>(&new_wait)},
                            {Py_tp_dealloc, reinterpret_cast<void*>(&drop_wait)},
                            {Py_tp_getset, wait_attributes},
                            {}};
PyType_Spec wait_spec = {"counter.Wait", sizeof(Wait), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                         wait_slots};

// Statistics and trimming, for who runs the program.
Result<Dict> pool_statistics() {
  const pool::PoolStatistics counted = pool::statistics_of_all();
  const struct {
    const char* name;
    size_t value;
  } shown[] = {{"live", counted.live},
               {"retained", counted.retained},
               {"retained_bytes", counted.retained_bytes},
               {"high_water", counted.high_water},
               {"from_heap", counted.from_heap},
               {"to_heap", counted.to_heap}};
  Owned<Dict> dict = TENURE_TRY(Dict::make());
  for (const auto& [name, value] : shown) {
    TENURE_TRY(dict.set(name, TENURE_TRY(Int::make(value))));
  }
  return dict;
}

size_t trim_pools() { return pool::trim_all(); }

}  // namespace

TENURE_MODULE(counter, m, .doc = "A line at a counter.", .per_interpreter_gil = true) {
  m.class_<Event>("Event", doc("What is to happen at a time."))
      .init<double, Owned<Object>>(arg("time"), arg("action"))
      .readonly<&Event::time>("time")
      .readonly<&Event::action>("action")
      .op<Op::kLt, &is_before>();
  m.attr("Wait", Owned<Object>::steal(PyType_FromSpec(&wait_spec)));
  m.def<&pool_statistics>("pool_statistics");
  m.def<&trim_pools>("trim_pools");
}
