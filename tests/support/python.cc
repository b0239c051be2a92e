#include "tenure/tests/support/python.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>

namespace tenure::testing {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  if (PyErr_Occurred()) PyErr_Print();
  Py_FatalError(("test: " + what).c_str());
}

Strong needed(PyObject* object, const std::string& what) {
  if (object == nullptr) give_up(what);
  return object;
}

Strong fresh_namespace() {
  Strong globals = needed(PyDict_New(), "no memory");
  Strong sys = needed(PyImport_ImportModule("sys"), "no sys");
  if (PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins()) < 0 ||
      PyDict_SetItemString(globals.get(), "sys", sys.get()) < 0) {
    give_up("no namespace");
  }
  return globals;
}

constexpr std::array kDomains = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

// The allocators that a FailingMemory stands before; one is alive at a time.
std::array<PyMemAllocatorEx, kDomains.size()> real_allocators;

// Of the latest. Relaxed everywhere: each is a number by itself, and threads that a test wants
// counted in some order are ordered by the test.
std::atomic<long> allocations_left{0};
std::atomic<long> allocations_failed{0};
std::atomic<long> blocks_kept{0};
std::atomic<Fails> which_fail{Fails::kFromThenOn};

const PyMemAllocatorEx& real(void* context) { return *static_cast<PyMemAllocatorEx*>(context); }

void* counted(void* block) {
  if (block != nullptr) blocks_kept.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* fail_malloc(void* context, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  return counted(real(context).malloc(real(context).ctx, bytes));
}

void* fail_calloc(void* context, size_t count, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  return counted(real(context).calloc(real(context).ctx, count, bytes));
}

void* fail_realloc(void* context, void* block, size_t bytes) {
  if (!FailingMemory::may_allocate()) return nullptr;
  void* const moved = real(context).realloc(real(context).ctx, block, bytes);
  return block == nullptr ? counted(moved) : moved;
}

void count_free(void* context, void* block) {
  if (block != nullptr) blocks_kept.fetch_sub(1, std::memory_order_relaxed);
  real(context).free(real(context).ctx, block);
}

}  // namespace

void start_python() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  if (const char* seed = std::getenv(kHashSeedVariable)) {
    config.use_hash_seed = 1;
    config.hash_seed = std::strtoul(seed, nullptr, 10);
  }
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
}

Strong evaluate(const std::string& expression) {
  const Strong globals = fresh_namespace();
  return needed(PyRun_String(expression.c_str(), Py_eval_input, globals.get(), globals.get()),
                expression);
}

Strong compile(const std::string& source, const std::string& file) {
  return needed(Py_CompileString(source.c_str(), file.c_str(), Py_file_input), source);
}

Strong run(const std::string& source) {
  Strong globals = fresh_namespace();
  const Strong done =
      needed(PyRun_String(source.c_str(), Py_file_input, globals.get(), globals.get()), source);
  return globals;
}

PyObject* inner_code(PyObject* code) {
  const Strong constants = attribute(code, "co_consts");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants.get()); ++i) {
    PyObject* constant = PyTuple_GET_ITEM(constants.get(), i);
    if (PyCode_Check(constant)) return constant;
  }
  give_up("no code among the constants");
}

Strong attribute(PyObject* object, const char* name) {
  return needed(PyObject_GetAttrString(object, name), name);
}

bool equal(PyObject* a, PyObject* b) {
  const int answer = PyObject_RichCompareBool(a, b, Py_EQ);
  if (answer < 0) give_up("cannot be compared");
  return answer != 0;
}

std::string repr(PyObject* object) {
  const Strong text = needed(PyObject_Repr(object), "repr()");
  const char* utf8 = PyUnicode_AsUTF8(text.get());
  if (utf8 == nullptr) give_up("repr() is not UTF-8");
  return utf8;
}

std::string take_error() {
  const Strong error = PyErr_GetRaisedException();
  return error ? Py_TYPE(error.get())->tp_name : "";
}

Py_ssize_t reference_total() {
  // A function of debug builds only; the result is an int, made before it is counted.
  PyObject* total = PySys_GetObject("gettotalrefcount");
  if (total == nullptr) return 0;
  const Strong count = needed(PyObject_CallNoArgs(total), "gettotalrefcount()");
  return PyLong_AsSsize_t(count.get());
}

void expect_no_leak(const std::function<void()>& body) {
  auto settled_total = [] {
    PyGC_Collect();
    PyType_ClearCache();  // it keeps the names of attributes that were looked up
    return reference_total();
  };
  for (int i = 0; i < 3; ++i) body();
  const Py_ssize_t before = settled_total();
  constexpr int kRuns = 4;
  for (int i = 0; i < kRuns; ++i) body();
  // Another cache may move by a reference or two; a leak comes again with every run.
  EXPECT_LT(settled_total() - before, kRuns);
}

FailingMemory::FailingMemory(long n, Fails fails) {
  allocations_left = n;
  allocations_failed = 0;
  blocks_kept = 0;
  which_fail = fails;
  for (size_t i = 0; i < kDomains.size(); ++i) {
    PyMem_GetAllocator(kDomains[i], &real_allocators[i]);
    PyMemAllocatorEx failing{&real_allocators[i], fail_malloc, fail_calloc, fail_realloc,
                             count_free};
    PyMem_SetAllocator(kDomains[i], &failing);
  }
}

FailingMemory::~FailingMemory() {
  for (size_t i = 0; i < kDomains.size(); ++i) {
    PyMem_SetAllocator(kDomains[i], &real_allocators[i]);
  }
}

long FailingMemory::failures() { return allocations_failed.load(std::memory_order_relaxed); }

long FailingMemory::kept() { return blocks_kept.load(std::memory_order_relaxed); }

bool FailingMemory::may_allocate() {
  const long left = allocations_left.fetch_sub(1, std::memory_order_relaxed);
  const bool fails =
      which_fail.load(std::memory_order_relaxed) == Fails::kOnce ? left == 0 : left <= 0;
  if (fails) allocations_failed.fetch_add(1, std::memory_order_relaxed);
  return !fails;
}

}  // namespace tenure::testing
