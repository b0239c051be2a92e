#include <utility>

#include "tenure/handles/interop/nanobind.h"
#include "tenure/tests/handles/interop/interop_functions.h"

namespace {

using namespace tenure;  // NOLINT(google-build-using-namespace)

// Through both libraries' owners and back.
nanobind::object pass(nanobind::object object) {
  return to_nanobind(from_nanobind(std::move(object)));
}

nanobind::object pass_exception(nanobind::object object) {
  return to_nanobind(from_nanobind<Exception>(std::move(object)));
}

bool is_same(nanobind::handle object) {
  const Borrowed<> borrowed = from_nanobind(object);
  return to_nanobind(borrowed).is(object) && from_nanobind(to_nanobind(borrowed)).is(borrowed);
}

// Their exceptions, through our boundary.
Result<> fail_with_theirs(bool is_python_error) {
  try {
    if (!is_python_error) throw nanobind::key_error("theirs");
    raise_value_error("theirs");
    throw nanobind::python_error();
  } catch (...) {
    return translate_current_exception();
  }
}

}  // namespace

NB_MODULE(interop_with_nanobind, module) {
  translate_errors_for_nanobind();
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
