// Float: views of Python's float.
//
//   Result<double> x = Float::from(object);  // of a float, an int, or what has __float__
//
// Not for: exact decimals or fractions; those are objects like any other.
//
// Thread safety: attached for everything. A float never changes.
#ifndef TENURE_HANDLES_FLOAT_H_
#define TENURE_HANDLES_FLOAT_H_

#include "tenure/handles/object.h"

namespace tenure {

class Float : public Object {
 public:
  static constexpr const char* kName = "float";
  static bool check(PyObject* object) { return PyFloat_Check(object); }

  // New reference, or MemoryError.
  static Result<Float> make(double value) { return PyFloat_FromDouble(value); }

  [[nodiscard]] double value() const { return PyFloat_AS_DOUBLE(get()); }

  // The number that a float, an int or an object with __float__ or __index__ stands for. TypeError
  // for all others, strs among them; OverflowError for an int beyond all doubles. May run Python
  // code, but not for floats.
  static Result<double> from(const Object& object) {
    if (PyFloat_CheckExact(object.get())) [[likely]]
      return PyFloat_AS_DOUBLE(object.get());
    return from_slowly(object.get());
  }

 protected:
  using Object::Object;
  Float(const Float&) = default;
  Float& operator=(const Float&) = default;

 private:
  [[gnu::noinline]] static Result<double> from_slowly(PyObject* object) {
    const double value = PyFloat_AsDouble(object);
    if (value == -1.0 && internal::is_error_set()) return Failed{};
    return value;
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_FLOAT_H_
