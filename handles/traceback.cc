#include "tenure/handles/traceback.h"

#include <frameobject.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <new>

#include "tenure/handles/exception.h"

namespace tenure {

namespace {

// New, or null with an error set.
PyObject* make_frame(const std::source_location& place) {
  std::string name;
  try {
    name = internal::short_function_name(place.function_name());
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  const Result<> code = reinterpret_cast<PyObject*>(
      PyCode_NewEmpty(place.file_name(), name.c_str(), static_cast<int>(place.line())));
  const Result<> globals = code ? PyDict_New() : nullptr;
  if (!globals) return nullptr;
  return reinterpret_cast<PyObject*>(PyFrame_New(
      PyThreadState_Get(), reinterpret_cast<PyCodeObject*>(code.get()), globals.get(), nullptr));
}

}  // namespace

std::string internal::short_function_name(std::string_view signature) {
  // A lambda's name says where it is: the function around it will do.
  if (const size_t lambda = signature.find("::<lambda"); lambda != std::string_view::npos) {
    signature = signature.substr(0, lambda);
  }
  // The arguments begin at the first bracket that is not between angles, nor operator()'s own; the
  // name begins after the last space or colon before them.
  constexpr std::string_view kOperator = "operator";
  size_t begin = 0;
  int angles = 0;
  for (size_t i = 0; i < signature.size(); ++i) {
    if (signature.substr(i).starts_with(kOperator) && i == begin) {
      const size_t end = signature.find('(', i + kOperator.size() + 1);
      return std::string(signature.substr(i, end - i));
    }
    switch (signature[i]) {
      case '<':
        ++angles;
        break;
      case '>':
        --angles;
        break;
      case ' ':
      case ':':
      case '*':
      case '&':
        if (angles == 0) begin = i + 1;
        break;
      case '(':
        if (angles == 0 && i > begin) return std::string(signature.substr(begin, i - begin));
        break;
      default:
        break;
    }
  }
  return std::string(signature);
}

Failed add_traceback(std::source_location place) {
  std::optional<Owned<Exception>> error = take_error();
  assert(error);
  const Result<> frame = make_frame(place);
  if (!frame) clear_error();
  set_error(std::move(*error));
  if (frame) {
    // Where it fails it sets another error, with this one as context: nothing is hidden.
    static_cast<void>(PyTraceBack_Here(reinterpret_cast<PyFrameObject*>(frame.get())));
  }
  return {};
}

}  // namespace tenure
