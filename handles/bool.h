// Bool: views of True and False.
//
// Not for: asking whether an object counts as true; that is Object::truth().
//
// Thread safety: attached for everything. They never change and never go away.
#ifndef TENURE_HANDLES_BOOL_H_
#define TENURE_HANDLES_BOOL_H_

#include "tenure/handles/int.h"

namespace tenure {

// An Int too, as in Python.
class Bool : public Int {
 public:
  static constexpr const char* kName = "bool";
  static bool check(PyObject* object) { return PyBool_Check(object); }

  // Borrows from the interpreter, for good: both are immortal.
  static Borrowed<Bool> of(bool value);

  // New reference; never fails.
  static Owned<Bool> make(bool value);

  [[nodiscard]] bool value() const { return Py_IsTrue(get()); }

 protected:
  using Int::Int;
  Bool(const Bool&) = default;
  Bool& operator=(const Bool&) = default;
};

inline Borrowed<Bool> Bool::of(bool value) { return Borrowed<Bool>(value ? Py_True : Py_False); }
inline Owned<Bool> Bool::make(bool value) { return of(value).new_ref(); }

}  // namespace tenure

#endif  // TENURE_HANDLES_BOOL_H_
