// Buffers of NumPy's arrays, for buffer_of_numpy_test.py. Nothing of NumPy is compiled in.

#include <complex>
#include <cstdint>

#include <pybind11/complex.h>
#include <pybind11/pybind11.h>

#include "tenure/handles/buffer.h"
#include "tenure/handles/interop/pybind11.h"

namespace {

using namespace tenure;  // NOLINT(google-build-using-namespace)

template <typename T, Layout kLayout>
Result<double> sum(const Object& array) {
  const Buffer<const T, 2, kLayout> numbers =
      TENURE_TRY((Buffer<const T, 2, kLayout>::from(array)));
  double sum = 0;
  for (Py_ssize_t i = 0; i < numbers.shape(0); ++i) {
    for (Py_ssize_t j = 0; j < numbers.shape(1); ++j) sum += static_cast<double>(numbers(i, j));
  }
  return sum;
}

Result<std::complex<double>> sum_of_complex(const Object& array) {
  const Buffer<const std::complex<double>> numbers =
      TENURE_TRY(Buffer<const std::complex<double>>::from(array));
  std::complex<double> sum = 0;
  for (const std::complex<double>& number : numbers) sum += number;
  return sum;
}

Result<void> fill(const Object& array, float value) {
  const Buffer<float> numbers = TENURE_TRY(Buffer<float>::from(array));
  for (float& number : numbers) number = value;
  return {};
}

Result<Py_ssize_t> count(const Object& array) {
  const Buffer<const bool> flags = TENURE_TRY(Buffer<const bool>::from(array));
  Py_ssize_t count = 0;
  for (const bool flag : flags) count += flag ? 1 : 0;
  return count;
}

}  // namespace

PYBIND11_MODULE(buffer_of_numpy, module, pybind11::mod_gil_not_used()) {
  module.def("sum", &sum<double, Layout::kStrided>);
  module.def("sum_contiguous", &sum<double, Layout::kContiguous>);
  module.def("sum_int64", &sum<int64_t, Layout::kStrided>);
  module.def("sum_long_double", &sum<long double, Layout::kStrided>);
  module.def("sum_of_complex", &sum_of_complex);
  module.def("fill", &fill);
  module.def("count", &count);
}
