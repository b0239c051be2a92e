// From a C++ function to the C function that CPython calls: all of it is decided when it compiles.
//
//   parameters                              calling convention
//   none                                    METH_FASTCALL; of methods METH_NOARGS
//   one, positional-only, without default   METH_O
//   positional-only                         METH_FASTCALL
//   otherwise                               METH_FASTCALL | METH_KEYWORDS
//
// The specialising interpreter calls these without looking; docs/decisions/0014 has the numbers. A call that
// passes every argument, keywords in the parameters' order, reads them where CPython put them; any
// other goes through gather() (record.h). Nothing is allocated, registered or written but the
// answer.
//
// Not for: including directly; module.h and class.h use it.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_FUNCTION_H_
#define TENURE_HANDLES_BIND_FUNCTION_H_

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/convert.h"
#include "tenure/handles/bind/instance.h"
#include "tenure/handles/bind/parameters.h"
#include "tenure/handles/bind/record.h"
#include "tenure/handles/bind/signature.h"
#include "tenure/handles/translate.h"

namespace tenure {

// For a function that wants to see its arguments as they come: its only parameter. Borrows.
struct Arguments {
  std::span<PyObject* const> positional;
  // Of each keyword argument, whose names are `names`.
  std::span<PyObject* const> by_name;
  PyObject* names;  // A tuple, or null.

  [[nodiscard]] Borrowed<> operator[](size_t i) const { return Borrowed<>(positional[i]); }
  [[nodiscard]] size_t size() const { return positional.size(); }
};

namespace bind {

template <size_t kIndex, typename T>
struct Leaf {
  T value;
};

// A tuple, without what std::tuple costs to compile.
template <typename Indices, typename... T>
struct Leaves;
template <size_t... I, typename... T>
struct Leaves<std::index_sequence<I...>, T...> : Leaf<I, T>... {};

template <size_t kIndex, typename T>
T& leaf(Leaf<kIndex, T>& leaf) {
  return leaf.value;
}

// The words of def() that are args, in order.
template <typename... S>
struct ArgsOf {
  using Type = Types<>;
};
template <typename List, typename S>
struct Prepend;
template <typename... L, typename S>
struct Prepend<Types<L...>, S> {
  using Type = Types<S, L...>;
};
template <typename First, typename... Rest>
struct ArgsOf<First, Rest...> : ArgsOf<Rest...> {};
template <typename First, typename... Rest>
  requires kIsArg<First>
struct ArgsOf<First, Rest...> : Prepend<typename ArgsOf<Rest...>::Type, First> {};

// A function without named parameters takes them by position.
template <typename Parameters, typename Words>
struct Shape;
template <typename... A, typename... S>
struct Shape<Types<A...>, Types<S...>> {
  static constexpr size_t kCount = sizeof...(A);
  static constexpr bool kIsNamed = Words<S...>::kArgs > 0;
  static_assert(Words<S...>::kKnown,
                "def() takes arg(), kw_only(), pos_only() and doc() after the name");
  static_assert(!kIsNamed || Words<S...>::kArgs == kCount,
                "name every parameter with arg(), or none");
  static constexpr size_t kPositionalOnly =
      kIsNamed ? Words<S...>::template args_before<PosOnly>(0) : kCount;
  static constexpr size_t kPositional =
      kIsNamed ? Words<S...>::template args_before<KwOnly>(kCount) : kCount;
  static_assert(kPositionalOnly <= kPositional, "pos_only() comes before kw_only()");
  static constexpr bool kHasDefaults = (kHasDefault<S> || ... || false);
  static constexpr bool kTakesKeywords = kPositionalOnly < kCount;
  static constexpr bool kTakesAll = false;
};
template <typename... S>
struct Shape<Types<Arguments>, Types<S...>> {
  static_assert(Words<S...>::kArgs == 0, "Arguments are all arguments: they have no names");
  static constexpr size_t kCount = 0;
  static constexpr size_t kPositionalOnly = 0;
  static constexpr size_t kPositional = 0;
  static constexpr bool kTakesKeywords = true;
  static constexpr bool kTakesAll = true;
};

// Converts what the function answers.
template <typename R, typename Call>
[[gnu::always_inline]] inline PyObject* answer(Call&& call) {
  if constexpr (std::is_void_v<R>) {
    call();
    Py_RETURN_NONE;
  } else {
    return Storer<R>::convert(call());
  }
}

// Runs it where C++ exceptions may not get through.
template <bool kNoexcept, typename Call>
[[gnu::always_inline]] inline PyObject* guarded(Call&& call) {
#ifdef __cpp_exceptions
  if constexpr (!kNoexcept) {
    try {
      return call();
    } catch (...) {
      return translate_current_exception();
    }
  }
#endif
  return call();
}

// They are kept only if there is a default among them.
template <typename... S>
using KeptArgs = typename ArgsOf<
    std::conditional_t<(kHasDefault<S> || ... || false), S, None>...>::Type;

// One def(): `Site` is a type of its own for each place in the source, so that two of them may
// bind the same function under different names.
//
// `Self` says how the first parameter is found: a type with `static bool take(PyObject*, Loaded&)`,
// or void for none.
template <auto kFunction, typename Site, typename Self, typename Parameters, typename Args,
          typename Form>
struct Bound;

template <auto kFunction, typename Site, typename Self, typename... A, typename... D, typename Form>
struct Bound<kFunction, Site, Self, Types<A...>, Types<D...>, Form> {
  using Sig = Signature<kFunction>;
  using Return = typename Sig::Return;
  using Indices = std::index_sequence_for<A...>;
  static constexpr size_t kCount = Form::kCount;

