// What a bound function gets before its arguments: an instance's C++ object, the object itself, a
// class, or the state of its module.
//
// Not for: including directly; module.h and class.h use it.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_SELF_H_
#define TENURE_HANDLES_BIND_SELF_H_

#include "tenure/handles/bind/instance.h"

namespace tenure::bind {

// CPython's method descriptors have made sure that it is an instance.
template <typename T>
struct ObjectSelf {
  static constexpr bool kIsMethod = true;
  static bool is_usable(PyObject* self) { return bind::is_usable<T>(self); }
  static T& get(PyObject* self) { return object_of<T>(self); }
};

// The Python object; as a class derived from T sees itself.
template <typename T>
struct HandleSelf {
  static constexpr bool kIsMethod = true;
  static bool is_usable(PyObject* self) { return bind::is_usable<T>(self); }
  static Borrowed<> get(PyObject* self) { return Borrowed<>(self); }
};

// Whatever CPython gives: of class methods the class, of constructors the type or the instance.
struct PlainSelf {
  static constexpr bool kIsMethod = true;
  static bool is_usable(PyObject* /*self*/) { return true; }
  static PyObject* get(PyObject* self) { return self; }
};
struct ClassSelf {
  static constexpr bool kIsMethod = true;
  static bool is_usable(PyObject* /*self*/) { return true; }
  static Borrowed<> get(PyObject* self) { return Borrowed<>(self); }
};

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_SELF_H_
