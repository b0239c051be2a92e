// From a C++ function to the C function that CPython calls: all of it is decided when it compiles.
//
//   parameters                              calling convention
//   none                                    METH_FASTCALL; of methods METH_NOARGS
//   one, positional-only, without default   METH_O
//   positional-only                         METH_FASTCALL
//   otherwise                               METH_FASTCALL | METH_KEYWORDS
//
// The specialising interpreter calls these without looking; docs/decisions/0014 has the numbers. A
// call that passes every argument, keywords in the parameters' order, reads them where CPython put
// them; any other goes through gather() (record.h). Nothing is allocated, registered or written but
// the answer.
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
  static_assert(kCount <= kMostParameters, "a function has 64 parameters at most");
  static_assert(Words<S...>::kKnown,
                "def() takes arg(), kw_only(), pos_only() and doc() after the name");
  static_assert(!kIsNamed || Words<S...>::kArgs == kCount,
                "name every parameter with arg(), or none");
  static constexpr size_t kPositionalOnly =
      kIsNamed ? Words<S...>::template args_before<PosOnly>(0) : kCount;
  static constexpr size_t kPositional =
      kIsNamed ? Words<S...>::template args_before<KwOnly>(kCount) : kCount;
  static_assert(kPositionalOnly <= kPositional, "pos_only() comes before kw_only()");
  static_assert(Words<S...>::defaults_are_last(kPositional),
                "an arg() without a default follows one with a default");
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
  static constexpr bool kHasDefaults = false;
  static constexpr bool kTakesKeywords = true;
  static constexpr bool kTakesAll = true;
};

// Runs what answers an object where C++ exceptions may not get through; null with a Python error
// set if one came.
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

// Converts what a function answers.
template <typename R, typename Call>
[[gnu::always_inline]] inline PyObject* answer(Call&& call) {
  if constexpr (std::is_void_v<R>) {
    call();
    Py_RETURN_NONE;
  } else {
    return Storer<R>::convert(call());
  }
}

template <typename V>
PyObject* show_default(const void* value) {
  return ToPython<V>::convert(V(*static_cast<const V*>(value)));
}

template <typename S>
Word word_of(const S& word) {
  if constexpr (std::is_same_v<S, Doc>) {
    return {Word::Kind::kDoc, word.text, nullptr, nullptr};
  } else if constexpr (kHasDefault<S>) {
    return {Word::Kind::kArg, word.name, &show_default<std::remove_cv_t<decltype(word.value)>>,
            &word.value};
  } else if constexpr (kIsArg<S>) {
    return {Word::Kind::kArg, word.name, nullptr, nullptr};
  } else {
    return {Word::Kind::kOther, nullptr, nullptr, nullptr};
  }
}

template <typename Self>
inline constexpr bool kIsOfMethod = Self::kIsMethod;
template <>
inline constexpr bool kIsOfMethod<void> = false;

// The defaults of one def(), kept for its calls. A class of their own, so that functions without
// defaults, which are most, cost nothing.
template <typename Site, typename Args>
struct Defaults;
template <typename Site, typename... D>
struct Defaults<Site, Types<D...>> {
  // Written once, by the first import.
  static inline Leaves<std::index_sequence_for<D...>, D...> args{};

  template <size_t kIndex>
  static constexpr bool has() {
    return kHasDefault<std::remove_cvref_t<decltype(leaf<kIndex>(args))>>;
  }

  // The argument itself, or the default where it was not given.
  template <size_t kIndex, typename L>
  [[gnu::always_inline]] static decltype(auto) value(L& loader, PyObject* given) {
    if constexpr (has<kIndex>()) {
      using Value = std::remove_cvref_t<decltype(loader.get())>;
      return given != nullptr ? loader.get() : from<Value>(leaf<kIndex>(args).value);
    } else {
      return loader.get();
    }
  }

  template <typename Value, typename V>
  static Value from(const V& word) {
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

  template <size_t kNext, typename First, typename... Rest>
  static void keep(const First& first, const Rest&... rest) {
    constexpr bool kIsOne = kIsArg<First>;
    if constexpr (kIsOne) leaf<kNext>(args) = first;
    if constexpr (sizeof...(Rest) > 0) keep<kNext + size_t{kIsOne}>(rest...);
  }
};

// Converts the arguments of functions with these parameters, null where there is a default. False
// if one could not be converted, with an error set. Not inlined: the frequent cases are.
template <size_t... I, typename... L>
[[gnu::noinline]] bool load_slowly(const FunctionRecord& record,
                                   Leaves<std::index_sequence<I...>, L...>& loaders,
                                   PyObject* const* given) {
  unsigned int wrong = 0;
  const bool is_loaded =
      (((given[I] == nullptr && record.has_default(I)) ||
        static_cast<Leaf<I, L>&>(loaders).value.load(given[I]) || (wrong = I, false)) &&
       ...);
  if (!is_loaded) wrong_argument(record, wrong, given[wrong]);
  return is_loaded;
}

// One def(): `Site` is a type of its own for each place in the source, so that two of them may
// bind the same function under different names.
//
// `Self` says how the first parameter is found: one of self.h, or void for none.
template <auto kFunction, typename Site, typename Self, typename Form>
struct Bound;

template <auto kFunction, typename Site, typename Self, typename... A, typename... S>
struct Bound<kFunction, Site, Self, Shape<Types<A...>, Types<S...>>> {
  using Form = Shape<Types<A...>, Types<S...>>;
  using Sig = Signature<kFunction>;
  using Return = typename Sig::Return;
  using Indices = std::index_sequence_for<A...>;
  using Loaded = Leaves<Indices, Loader<A>...>;
  using Kept = Defaults<Site, typename ArgsOf<S...>::Type>;
  static constexpr size_t kCount = Form::kCount;