  // Written once, by the first import.
  static inline Leaves<std::index_sequence_for<D...>, D...> args{};
  static inline constinit Parameter parameters[sizeof...(A) + 1] = {
      {.annotation = &Loader<A>::kAnnotation, .or_none = kOrNone<Loader<A>>}..., {}};
  static inline constinit FunctionRecord record = {
      .parameters = parameters,
      .count = kCount,
      .positional_only = Form::kPositionalOnly,
      .positional = Form::kPositional,
      .takes_all = Form::kTakesAll,
      .returns_or_none = kOrNone<Storer<Return>>,
      .returns = &Storer<Return>::kAnnotation,
  };

  // The argument itself, or the default where it was not given.
  template <size_t kIndex, typename P, typename L>
  [[gnu::always_inline]] static decltype(auto) value(L& loader, [[maybe_unused]] PyObject* given) {
    if constexpr (sizeof...(D) > 0) {
      using Word = std::remove_cvref_t<decltype(leaf<kIndex>(args))>;
      if constexpr (kHasDefault<Word>) {
        using Value = std::remove_cvref_t<decltype(loader.get())>;
        return given != nullptr ? loader.get() : from_default<Value>(leaf<kIndex>(args).value);
      } else {
        return loader.get();
      }
    } else {
      return loader.get();
    }
  }

  template <typename Value, typename V>
  static Value from_default(const V& word) {
    if constexpr (std::is_same_v<V, None>) {
      if constexpr (std::is_constructible_v<Value, std::nullptr_t> && std::is_pointer_v<Value>) {
        return nullptr;
      } else if constexpr (requires { Value(std::nullopt); }) {
        return std::nullopt;
      } else {
        static_assert(std::is_constructible_v<Value, PyObject*>,
                      "the default none is for optionals, pointers and Borrowed<>");
        return Value(Py_None);
      }
    } else {
      static_assert(std::is_constructible_v<Value, V>,
                    "the default is not of the parameter's type");
      static_assert(!std::is_floating_point_v<V> || !std::is_integral_v<Value>,
                    "the default of an integer is an integer");
      return Value(word);
    }
  }

  template <size_t kIndex>
  static constexpr bool has_default() {
    if constexpr (sizeof...(D) > 0) {
      return kHasDefault<std::remove_cvref_t<decltype(leaf<kIndex>(args))>>;
    } else {
      return false;
    }
  }

  // `given` has kCount arguments, null where a default is to be used.
  template <size_t... I>
  [[gnu::always_inline]] static PyObject* invoke([[maybe_unused]] PyObject* self,
                                                 [[maybe_unused]] PyObject* const* given,
                                                 std::index_sequence<I...>) {
    return guarded<Sig::kNoexcept>([&]() __attribute__((always_inline)) -> PyObject* {
      Leaves<Indices, Loader<A>...> loaders;
      PyObject* refused = nullptr;
      const bool is_loaded =
          ((((has_default<I>() && given[I] == nullptr) || leaf<I>(loaders).load(given[I])) ||
            (refused = wrong_argument(record, I, given[I], Loader<A>::kExpected), false)) &&
           ...);
      if (!is_loaded) [[unlikely]] return refused;
      if constexpr (std::is_void_v<Self>) {
        return answer<Return>([&]() __attribute__((always_inline)) -> decltype(auto) {
          return call<kFunction>(value<I, A>(leaf<I>(loaders), given[I])...);
        });
      } else {
        if (!Self::is_usable(self)) [[unlikely]] return refuse_self(self);
        return answer<Return>([&]() __attribute__((always_inline)) -> decltype(auto) {
          return call<kFunction>(Self::get(self), value<I, A>(leaf<I>(loaders), given[I])...);
        });
      }
    });
  }

  static PyObject* no_arguments(PyObject* self, PyObject* /*nothing*/) {
    return invoke(self, nullptr, Indices{});
  }

  static PyObject* one_argument(PyObject* self, PyObject* argument) {
    return invoke(self, &argument, Indices{});
  }

  static PyObject* by_position(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    if (count == static_cast<Py_ssize_t>(kCount)) [[likely]] {
      return invoke(self, arguments, Indices{});
    }
    return slowly(self, arguments, count, nullptr);
  }

