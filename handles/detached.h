// detached(): runs a function without being attached, where the compiler can see that it touches no
// Python object.
//
//   const double sum = detached([](std::span<const double> numbers) { ... }, buffer.span());
//
// Everything that the function uses is given to it: a lambda may capture nothing, and no argument
// and no answer may be a handle or a PyObject*. What hides one, such as a struct with a handle in
// it, the compiler does not see; what a Buffer shows may be read detached and is allowed.
//
// Not for: code that has to see more than it can be given; a Detach scope (core/attach.h) allows
// everything, and debug builds check handles when they run.
//
// Thread safety: attached, and attached again when it returns or throws.
#ifndef TENURE_HANDLES_DETACHED_H_
#define TENURE_HANDLES_DETACHED_H_

#include <concepts>
#include <type_traits>
#include <utility>

#include "tenure/core/attach.h"
#include "tenure/handles/result.h"

namespace tenure {
namespace internal {

template <typename T>
inline constexpr bool kIsResult = false;
template <typename T>
inline constexpr bool kIsResult<Result<T>> = true;
template <typename T>
inline constexpr bool kIsResult<Lookup<T>> = true;

// Whether the type is a way to a Python object.
template <typename T>
inline constexpr bool kReachesPython =
    std::derived_from<std::remove_cvref_t<T>, Object> || kIsResult<std::remove_cvref_t<T>> ||
    std::same_as<std::remove_cvref_t<T>, PyObject*>;

}  // namespace internal

// Answers what the function does. Requires: attached.
template <typename F, typename... A>
std::invoke_result_t<F, A...> detached(F function, A&&... arguments) {
  static_assert(std::is_empty_v<F> || std::is_function_v<std::remove_pointer_t<F>>,
                "detached() takes a function that captures nothing: pass what it needs, so that "
                "the compiler sees it");
  static_assert((!internal::kReachesPython<A> && ...),
                "no Python object may be touched while detached");
  static_assert(!internal::kReachesPython<std::invoke_result_t<F, A...>>,
                "no Python object may be made while detached");
  const Detach detach;
  return function(std::forward<A>(arguments)...);
}

}  // namespace tenure

#endif  // TENURE_HANDLES_DETACHED_H_
