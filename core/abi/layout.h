// Selects the layout header of the CPython version that is compiled for.
//
// The contract. A layout_py3NN.h defines, in namespace tenure::abi::layout:
//
//   kHead               the fields of an object in front of its type; those of role kCount hold,
//                       reset, what they hold in an immortal object
//   set_count()         gives an object that no other thread knows a reference count of its own
//   add_to_count()      raises the count of an immortal object
//   kImmortalMargin     by how much it may be raised, for references that are still to be dropped
//   kCollectorHeadBytes how many bytes the collector has in front of objects that it can know
//   has_collector_bits()  whether the collector left anything in an object's head
//   kCollectorCountsTracked  whether the collector counts the objects on its lists
//   kDictsStayTracked   whether debug builds assert that the collector knows every dict
//   kTupleHead          the fields of a tuple between ob_size and its items
//   kInternTableIsDict  whether the collector knows the dict in which the interpreter keeps its
//                       interned strings, each as the key and the value of an entry
//   kCopiesCode         whether a copy of a code object can be used; if not, code has no shape
//   kCodeAfterMonitor   the fields of a code object between _co_monitoring and _co_firsttraceable
//
// Every value is taken from the installed headers; layout_test.cc checks that the fields tile each
// object without a gap, and that objects made by the running interpreter agree.
//
// What the versions with a GIL have in common is in layout_gil.h, which theirs include. Supporting
// a new version is one such file and one line here.
#ifndef TENURE_CORE_ABI_LAYOUT_H_
#define TENURE_CORE_ABI_LAYOUT_H_

#include "tenure/core/abi/python.h"

#ifdef Py_GIL_DISABLED
#if PY_VERSION_HEX >= 0x030e0000
#error "This free-threaded CPython has no layout here: add core/abi/layout_py3NNt.h."
#elif PY_VERSION_HEX >= 0x030d0000
#include "tenure/core/abi/layout_py313t.h"
#endif
#elif PY_VERSION_HEX >= 0x03100000
#error "This CPython is newer than every layout Tenure knows: add core/abi/layout_py3NN.h."
#elif PY_VERSION_HEX >= 0x030f0000
#include "tenure/core/abi/layout_py315.h"
#elif PY_VERSION_HEX >= 0x030e0000
#include "tenure/core/abi/layout_py314.h"
#elif PY_VERSION_HEX >= 0x030d0000
#include "tenure/core/abi/layout_py313.h"
#else
#error "Tenure needs CPython 3.13 or newer."
#endif

#endif  // TENURE_CORE_ABI_LAYOUT_H_
