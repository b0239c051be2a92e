#include "tenure/handles/error.h"

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"

namespace tenure {

struct PythonError::State {
  ~State() {
    std::free(message.load(std::memory_order_relaxed));
    // Without a queue nobody can know whether the interpreter still lives.
    if (value != nullptr && queue != nullptr) queue->drop(value);
  }

  bool may_be_used_here() const {
    return queue != nullptr ? queue->may_be_used_here() : is_attached();
  }

  PyObject* value;     // null when it was restored
  DecrefQueue* queue;  // null if it could not be made
  std::string type_name;
  std::atomic<size_t> holders{1};
  // From malloc. Published with a release, by whoever is first.
  mutable std::atomic<char*> message{nullptr};
};

namespace {

std::string name_of_type(PyObject* value) {
  const Result<> name = PyType_GetFullyQualifiedName(Py_TYPE(value));
  const char* utf8 = name ? PyUnicode_AsUTF8(name.get()) : nullptr;
  if (utf8 != nullptr) return utf8;
  // Of a type whose __module__ is gone, for one.
  PyErr_Clear();
  return Py_TYPE(value)->tp_name;
}

// "Type: text", from malloc; null if there is no memory or str() fails. What error is set before is
// set after.
char* make_message(const std::string& type_name, PyObject* value) {
  const ErrorAside aside;
  const Result<> text = PyObject_Str(value);
  if (!text) return nullptr;
  // Lone surrogates are no UTF-8.
  const Result<> encoded = PyUnicode_AsEncodedString(text.get(), "utf-8", "backslashreplace");
  if (!encoded) return nullptr;
  const char* bytes = PyBytes_AsString(encoded.get());
  const bool is_empty = *bytes == '\0';
  constexpr size_t kColonAndEnd = 3;
  const size_t size = type_name.size() + kColonAndEnd + std::strlen(bytes);
  char* message = static_cast<char*>(std::malloc(size));
  if (message == nullptr) return nullptr;
  std::snprintf(message, size, "%s%s%s", type_name.c_str(), is_empty ? "" : ": ", bytes);
  return message;
}

}  // namespace

void throw_python_error() { throw PythonError::take(); }

PythonError PythonError::take() {
  PyObject* value = PyErr_GetRaisedException();
  if (value == nullptr) {
    PyErr_SetString(PyExc_SystemError, "a C++ function failed without setting a Python error");
    value = PyErr_GetRaisedException();
  }
  Owned<> owner = Owned<>::steal(value);
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) PyErr_Clear();
  auto* state = new State{.value = value, .queue = queue, .type_name = name_of_type(value)};
  static_cast<void>(std::move(owner).release());
  return PythonError(state);
}

PythonError::PythonError(const PythonError& other) noexcept
    : std::exception(other), state_(other.state_) {
  if (state_ != nullptr) state_->holders.fetch_add(1, std::memory_order_relaxed);
}

void PythonError::drop(State* state) noexcept {
  if (state == nullptr) return;
  if (state->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete state;
}

const char* PythonError::what() const noexcept {
  if (state_ == nullptr) return "Python error that was moved from";
  if (const char* message = state_->message.load(std::memory_order_acquire)) return message;
  const char* type_name = state_->type_name.c_str();
  if (state_->value == nullptr || state_->queue == nullptr ||
      !state_->queue->gate().is_attached()) {
    return type_name;
  }
  char* message = make_message(state_->type_name, state_->value);
  if (message == nullptr) return type_name;
  char* first = nullptr;
  if (state_->message.compare_exchange_strong(first, message, std::memory_order_acq_rel)) {
    return message;
  }
  // Another thread was faster, or str() asked too.
  std::free(message);
  return first;
}

Borrowed<Exception> PythonError::value() const {
  assert(state_ != nullptr && state_->may_be_used_here());
  return Borrowed<Exception>(state_->value);
}

Failed PythonError::restore() && {
  assert(state_ != nullptr && state_->may_be_used_here());
  State* state = std::exchange(state_, nullptr);
  // Nobody makes a copy of what only we hold.
  const bool is_last = state->holders.load(std::memory_order_acquire) == 1;
  PyObject* value = is_last ? std::exchange(state->value, nullptr) : Py_NewRef(state->value);
  drop(state);
  PyErr_SetRaisedException(value);
  return {};
}

}  // namespace tenure