  static PyObject* by_keyword(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* kwnames) {
    if constexpr (Form::kTakesAll) {
      return guarded<Sig::kNoexcept>([&] { return all(self, arguments, count, kwnames); });
    } else {
      if (is_in_order(count, kwnames)) [[likely]] return invoke(self, arguments, Indices{});
      return slowly(self, arguments, count, kwnames);
    }
  }

  // Whether every parameter has its argument at its own place already.
  [[gnu::always_inline]] static bool is_in_order(Py_ssize_t count, PyObject* kwnames) {
    constexpr auto kAll = static_cast<Py_ssize_t>(kCount);
    constexpr auto kMost = static_cast<Py_ssize_t>(Form::kPositional);
    if (kwnames == nullptr) return count == kAll && kAll == kMost;
    if (count + PyTuple_GET_SIZE(kwnames) != kAll || count > kMost ||
        count < static_cast<Py_ssize_t>(Form::kPositionalOnly)) {
      return false;
    }
    PyObject* const* names = &PyTuple_GET_ITEM(kwnames, 0) - count;
    return [&]<size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      return ((static_cast<Py_ssize_t>(I) < count || names[I] == parameters[I].object) && ...);
    }(Indices{});
  }

  [[gnu::noinline]] static PyObject* slowly(PyObject* self, PyObject* const* arguments,
                                            Py_ssize_t count, PyObject* kwnames) {
    PyObject* slots[kCount > 0 ? kCount : 1];
    if (!gather(record, arguments, count, kwnames, slots)) return nullptr;
    return invoke(self, slots, Indices{});
  }

  static PyObject* all([[maybe_unused]] PyObject* self, PyObject* const* arguments,
                       Py_ssize_t count, PyObject* kwnames) {
    const auto positional = static_cast<size_t>(count);
    const auto by_name = static_cast<size_t>(kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
    const Arguments given{{arguments, positional}, {arguments + positional, by_name}, kwnames};
    if constexpr (!std::is_void_v<Self>) {
      if (!Self::is_usable(self)) [[unlikely]] return refuse_self(self);
    }
    return answer<Return>([&]() __attribute__((always_inline)) -> decltype(auto) {
      if constexpr (std::is_void_v<Self>) {
        return call<kFunction>(given);
      } else {
        return call<kFunction>(Self::get(self), given);
      }
    });
  }

  // As tp_call, tp_new and tp_init get their arguments.
  static PyObject* from_tuple(PyObject* self, PyObject* tuple, PyObject* dict) {
    if constexpr (Form::kTakesAll) {
      const FlatArguments flat(tuple, dict);
      if (!flat) return nullptr;
      return by_keyword(self, flat.arguments(), PyTuple_GET_SIZE(tuple), flat.names());
    } else {
      PyObject* slots[kCount + 1];
      if (!gather(record, tuple, dict, slots)) return nullptr;
      return invoke(self, slots, Indices{});
    }
  }

  template <size_t kNext, typename First, typename... Rest>
  static void store(const First& first, const Rest&... rest) {
    constexpr bool kIsOne = kIsArg<First>;
    if constexpr (kIsOne) leaf<kNext>(args) = first;
    if constexpr (sizeof...(Rest) > 0) store<kNext + size_t{kIsOne}>(rest...);
  }

  // Before anybody calls it; see FunctionRecord::prepare(). `words` are those of def().
  template <typename... S>
  static bool prepare(const char* of_class, const char* self, const char* name,
                      const S&... words) {
    PyObject* defaults[kCount + 1] = {};
    const char* documentation = nullptr;
    size_t next = 0;
    [[maybe_unused]] const auto keep = [&]<typename W>(const W& word) {
      if constexpr (std::is_same_v<W, Doc>) {
        documentation = word.text;
      } else if constexpr (kIsArg<W>) {
        parameters[next].name = word.name;
        if constexpr (kHasDefault<W>) {
          parameters[next].has_default = true;
          defaults[next] = ToPython<decltype(word.value)>::convert(word.value);
        }
        ++next;
      }
    };
    (keep(words), ...);
    if constexpr (sizeof...(D) > 0) store<0>(words...);
    return record.prepare(of_class, self, name, documentation, defaults);
  }

  // Points the record's method at what is to be called. `flags` are more than the convention.
  template <bool kIsMethod>
  static void set_convention(int flags) {
    const auto set = [&](auto function, int convention) {
      record.method.ml_meth = reinterpret_cast<PyCFunction>(function);
      record.method.ml_flags = convention | flags;
    };
    if constexpr (Form::kTakesKeywords) {
      set(&by_keyword, METH_FASTCALL | METH_KEYWORDS);
    } else if constexpr (kCount == 0 && kIsMethod) {
      set(&no_arguments, METH_NOARGS);
    } else if constexpr (kCount == 1 && !has_default<0>()) {
      set(&one_argument, METH_O);
    } else {
      set(&by_position, METH_FASTCALL);
    }
  }
};

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_FUNCTION_H_
