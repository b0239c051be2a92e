// Leaving: the process ends after everything a program may rely on, but is not taken apart.
//
// The interpreter does the first half itself, in Py_Exit(): it waits for threads, calls the atexit
// functions, keeps daemon threads from running on, flushes the standard streams. Then it would
// collect garbage, to begin with the taking apart, and calls gc.callbacks first. Ours does the rest
// and ends the process there. Where that is not to be, or does not come about, the interpreter just
// goes on with its full finalization.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tenure/core/abi/ending.h"
#include "tenure/core/abi/thread.h"
#include "tenure/core/decref_queue.h"
#include "tenure/core/strong.h"
#include "tenure/python/extension/leftovers.h"
#include "tenure/python/extension/lookup.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {

namespace {

// What the interpreter makes of output that could not be written.
constexpr int kOutputLost = 120;

// Guarded by the GIL, or without one by nobody else being there: only the main thread leaves.
struct Leaving {
  bool has_begun = false;
  int status = 0;
  bool by_interrupt = false;
  // Where the interpreter is told to end: the caller of fast_exit(), or nowhere in Python code.
  // Whoever collects garbage in some function is somewhere else.
  PyFrameObject* frame = nullptr;
  // Called with what is left alone, or null.
  PyObject* report = nullptr;
};

Leaving leaving;

// Set while the interpreter flushes sys.stdout and cannot.
bool output_is_lost = false;

// The interpreter says so to sys.unraisablehook, which audit hooks are told of.
int on_event(const char* event, PyObject* args, void*) {
  if (std::strcmp(event, "sys.unraisablehook") != 0 || Py_IsFinalizing() == 0) return 0;
  if (!PyTuple_Check(args) || PyTuple_GET_SIZE(args) != 2) return 0;
  const Strong message = attribute(PyTuple_GET_ITEM(args, 1), "err_msg");
  if (!message) return 0;
  const char* text = PyUnicode_Check(message.get()) ? PyUnicode_AsUTF8(message.get()) : nullptr;
  if (text == nullptr) PyErr_Clear();
  if (text != nullptr && std::strstr(text, "flushing sys.stdout") != nullptr) output_is_lost = true;
  return 0;
}

// What was written since the interpreter did it. Streams of other kinds have been told once, and
// are not told again.
bool flush_streams() {
  const Strong io = imported("_io");
  const Strong base = io ? attribute(io.get(), "_IOBase") : Strong();
  bool done = !output_is_lost;
  for (const char* stream_name : {"stdout", "stderr", "__stdout__", "__stderr__"}) {
    const Strong stream = Py_XNewRef(PySys_GetObject(stream_name));
    if (!stream || !base || PyObject_IsInstance(stream.get(), base.get()) != 1) continue;
    const Strong closed = attribute(stream.get(), "closed");
    const bool is_open = closed && PyObject_IsTrue(closed.get()) == 0;
    const Strong flushed = is_open ? PyObject_CallMethod(stream.get(), "flush", nullptr) : nullptr;
    if (is_open && !flushed && stream_name[0] != '_') done = false;
    PyErr_Clear();
  }
  return done;
}

[[noreturn]] void end_process(int status) {
  abi::call_functions_of_runtime();
  std::fflush(nullptr);
  if (leaving.by_interrupt) {
    // So that a shell knows of the interrupt.
    std::signal(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    status = 128 + SIGINT;
  }
  std::exit(status);
}

[[noreturn]] void leave() {
  const Strong flushed = deferred_flush(nullptr, nullptr);
  if (!flushed) PyErr_Clear();
  {
    Leftovers leftovers;
    leftovers.find(leaving.report != nullptr);
    leftovers.finish();
    if (leaving.report != nullptr) {
      const Strong others = leftovers.others();
      const Strong said = others ? PyObject_CallOneArg(leaving.report, others.get()) : nullptr;
      if (!said) PyErr_WriteUnraisable(leaving.report);
    }
  }
  end_process(flush_streams() ? leaving.status : kOutputLost);
}

// In gc.callbacks while the process leaves.
PyObject* before_collection(PyObject*, PyObject*) {
  if (!leaving.has_begun || Py_IsFinalizing() == 0) Py_RETURN_NONE;
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  const bool is_the_end = frame == leaving.frame;
  Py_XDECREF(frame);
  if (!is_the_end) Py_RETURN_NONE;
  if (abi::has_other_interpreters()) {
    // They have an end of their own, which comes later in a full finalization.
    DecrefQueue::set_flush_takes_apart(true);
    Py_RETURN_NONE;
  }
  leave();
}

PyMethodDef before_collection_method = {"tenure_leave", before_collection, METH_VARARGS,
                                        "Ends a process that leaves."};

// Has the interpreter call us when all but the taking apart is done. False with a Python error.
bool arrange() {
  const Strong callback = PyCFunction_New(&before_collection_method, nullptr);
  PyObject* callbacks = abi::collector_callbacks();
  if (!callback || callbacks == nullptr || !PyList_Check(callbacks)) return false;
  if (PyList_Insert(callbacks, 0, callback.get()) < 0) return false;
  if (PyGC_IsEnabled() == 0) {
    // Enabled, it is called at the end; with this threshold, not before.
    const Strong gc = PyImport_ImportModule("gc");
    const Strong done = gc ? PyObject_CallMethod(gc.get(), "set_threshold", "i", 0) : nullptr;
    if (!done) return false;
    PyGC_Enable();
  }
  // Not needed, if others do not allow it, but for a stream that cannot be flushed and is none of
  // io's.
  if (PySys_AddAuditHook(&on_event, nullptr) < 0) PyErr_Clear();
  DecrefQueue::set_flush_takes_apart(false);
  return true;
}

// The process leaves when the interpreter ends, whoever tells it to.
void begin() {
  leaving.has_begun = true;
  // Those who ask to see a finalization get one.
  if (abi::shows_its_end() || !arrange()) PyErr_Clear();
}

// Tells it, from within Python code.
[[noreturn]] void end_interpreter() {
  leaving.frame = PyThreadState_GetFrame(PyThreadState_Get());
  if (!leaving.by_interrupt) Py_Exit(leaving.status);
  // Not reached but after a full finalization.
  Py_FinalizeEx();
  end_process(leaving.status);
}

// Why the process cannot leave now; null if it can. Requires: the runtime is known.
const char* refusal() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    return "works in the main interpreter only; end this one instead";
  }
  if (!abi::is_main_thread()) return "works in the main thread only; tell that one to call it";
  if (leaving.has_begun || abi::is_ending()) {
    return "was called while the process ends already, by an atexit function or a destructor";
  }
  return nullptr;
}