  // Written once, by the first import.
  static inline constinit PyObject* names[kCount + 1] = {};
  static constexpr const Passed* passed[sizeof...(A) + 1] = {&passed_as<Loader<A>>..., nullptr};

  static constexpr auto convention() {
    if constexpr (Form::kTakesKeywords) {
      return Convention(&by_keyword);
    } else if constexpr (kCount == 0 && kIsOfMethod<Self>) {
      return Convention(&no_arguments, METH_NOARGS);
    } else if constexpr (kCount == 1 && !Form::kHasDefaults) {
      return Convention(&one_argument, METH_O);
    } else {
      return Convention(&by_position);
    }
  }

  static inline constinit FunctionRecord record = {
      .passed = passed,
      .names = names,
      .answered = &passed_as<Storer<Return>>,
      .convention = convention(),
      .count = kCount,
      .positional_only = Form::kPositionalOnly,
      .positional = Form::kPositional,
      .takes_all = Form::kTakesAll,
  };

  // Whether loading and storing can be left out of what is guarded.
  static constexpr bool kIsQuiet =
      (kNeverThrows<Loader<A>> && ...) &&
      (std::is_void_v<Return> ||
       (std::is_trivially_copyable_v<Return> && kNeverThrows<Storer<Return>>));
  // Whether frequent arguments are converted without a call.
  static constexpr bool kIsQuick =
      kIsQuiet && !Form::kTakesAll && !Form::kHasDefaults && (kLoadsQuickly<Loader<A>> && ...);

  // All of that, or false: then nothing has happened. Requires: kIsQuick; as many as there are.
  template <size_t... I>
  [[gnu::always_inline]] static bool load_quickly(Loaded& loaders, PyObject* const* given,
                                                  std::index_sequence<I...>) {
    return (leaf<I>(loaders).load_quickly(given[I]) && ...);
  }

  // `given` has kCount arguments, null where a default is to be used.
  template <size_t... I>
  [[gnu::always_inline]] static bool load(Loaded& loaders, PyObject* const* given,
                                          std::index_sequence<I...>) {
    if constexpr (sizeof...(I) == 0) {
      return true;
    } else if constexpr ((kLoadsQuickly<Loader<A>> && ...)) {
      if constexpr (Form::kHasDefaults) {
        if ((is_quick<I>(loaders, given[I]) && ...)) [[likely]]
          return true;
      } else {
        if (load_quickly(loaders, given, Indices{})) [[likely]]
          return true;
      }
      // A copy, so that the others need not be in memory.
      Loaded slow;
      if (!load_slowly(record, slow, given)) return false;
      loaders = slow;
      return true;
    } else {
      return load_slowly(record, loaders, given);
    }
  }

  template <size_t kIndex>
  [[gnu::always_inline]] static bool is_quick(Loaded& loaders, PyObject* given) {
    if constexpr (Kept::template has<kIndex>()) {
      if (given == nullptr) return true;
    }
    return leaf<kIndex>(loaders).load_quickly(given);
  }

  template <size_t... I>
  [[gnu::always_inline]] static decltype(auto) run([[maybe_unused]] PyObject* self,
                                                   [[maybe_unused]] Loaded& loaders,
                                                   [[maybe_unused]] PyObject* const* given,
                                                   std::index_sequence<I...>) {
    if constexpr (Form::kHasDefaults && std::is_void_v<Self>) {
      return call<kFunction>(Kept::template value<I>(leaf<I>(loaders), given[I])...);
    } else if constexpr (Form::kHasDefaults) {
      return call<kFunction>(Self::get(self),
                             Kept::template value<I>(leaf<I>(loaders), given[I])...);
    } else if constexpr (std::is_void_v<Self>) {
      return kFunction(leaf<I>(loaders).get()...);
    } else if constexpr (std::is_member_function_pointer_v<decltype(kFunction)>) {
      return (Self::get(self).*kFunction)(leaf<I>(loaders).get()...);
    } else {
      return kFunction(Self::get(self), leaf<I>(loaders).get()...);
    }
  }

