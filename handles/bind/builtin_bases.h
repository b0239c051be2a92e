// Built-in classes that a bound class may derive from in Python: ClassTraits<T>::BuiltinBase.
//
//   template <>
//   struct tenure::ClassTraits<Stack> : tenure::DefaultTraits<Stack> {
//     using BuiltinBase = List;
//   };
//
// An instance is a list, then the Stack. It begins empty, an exception without args: the base's
// __init__() is not called. Methods see the list as a Borrowed<>.
//
// Those that are missing here cannot be: int, str, bytes and tuple have no fixed size, bool and
// None no subclasses.
//
// Thread safety: as the class it is.
#ifndef TENURE_HANDLES_BIND_BUILTIN_BASES_H_
#define TENURE_HANDLES_BIND_BUILTIN_BASES_H_

#include "tenure/handles/bind/instance.h"
#include "tenure/handles/dict.h"
#include "tenure/handles/exception.h"
#include "tenure/handles/list.h"
#include "tenure/handles/set.h"

namespace tenure::bind {

template <>
struct BuiltinStruct<List> {
  using Type = PyListObject;
  static PyTypeObject* type() { return &PyList_Type; }
};
template <>
struct BuiltinStruct<Dict> {
  using Type = PyDictObject;
  static PyTypeObject* type() { return &PyDict_Type; }
};
template <>
struct BuiltinStruct<Set> {
  using Type = PySetObject;
  static PyTypeObject* type() { return &PySet_Type; }
};
template <>
struct BuiltinStruct<Exception> {
  using Type = PyBaseExceptionObject;
  static PyTypeObject* type() { return reinterpret_cast<PyTypeObject*>(PyExc_Exception); }
};

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_BUILTIN_BASES_H_
