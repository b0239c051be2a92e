// The C++ side of `./dev bench pool/alloc` and `pool/trim`: memory of instances, taken and given
// back without anything of Python's around it.
//
// A type is one of a point of two doubles, or of a node that holds an object and is the
// collector's; each once with CPython's slots and once with a pool's, and of the point once with
// slots that do next to nothing, which is as far down as calls go. What is timed is what tp_new
// and tp_dealloc do with them: tp_alloc by the type's slot, tp_free by the slot of the object's
// type, and the reference to the type dropped, which tp_alloc took.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tenure/pool/instance_pool.h"

namespace {

struct Point {
  PyObject_HEAD
  double x;
  double y;
};
struct Node {
  PyObject_HEAD
  PyObject* held;
};

void dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
  type->tp_free(self);
  Py_DECREF(type);
}
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

// The same instance each time: no memory, only the reference to its type.
PyObject* alloc_nothing(PyTypeObject* type, Py_ssize_t /*items*/) {
  static Point instance;
  auto* const object = reinterpret_cast<PyObject*>(&instance);
  tenure::abi::start_object_quickly(object, type);
  return object;
}
void free_nothing(void* /*instance*/) {}

enum class Slots : unsigned char { kDefault, kPooled, kNothing };

PyTypeObject* new_type(bool is_node, Slots which) {
  std::vector<PyType_Slot> slots = {{Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)}};
  if (is_node) slots.push_back({Py_tp_traverse, reinterpret_cast<void*>(&traverse)});
  if (which == Slots::kNothing) {
    slots.insert(slots.end(), {{Py_tp_alloc, reinterpret_cast<void*>(&alloc_nothing)},
                               {Py_tp_free, reinterpret_cast<void*>(&free_nothing)}});
  } else if (which == Slots::kPooled && is_node) {
    slots.insert(slots.end(),
                 {TENURE_INSTANCE_POOL_SLOTS(Node, 0, tenure::pool::Kind::kCollected)});
  } else if (which == Slots::kPooled) {
    slots.insert(slots.end(), {TENURE_INSTANCE_POOL_SLOTS(Point, 0, tenure::pool::Kind::kPlain)});
  }
  slots.push_back({});
  PyType_Spec spec = {
      "pool_memory.Instance", static_cast<int>(is_node ? sizeof(Node) : sizeof(Point)), 0,
      static_cast<unsigned int>(Py_TPFLAGS_DEFAULT | (is_node ? Py_TPFLAGS_HAVE_GC : 0)),
      slots.data()};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

struct Kind {
  PyTypeObject* type = nullptr;
  const char* name = nullptr;
  const char* side = nullptr;
};

// Steals the reference to the kind's type at the end of its scope.
bool parse(PyObject* args, Kind& kind, Py_ssize_t& first, Py_ssize_t& second) {
  if (!PyArg_ParseTuple(args, "ssnn", &kind.name, &kind.side, &first, &second)) return false;
  const Slots which = std::strcmp(kind.side, "default") == 0   ? Slots::kDefault
                      : std::strcmp(kind.side, "nothing") == 0 ? Slots::kNothing
                                                               : Slots::kPooled;
  kind.type = new_type(std::strcmp(kind.name, "node") == 0, which);
  return kind.type != nullptr;
}

// By the slots of the type, as any type's tp_new and tp_dealloc do.
struct BySlots {
  static PyObject* take(PyTypeObject* type) { return type->tp_alloc(type, 0); }
  static void give(PyObject* instance) { Py_TYPE(instance)->tp_free(instance); }
};
// As those of a class that knows its pool do, where the compiler sees what they call.
using PointPool = tenure::pool::InstancePool<Point, 0, tenure::pool::Kind::kPlain>;
using NodePool = tenure::pool::InstancePool<Node, 0, tenure::pool::Kind::kCollected>;
template <typename Pool>
struct Directly {
  static PyObject* take(PyTypeObject* type) { return Pool::tp_alloc(type, 0); }
  static void give(PyObject* instance) { Pool::tp_free(instance); }
};

