#include "tenure/tests/pool/allocator_programs.h"

#include "tenure/pool/mimalloc.h"
#include "tenure/tests/support/programs.h"

namespace tenure::testing {

void pre_initialize(PyMemAllocatorName allocator, bool with_environment) {
  PyPreConfig config;
  PyPreConfig_InitIsolatedConfig(&config);
  config.isolated = with_environment ? 0 : 1;
  config.use_environment = with_environment ? 1 : 0;
  config.allocator = allocator;
  const PyStatus status = Py_PreInitialize(&config);
  require(!PyStatus_Exception(status), "Python can be pre-initialised");
}

void initialize() {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.site_import = 0;
  const PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  require(!PyStatus_Exception(status), "Python can be initialised");
}

void finalize() { require(Py_FinalizeEx() == 0, "Python can be finalized"); }

void run_python(const char* source) { require(PyRun_SimpleString(source) == 0, source); }

void start_with_allocator(pool::AllocatorDomains domains) {
  pool::replace_mimalloc_for_testing(&pool::packaged_mimalloc_for_testing());
  pre_initialize();
  const pool::AllocatorAnswer answer = pool::install_allocator(domains);
  require(static_cast<bool>(answer), answer.reason != nullptr ? answer.reason : "a reason");
  initialize();
}

}  // namespace tenure::testing
