#include "tenure/core/abi/runtime_copy.h"

#include <dlfcn.h>
#include <link.h>

#include <cstddef>

namespace tenure::abi {
namespace {

constexpr char kRuntime[] = "_PyRuntime";

// How large the symbol there is; 0 if there is none.
size_t symbol_bytes(void* address) {
  Dl_info info{};
  void* symbol = nullptr;
  if (address == nullptr || dladdr1(address, &info, &symbol, RTLD_DL_SYMENT) == 0) return 0;
  return symbol != nullptr ? static_cast<const ElfW(Sym)*>(symbol)->st_size : 0;
}

}  // namespace

bool runtime_copy_fits() {
  // Everybody's, which is the executable's copy if it has one; and that of the libraries behind it.
  const size_t used = symbol_bytes(dlsym(RTLD_DEFAULT, kRuntime));
  const size_t original = symbol_bytes(dlsym(RTLD_NEXT, kRuntime));
  return used == original || used == 0 || original == 0;
}

}  // namespace tenure::abi
