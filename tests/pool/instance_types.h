// Classes written by hand for the tests of instance pools, of this interpreter.
//
// Thread safety: attached.
#ifndef TENURE_TESTS_POOL_INSTANCE_TYPES_H_
#define TENURE_TESTS_POOL_INSTANCE_TYPES_H_

#include "tenure/core/strong.h"
#include "tenure/pool/instance_pool.h"

namespace tenure::testing {

// Not the collector's.
struct Point {
  PyObject_HEAD
  double x;
  double y;
};
// The collector's; `next` can be set from Python.
struct Node {
  PyObject_HEAD
  PyObject* next;
};
// The same with a list of weak references, and perhaps a dict, that CPython keeps.
struct Managed {
  PyObject_HEAD
  PyObject* next;
};

using PointPool = pool::InstancePool<Point>;
using NodePool = pool::InstancePool<Node>;
using ManagedPool = pool::InstancePool<Managed>;

// New types, whose instances are made by calling them. Those that are not pooled have CPython's
// slots. They end the program if there is an error.
Strong new_point_type(bool pooled = true);
Strong new_node_type(bool pooled = true);
Strong new_managed_type(bool with_dict = false);
// Types that derive from another and say nothing of memory: with as many bytes more.
Strong new_derived_type(PyObject* base, int more);

// One that all interpreters share. Borrowed.
PyTypeObject* static_node_type();

inline PyTypeObject* as_type(const Strong& type) {
  return reinterpret_cast<PyTypeObject*>(type.get());
}

// A new instance, made without arguments. Ends the program on an error.
Strong make(PyObject* type);
inline Strong make(const Strong& type) { return make(type.get()); }
inline void make_and_drop(PyObject* type) { const Strong made = make(type); }
inline void make_and_drop(const Strong& type) { make_and_drop(type.get()); }

}  // namespace tenure::testing

#endif  // TENURE_TESTS_POOL_INSTANCE_TYPES_H_
