// "append"_name: an interned str known when the program is compiled.
//
//   Result<> size = object.getattr("size"_name);
//
// The str is made once for the process and immortal; using it is one load. Its slot is filled when
// the module is imported (core/names.h).
//
// Not for: text. Every name stays for good.
//
// Thread safety: any thread, once the module is imported.
#ifndef TENURE_HANDLES_NAME_H_
#define TENURE_HANDLES_NAME_H_

#include <cstddef>

#include "tenure/core/names.h"
#include "tenure/handles/str.h"

namespace tenure {
namespace internal {

template <size_t kSize>
struct NameText {
  consteval NameText(const char (&literal)[kSize]) {  // NOLINT(google-explicit-constructor)
    for (size_t i = 0; i < kSize; ++i) text[i] = literal[i];
  }
  char text[kSize];
};

// Hidden: each shared object has slots of its own, found without asking the dynamic linker.
template <NameText kText>
[[gnu::visibility("hidden")]] inline NameSlot name_slot{kText.text, sizeof(kText.text) - 1};

}  // namespace internal

inline namespace literals {

// Requires: prepare_names() was called.
template <internal::NameText kText>
inline Borrowed<Str> operator""_name() {
  return Borrowed<Str>(internal::name_slot<kText>.get());
}

}  // namespace literals
}  // namespace tenure

#endif  // TENURE_HANDLES_NAME_H_
