// arg("x"), arg("y") = 2, kw_only(), pos_only(), doc("..."): how Python code passes arguments.
//
//   m.def<&f>("f", arg("a"), pos_only(), arg("b"), kw_only(), arg("c") = 1.5, doc("What it
//   does."));
//
// is f(a, /, b, *, c=1.5). Without any arg() every parameter is positional-only and has no name.
// Names, documentation and text defaults are string literals: they are kept, not copied.
//
// A default is a C++ value: a number, a bool, a string literal, or none. It is converted to the
// parameter's type when the program is compiled, so it is never shared between calls.
//
// Thread safety: values.
#ifndef TENURE_HANDLES_BIND_PARAMETERS_H_
#define TENURE_HANDLES_BIND_PARAMETERS_H_

#include <cstddef>
#include <type_traits>

namespace tenure {

// The default None: of handles to any object, optionals and pointers.
struct None {};
inline constexpr None none{};

template <typename V>
struct ArgWithDefault {
  const char* name;
  V value;
};

struct Arg {
  const char* name;

  template <typename V>
  constexpr ArgWithDefault<std::decay_t<V>> operator=(V value) const {  // NOLINT(*-assign*)
    return {name, value};
  }
};

struct KwOnly {};
struct PosOnly {};
struct Doc {
  const char* text;
};

constexpr Arg arg(const char* name) { return {name}; }
// The parameters after it are passed by keyword only.
constexpr KwOnly kw_only() { return {}; }
// The parameters before it are passed by position only.
constexpr PosOnly pos_only() { return {}; }
constexpr Doc doc(const char* text) { return {text}; }

namespace bind {

template <typename S>
inline constexpr bool kIsArg = std::is_same_v<S, Arg>;
template <typename V>
inline constexpr bool kIsArg<ArgWithDefault<V>> = true;

template <typename S>
inline constexpr bool kHasDefault = false;
template <typename V>
inline constexpr bool kHasDefault<ArgWithDefault<V>> = true;

// What the words of one def() say, as far as their types say it.
template <typename... S>
struct Words {
  static constexpr size_t kArgs = (size_t{kIsArg<S>} + ... + 0);
  static constexpr bool kKnown = ((kIsArg<S> || std::is_same_v<S, KwOnly> ||
                                   std::is_same_v<S, PosOnly> || std::is_same_v<S, Doc>) &&
                                  ...);

  // Whether none of the first so many args has no default where one before it has.
  static constexpr bool defaults_are_last(size_t positional) {
    constexpr bool kIsAnArg[] = {kIsArg<S>..., false};
    constexpr bool kIsOptional[] = {kHasDefault<S>..., false};
    bool is_optional = false;
    for (size_t i = 0; i < sizeof...(S) && positional > 0; ++i) {
      if (!kIsAnArg[i]) continue;
      --positional;
      if (is_optional && !kIsOptional[i]) return false;
      is_optional = kIsOptional[i];
    }
    return true;
  }

  // How many args stand before the first word of that kind; `otherwise` if there is none.
  template <typename W>
  static constexpr size_t args_before(size_t otherwise) {
    constexpr bool kIsIt[] = {std::is_same_v<S, W>..., false};
    constexpr bool kIsAnArg[] = {kIsArg<S>..., false};
    size_t args = 0;
    for (size_t i = 0; i < sizeof...(S); ++i) {
      if (kIsIt[i]) return args;
      args += size_t{kIsAnArg[i]};
    }
    return otherwise;
  }
};

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_PARAMETERS_H_