template <typename How>
bool take_and_give(PyTypeObject* type, std::vector<PyObject*>& instances) {
  for (PyObject*& instance : instances) {
    instance = How::take(type);
    if (instance == nullptr) return false;
  }
  for (PyObject* const instance : instances) {
    PyTypeObject* const its_type = Py_TYPE(instance);
    How::give(instance);
    Py_DECREF(its_type);
  }
  return true;
}

using Work = bool (*)(PyTypeObject* type, std::vector<PyObject*>& instances);
Work work_of(const Kind& kind) {
  if (std::strcmp(kind.side, "inlined") != 0) return &take_and_give<BySlots>;
  return std::strcmp(kind.name, "node") == 0 ? &take_and_give<Directly<NodePool>>
                                             : &take_and_give<Directly<PointPool>>;
}

// (kind, side, alive, rounds): nanoseconds that an instance's memory takes, in the fastest of
// `rounds` rounds, when so many are taken and then given back. The collector does not run
// meanwhile.
PyObject* alloc(PyObject* /*module*/, PyObject* args) {
  using Clock = std::chrono::steady_clock;
  constexpr Py_ssize_t kPerRound = 20'000;
  Kind kind;
  Py_ssize_t alive;
  Py_ssize_t rounds;
  if (!parse(args, kind, alive, rounds)) return nullptr;
  std::vector<PyObject*> instances(static_cast<size_t>(alive));
  const Work work = work_of(kind);
  double best = 1e9;
  for (Py_ssize_t round = 0; round < rounds; ++round) {
    const Clock::time_point start = Clock::now();
    for (Py_ssize_t done = 0; done < kPerRound; done += alive) {
      if (!work(kind.type, instances)) return nullptr;
    }
    const std::chrono::duration<double, std::nano> took = Clock::now() - start;
    best = std::min(best, took.count() / kPerRound);
  }
  Py_DECREF(kind.type);
  return PyFloat_FromDouble(best);
}

// (kind, side, alive, rounds): the same work, to be counted. None.
PyObject* run(PyObject* /*module*/, PyObject* args) {
  Kind kind;
  Py_ssize_t alive;
  Py_ssize_t rounds;
  if (!parse(args, kind, alive, rounds)) return nullptr;
  std::vector<PyObject*> instances(static_cast<size_t>(alive));
  const Work work = work_of(kind);
  for (Py_ssize_t round = 0; round < rounds; ++round) {
    if (!work(kind.type, instances)) return nullptr;
  }
  Py_DECREF(kind.type);
  Py_RETURN_NONE;
}

long resident_kib() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return -1;
  long size = 0;
  long resident = 0;
  const int found = std::fscanf(file, "%ld %ld", &size, &resident);
  std::fclose(file);
  constexpr long kKibOfPage = 4;
  return found == 2 ? resident * kKibOfPage : -1;
}

// (kind, side, alive, 0): KiB that the process has before so many instances are made, with them,
// and after they are gone and the pool is trimmed.
PyObject* grow(PyObject* /*module*/, PyObject* args) {
  Kind kind;
  Py_ssize_t alive;
  Py_ssize_t unused;
  if (!parse(args, kind, alive, unused)) return nullptr;
  std::vector<PyObject*> one(1);
  std::vector<PyObject*> instances(static_cast<size_t>(alive), nullptr);
  if (!take_and_give<BySlots>(kind.type, one)) return nullptr;
  const long before = resident_kib();
  for (PyObject*& instance : instances) {
    instance = kind.type->tp_alloc(kind.type, 0);
    if (instance == nullptr) return nullptr;
  }
  const long with = resident_kib();
  for (PyObject* const instance : instances) Py_DECREF(instance);
  tenure::pool::trim_all();
  const long after = resident_kib();
  Py_DECREF(kind.type);
  return Py_BuildValue("lll", before, with, after);
}

PyMethodDef methods[] = {
    {"alloc", alloc, METH_VARARGS, nullptr},
    {"run", run, METH_VARARGS, nullptr},
    {"grow", grow, METH_VARARGS, nullptr},
    {},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "pool_memory", .m_size = 0, .m_methods = methods};

}  // namespace

PyMODINIT_FUNC PyInit_pool_memory() { return PyModuleDef_Init(&definition); }