  [[gnu::always_inline]] static PyObject* invoke(PyObject* self, PyObject* const* given,
                                                 Indices indices) {
    if constexpr (kIsQuiet) {
      return invoke_quietly(self, given, indices);
    } else {
      return guarded<false>([&]() __attribute__((always_inline)) -> PyObject* {
        Loaded loaders;
        if (!load(loaders, given, indices)) return nullptr;
        if (!is_usable(self)) [[unlikely]]
          return refuse_self(self);
        return answer<Return>([&]() __attribute__((always_inline)) -> decltype(auto) {
          return run(self, loaders, given, indices);
        });
      });
    }
  }

  // Written out, since most functions come here: lambdas take time to compile.
  [[gnu::always_inline]] static PyObject* invoke_quietly(PyObject* self, PyObject* const* given,
                                                         Indices indices) {
    Loaded loaders;
    if (!load(loaders, given, indices)) return nullptr;
    return finish(self, loaders, given, indices);
  }

  [[gnu::always_inline]] static PyObject* finish(PyObject* self, Loaded& loaders,
                                                 PyObject* const* given, Indices indices) {
    if (!is_usable(self)) [[unlikely]]
      return refuse_self(self);
#ifdef __cpp_exceptions
    try {
#endif
      if constexpr (std::is_void_v<Return>) {
        run(self, loaders, given, indices);
        Py_RETURN_NONE;
      } else {
        const Return answered = run(self, loaders, given, indices);
        return Storer<Return>::convert(answered);
      }
#ifdef __cpp_exceptions
    } catch (...) {
      return translate_current_exception();
    }
#endif
  }

  static bool is_usable([[maybe_unused]] PyObject* self) {
    if constexpr (std::is_void_v<Self>) {
      return true;
    } else {
      return Self::is_usable(self);
    }
  }

  static PyObject* no_arguments(PyObject* self, PyObject* /*nothing*/) {
    return invoke(self, nullptr, Indices{});
  }

  static PyObject* one_argument(PyObject* self, PyObject* argument) {
    return invoke(self, &argument, Indices{});
  }

  static PyObject* by_position(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    PyObject* slots[kCount + 1];
    if (count != static_cast<Py_ssize_t>(kCount)) [[unlikely]] {
      arguments = arrange(record, arguments, count, nullptr, slots);
      if (arguments == nullptr) return nullptr;
    }
    return invoke(self, arguments, Indices{});
  }

  // Whether these are the names of all parameters, in order.
  template <size_t... I>
  [[gnu::always_inline]] static bool has_all(PyObject* kwnames, std::index_sequence<I...>) {
    if constexpr (Form::kPositionalOnly > 0) return false;
    return PyTuple_GET_SIZE(kwnames) == static_cast<Py_ssize_t>(kCount) &&
           ((PyTuple_GET_ITEM(kwnames, I) == names[I]) && ...);
  }

  static PyObject* by_keyword(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                              PyObject* kwnames) {
    if constexpr (Form::kTakesAll) {
      return guarded<Sig::kNoexcept>([&] { return all(self, arguments, count, kwnames); });
    } else {
      PyObject* slots[kCount + 1];
      const bool is_in_order = kwnames == nullptr ? Form::kPositional == kCount &&
                                                        count == static_cast<Py_ssize_t>(kCount)
                                                  : count == 0 && has_all(kwnames, Indices{});
      if (!is_in_order) [[unlikely]] {
        arguments = arrange(record, arguments, count, kwnames, slots);
        if (arguments == nullptr) return nullptr;
      }
      return invoke(self, arguments, Indices{});
    }
  }

  static PyObject* all([[maybe_unused]] PyObject* self, PyObject* const* arguments,
                       Py_ssize_t count, PyObject* kwnames) {
    const auto positional = static_cast<size_t>(count);
    const auto by_name = static_cast<size_t>(kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
    const Arguments given{{arguments, positional}, {arguments + positional, by_name}, kwnames};
    if (!is_usable(self)) [[unlikely]]
      return refuse_self(self);
    return answer<Return>([&]() __attribute__((always_inline)) -> decltype(auto) {
      if constexpr (std::is_void_v<Self>) {
        return call<kFunction>(given);
      } else {
        return call<kFunction>(Self::get(self), given);
      }
    });
  }

  // As tp_call and tp_init get their arguments.
  static PyObject* from_tuple(PyObject* self, PyObject* tuple, PyObject* dict) {
    const FlatArguments flat(tuple, dict);
    if (!flat) return nullptr;
    return by_keyword(self, flat.arguments(), PyTuple_GET_SIZE(tuple), flat.names());
  }

  // Keeps the defaults of the words of def().
  static void keep_defaults([[maybe_unused]] const S&... words) {
    if constexpr (Form::kHasDefaults) Kept::template keep<0>(words...);
  }
};

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_FUNCTION_H_
