// What binding libraries say about a view in signatures and errors: its kName, as an array.
//
// Not for: anything but the other headers of this folder.
//
// Thread safety: constants.
#ifndef TENURE_HANDLES_INTEROP_TYPE_NAME_H_
#define TENURE_HANDLES_INTEROP_TYPE_NAME_H_

#include <cstddef>
#include <string>

#include "tenure/handles/object.h"

namespace tenure::internal {

template <View T>
struct TypeName {
  static constexpr size_t kSize = std::char_traits<char>::length(T::kName);

  consteval TypeName() {
    for (size_t i = 0; i < kSize; ++i) text[i] = T::kName[i];
  }

  char text[kSize + 1] = {};
};

template <View T>
inline constexpr TypeName<T> kTypeName;

// A view that is no handle: what is passed as `const Str&`.
template <typename T>
inline constexpr bool kIsOwned = false;
template <typename T>
inline constexpr bool kIsOwned<Owned<T>> = true;
template <typename T>
concept PlainView = View<T> && !kIsBorrowed<T> && !kIsOwned<T>;

}  // namespace tenure::internal

#endif  // TENURE_HANDLES_INTEROP_TYPE_NAME_H_
