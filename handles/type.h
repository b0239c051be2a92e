// Type: views of Python's types.
//
//   Owned<Str> name = TENURE_TRY(object.type().qualified_name());
//
// Not for: making types.
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_TYPE_H_
#define TENURE_HANDLES_TYPE_H_

#include "tenure/handles/str.h"

namespace tenure {

class Type : public Object {
 public:
  static constexpr const char* kName = "type";
  static bool check(PyObject* object) { return PyType_Check(object); }

  // Borrows: of a type that the interpreter or the caller keeps alive.
  static Borrowed<Type> of(PyTypeObject* type);

  // The same object as C sees it. Borrows.
  [[nodiscard]] PyTypeObject* get_type() const { return reinterpret_cast<PyTypeObject*>(get()); }

  // Whether it is that type or derived from it. Asks no __subclasscheck__, and never fails.
  [[nodiscard]] bool is_subtype_of(const Type& other) const {
    return PyType_IsSubtype(get_type(), other.get_type()) != 0;
  }
  // Whether the object is of this type or of one derived from it. Asks no __instancecheck__.
  [[nodiscard]] bool is_type_of(const Object& object) const {
    return PyObject_TypeCheck(object.get(), get_type());
  }

  // New references: __name__, __qualname__, and with the module in front, as in error messages.
  Result<Str> name() const { return PyType_GetName(get_type()); }
  Result<Str> qualified_name() const { return PyType_GetQualName(get_type()); }
  Result<Str> full_name() const { return PyType_GetFullyQualifiedName(get_type()); }

 protected:
  using Object::Object;
  Type(const Type&) = default;
  Type& operator=(const Type&) = default;
};

inline Borrowed<Type> Type::of(PyTypeObject* type) {
  return Borrowed<Type>(reinterpret_cast<PyObject*>(type));
}

// The real one, whatever __class__ says. Borrows from the object, for as long as nobody assigns
// to its __class__.
inline Borrowed<Type> Object::type() const { return Type::of(Py_TYPE(get())); }

}  // namespace tenure

#endif  // TENURE_HANDLES_TYPE_H_
