#include <cstring>

#include <gtest/gtest.h>

#include "tenure/core/abi/python.h"
#include "tenure/pool/allocator.h"
#include "tenure/tests/support/programs.h"

namespace tenure::pool {
namespace {

using testing::passes;
using testing::Program;
using testing::require;

const Program refused("refused", [] {
  PyPreConfig config;
  PyPreConfig_InitIsolatedConfig(&config);
  require(!PyStatus_Exception(Py_PreInitialize(&config)), "Python can be pre-initialised");
  const AllocatorAnswer answer = install_allocator();
  require(answer.status == AllocatorStatus::kFreeThreaded, "it is refused");
  require(std::strstr(answer.reason, "its collector") != nullptr, answer.reason);
  require(!allocator_statistics().is_installed, "it does not say that it is installed");
  trim_allocator();
  Py_Initialize();
  require(PyRun_SimpleString("import json; x = [*map(str, range(10000))]") == 0, "Python runs");
  require(Py_FinalizeEx() == 0, "and ends");
});

TEST(AllocatorFreeThreadedTest, IsRefused) { EXPECT_TRUE(passes(refused)); }

}  // namespace
}  // namespace tenure::pool
