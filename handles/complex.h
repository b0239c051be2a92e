// Complex: views of Python's complex, and std::complex out of it and into it.
//
// Thread safety: attached for everything. A complex never changes.
#ifndef TENURE_HANDLES_COMPLEX_H_
#define TENURE_HANDLES_COMPLEX_H_

#include <complex>

#include "tenure/handles/object.h"

namespace tenure {

class Complex : public Object {
 public:
  static constexpr const char* kName = "complex";
  static bool check(PyObject* object) { return PyComplex_Check(object); }

  // New reference, or MemoryError.
  static Result<Complex> make(std::complex<double> value) {
    return PyComplex_FromDoubles(value.real(), value.imag());
  }

  [[nodiscard]] std::complex<double> value() const {
    const Py_complex value = PyComplex_AsCComplex(get());
    return {value.real, value.imag};
  }

  // The number that a complex, a float, an int or an object with __complex__, __float__ or
  // __index__ stands for. TypeError for all others. May run Python code.
  static Result<std::complex<double>> from(const Object& object) {
    const Py_complex value = PyComplex_AsCComplex(object.get());
    if (value.real == -1.0 && internal::is_error_set()) [[unlikely]]
      return Failed{};
    return std::complex<double>(value.real, value.imag);
  }

 protected:
  using Object::Object;
  Complex(const Complex&) = default;
  Complex& operator=(const Complex&) = default;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_COMPLEX_H_