// What sys.exit() makes of its argument. Says it on stderr if it is no number.
int status_of(PyObject* code) {
  if (code == Py_None) return 0;
  if (PyLong_Check(code)) {
    const long value = PyLong_AsLong(code);
    if (value == -1 && PyErr_Occurred() != nullptr) PyErr_Clear();
    return static_cast<int>(value);
  }
  PyObject* stream = PySys_GetObject("stderr");
  std::fflush(stdout);
  if (stream != nullptr && stream != Py_None) {
    if (PyFile_WriteObject(code, stream, Py_PRINT_RAW) < 0) PyErr_Clear();
  } else {
    if (PyObject_Print(code, stderr, Py_PRINT_RAW) < 0) PyErr_Clear();
    std::fflush(stderr);
  }
  PySys_WriteStderr("\n");
  return 1;
}

}  // namespace

PyObject* fast_exit(PyObject*, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"code", nullptr};
  PyObject* code = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:fast_exit", const_cast<char**>(names),
                                   &code)) {
    return nullptr;
  }
  // Of an interpreter that is not the one this was made for, nothing is known but how to end it.
  if (!abi::knows_runtime()) Py_Exit(status_of(code));
  if (const char* why = refusal()) {
    PyErr_Format(PyExc_RuntimeError, "fast_exit() %s", why);
    return nullptr;
  }
  leaving.status = status_of(code);
  begin();
  end_interpreter();
}

PyObject* leave_after(PyObject*, PyObject* args) {
  PyObject* error;
  PyObject* report;
  if (!PyArg_ParseTuple(args, "OO:leave_after", &error, &report)) return nullptr;
  if (!PyExceptionInstance_Check(error)) {
    PyErr_SetString(PyExc_TypeError, "leave_after() wants an exception");
    return nullptr;
  }
  if (!abi::knows_runtime() || refusal() != nullptr) Py_RETURN_NONE;
  if (PyErr_GivenExceptionMatches(error, PyExc_SystemExit) != 0) {
    const Strong code = PyObject_GetAttrString(error, "code");
    if (!code) PyErr_Clear();
    leaving.status = code ? status_of(code.get()) : 1;
  } else {
    // A hook that raises SystemExit ends the process right here, in full.
    PyErr_SetRaisedException(Py_NewRef(error));
    PyErr_PrintEx(1);
    leaving.status = 1;
    leaving.by_interrupt = abi::ends_as_interrupt(error);
  }
  if (report != Py_None) leaving.report = Py_NewRef(report);
  begin();
  // To exit as after an interrupt is not in the power of Python code.
  if (leaving.by_interrupt) end_interpreter();
  return PyLong_FromLong(leaving.status);
}

}  // namespace tenure::extension
