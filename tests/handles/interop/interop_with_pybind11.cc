#include <utility>

#include "tenure/handles/interop/pybind11.h"
#include "tenure/tests/handles/interop/interop_functions.h"

namespace {

using namespace tenure;  // NOLINT(google-build-using-namespace)

// Through both libraries' owners and back.
pybind11::object pass(pybind11::object object) {
  return to_pybind11(from_pybind11(std::move(object)));
}

pybind11::object pass_exception(pybind11::object object) {
  return to_pybind11(from_pybind11<Exception>(std::move(object)));
}

bool is_same(pybind11::handle object) {
  const Borrowed<> borrowed = from_pybind11(object);
  return to_pybind11(borrowed).is(object) && from_pybind11(to_pybind11(borrowed)).is(borrowed);
}

// Their exceptions, through our boundary.
Result<> fail_with_theirs(bool is_python_error) {
  try {
    if (!is_python_error) throw pybind11::key_error("theirs");
    raise_value_error("theirs");
    throw pybind11::error_already_set();
  } catch (...) {
    return translate_current_exception();
  }
}

}  // namespace

PYBIND11_MODULE(interop_with_pybind11, module, pybind11::mod_gil_not_used()) {
  translate_errors_for_pybind11();
  module.def("borrow", &testing::borrow);
  module.def("own", &testing::own);
  module.def("lend", &testing::lend);
  module.def("look", &testing::look);
  module.def("exception", &testing::exception);
  module.def("own_exception", &testing::own_exception);
  module.def("matches", &testing::matches);
  module.def("fail_with_result", &testing::fail_with_result);
  module.def("fail_with_nothing", &testing::fail_with_nothing);
  module.def("fail_with_exception", &testing::fail_with_exception);
  module.def("fail_with_theirs", &fail_with_theirs);
  module.def("pass_", &pass);
  module.def("pass_exception", &pass_exception);
  module.def("is_same", &is_same);
}
