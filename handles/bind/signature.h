// What a C++ callable takes and answers, found when it is compiled.
//
// Functions, member functions and lambdas without captures; a member function is seen as a function
// whose first parameter is the object.
//
// Thread safety: nothing here runs.
#ifndef TENURE_HANDLES_BIND_SIGNATURE_H_
#define TENURE_HANDLES_BIND_SIGNATURE_H_

#include <cstddef>
#include <type_traits>
#include <utility>

namespace tenure::bind {

template <typename... T>
struct Types {
  static constexpr size_t kCount = sizeof...(T);
};

template <typename R, bool kNoexceptValue, typename... A>
struct SignatureOf {
  using Return = R;
  using Parameters = Types<A...>;
  static constexpr bool kNoexcept = kNoexceptValue;
};

namespace internal {

template <typename F>
struct Deduce;

template <typename R, typename... A>
struct Deduce<R (*)(A...)> : SignatureOf<R, false, A...> {};
template <typename R, typename... A>
struct Deduce<R (*)(A...) noexcept> : SignatureOf<R, true, A...> {};
template <typename C, typename R, typename... A>
struct Deduce<R (C::*)(A...)> : SignatureOf<R, false, C&, A...> {};
template <typename C, typename R, typename... A>
struct Deduce<R (C::*)(A...) noexcept> : SignatureOf<R, true, C&, A...> {};
template <typename C, typename R, typename... A>
struct Deduce<R (C::*)(A...) const> : SignatureOf<R, false, const C&, A...> {};
template <typename C, typename R, typename... A>
struct Deduce<R (C::*)(A...) const noexcept> : SignatureOf<R, true, const C&, A...> {};

// A lambda's, without the lambda itself.
template <typename F>
struct DeduceCall;
template <typename C, typename R, typename... A>
struct DeduceCall<R (C::*)(A...) const> : SignatureOf<R, false, A...> {};
template <typename C, typename R, typename... A>
struct DeduceCall<R (C::*)(A...) const noexcept> : SignatureOf<R, true, A...> {};

template <typename F>
struct DeduceAny : Deduce<F> {};
template <typename F>
  requires std::is_class_v<F>
struct DeduceAny<F> : DeduceCall<decltype(&F::operator())> {};

}  // namespace internal

template <auto kFunction>
using Signature = internal::DeduceAny<std::remove_cv_t<decltype(kFunction)>>;

template <typename T>
struct WithoutFirst;
template <typename First, typename... Rest>
struct WithoutFirst<Types<First, Rest...>> {
  using Type = Types<Rest...>;
};

// Those that Python code passes: all, or those after the object.
template <typename Self, typename All>
struct After : WithoutFirst<All> {};
template <typename All>
struct After<void, All> {
  using Type = All;
};
template <typename Self, typename All>
using ParametersAfter = typename After<Self, All>::Type;

template <typename T>
struct FirstOf {
  using Type = void;
};
template <typename First, typename... Rest>
struct FirstOf<Types<First, Rest...>> {
  using Type = First;
};

// Calls it; a member function on its first argument.
template <auto kFunction, typename... A>
[[gnu::always_inline]] inline decltype(auto) call(A&&... arguments) {
  if constexpr (std::is_member_function_pointer_v<decltype(kFunction)>) {
    return [](auto& self, auto&&... rest) -> decltype(auto) {
      return (self.*kFunction)(std::forward<decltype(rest)>(rest)...);
    }(std::forward<A>(arguments)...);
  } else {
    return kFunction(std::forward<A>(arguments)...);
  }
}

}  // namespace tenure::bind

#endif  // TENURE_HANDLES_BIND_SIGNATURE_H_
