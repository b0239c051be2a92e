// Whether the interpreter's state has room in this program.
//
// A position-dependent executable that refers to the interpreter's own objects has copies of them,
// which the dynamic linker lets libpython use as well: of types, whose size is the same for a minor
// version, and of the interpreter's state, whose size is not. A libpython whose state is larger
// would write behind the copy.
//
// Thread safety: any thread, before the interpreter is started.
#ifndef TENURE_CORE_ABI_RUNTIME_COPY_H_
#define TENURE_CORE_ABI_RUNTIME_COPY_H_

namespace tenure::abi {

// False if this program has a copy that is not as large as what libpython has. Requires: called
// from the executable's own code.
bool runtime_copy_fits();

}  // namespace tenure::abi

#endif  // TENURE_CORE_ABI_RUNTIME_COPY_H_
