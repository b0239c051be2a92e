#include "tenure/core/abi/thread.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace tenure::abi {

namespace internal {
std::atomic<ptrdiff_t> current_state_offset{0};
}  // namespace internal

namespace {

bool starts_with(const unsigned char* code, std::initializer_list<unsigned char> bytes) {
  return std::memcmp(code, bytes.begin(), bytes.size()) == 0;
}

int32_t number_at(const unsigned char* code) {
  int32_t number;
  std::memcpy(&number, code, sizeof(number));
  return number;
}

ptrdiff_t offset_in(const unsigned char* code) {
  // endbr64
  if (starts_with(code, {0xf3, 0x0f, 0x1e, 0xfa})) code += 4;
  // In a program: mov %fs:number,%rax; ret
  if (starts_with(code, {0x64, 0x48, 0x8b, 0x04, 0x25}) && code[9] == 0xc3) {
    return number_at(code + 5);
  }
  // In a shared library: mov number(%rip),%rax; mov %fs:(%rax),%rax; ret
  if (starts_with(code, {0x48, 0x8b, 0x05}) &&
      starts_with(code + 7, {0x64, 0x48, 0x8b, 0x00, 0xc3})) {
    ptrdiff_t offset;
    std::memcpy(&offset, code + 7 + number_at(code + 3), sizeof(offset));
    return offset;
  }
  return 0;
}

}  // namespace

void find_current_state() {
  internal::current_state_offset.store(
      offset_in(reinterpret_cast<const unsigned char*>(&PyThreadState_GetUnchecked)),
      std::memory_order_relaxed);
  // This thread has one, so that a wrong place would show.
  if (current_state() != PyThreadState_GetUnchecked()) {
    internal::current_state_offset.store(0, std::memory_order_relaxed);
  }
}

bool has_other_interpreters() {
  return PyInterpreterState_Next(PyInterpreterState_Head()) != nullptr;
}

InterpreterView view_of_current() {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  return {interpreter, interpreter == PyInterpreterState_Main()};
}

bool attach(const InterpreterView& view, Attachment& attachment) {
  PyThreadState* state = PyThreadState_GetUnchecked();
  if (state != nullptr && interpreter_of(state) == view.interpreter) {
    attachment.kind = Attachment::Kind::kNested;
    return true;
  }
  // Who comes now would be kept for ever, or (3.14) have its state freed under it.
  if (Py_IsFinalizing() != 0) return false;
  // PyGILState_Ensure() would go on with whatever thread state this thread had before.
  PyThreadState* known = PyGILState_GetThisThreadState();
  // Nor without memory for a new one, but end the process.
  const bool by_gil_state =
      known != nullptr && interpreter_of(known) == view.interpreter && view.is_main;
  PyThreadState* own = nullptr;
  if (!by_gil_state) {
    own = PyThreadState_New(view.interpreter);
    if (own == nullptr) return false;
  }
  if (state != nullptr) attachment.prior = PyEval_SaveThread();
  if (by_gil_state) {
    attachment.kind = Attachment::Kind::kEnsured;
    attachment.gil_state = PyGILState_Ensure();
  } else {
    attachment.kind = Attachment::Kind::kOwn;
    PyEval_RestoreThread(own);
  }
  return true;
}

void detach(const Attachment& attachment) {
  switch (attachment.kind) {
    case Attachment::Kind::kNested:
      return;
    case Attachment::Kind::kEnsured:
      PyGILState_Release(static_cast<PyGILState_STATE>(attachment.gil_state));
      break;
    case Attachment::Kind::kOwn:
      PyThreadState_Clear(PyThreadState_Get());
      PyThreadState_DeleteCurrent();
      break;
  }
  if (attachment.prior != nullptr) PyEval_RestoreThread(attachment.prior);
}

}  // namespace tenure::abi
