// Operators of a bound class: op<Op::kAdd, &add, &add_number>().
//
//   kNegative kPositive kAbsolute kInvert kInt kFloat kIndex kRepr kStr kIter   f(const T&)
//   kNext        f(T&) answers a std::optional, a Lookup or a Result<std::optional>: nothing ends
//   it kBool        f(const T&) answers bool kLen         f(const T&) answers an integer, not below
//   zero kHash        f(const T&) answers a size_t kAdd ... kXor, kMatMul, kPow     f(A, B); one of
//   the two is a T kInPlaceAdd ... kInPlaceXor      f(T&, B) changes the T; x += y answers x kEq
//   kNe kLt kLe kGt kGe          f(const T&, B) kGetItem     f(const T&, key)         kSetItem
//   f(T&, key, value)       kDelItem  f(T&, key) kContains    f(const T&, value) answers bool
//
// Where several functions are given, the first whose parameters take the operands is called; if
// there is none, Python goes on to ask the other operand. With kEq alone, != is its opposite; a
// class that compares and does not say kHash cannot be hashed, as in Python.
//
// Not for: including directly; class.h uses it.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_OP_H_
#define TENURE_HANDLES_BIND_OP_H_

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/function.h"

namespace tenure {

enum class Op : unsigned char {
  kNegative,
  kPositive,
  kAbsolute,
  kInvert,
  kInt,
  kFloat,
  kIndex,
  kRepr,
  kStr,
  kIter,  //
  kNext,
  kBool,
  kLen,
  kHash,  //
  kAdd,
  kSub,
  kMul,
  kTrueDiv,
  kFloorDiv,
  kMod,
  kDivMod,
  kLeftShift,
  kRightShift,  //
  kAnd,
  kOr,
  kXor,
  kMatMul,
  kPow,  //
  kInPlaceAdd,
  kInPlaceSub,
  kInPlaceMul,
  kInPlaceTrueDiv,
  kInPlaceFloorDiv,
  kInPlaceMod,
  kInPlaceLeftShift,
  kInPlaceRightShift,
  kInPlaceAnd,
  kInPlaceOr,
  kInPlaceXor,
  kInPlaceMatMul,  //
  kLt,
  kLe,
  kEq,
  kNe,
  kGt,
  kGe,  //
  kGetItem,
  kSetItem,
  kDelItem,
  kContains,
};

namespace bind {

// The slot of an operator that has one of its own; 0 for those that share one.
constexpr int slot_of(Op op) {
  switch (op) {
    case Op::kNegative:
      return Py_nb_negative;
    case Op::kPositive:
      return Py_nb_positive;
    case Op::kAbsolute:
      return Py_nb_absolute;
    case Op::kInvert:
      return Py_nb_invert;
    case Op::kInt:
      return Py_nb_int;
    case Op::kFloat:
      return Py_nb_float;
    case Op::kIndex:
      return Py_nb_index;
    case Op::kRepr:
      return Py_tp_repr;
    case Op::kStr:
      return Py_tp_str;
    case Op::kIter:
      return Py_tp_iter;
    case Op::kNext:
      return Py_tp_iternext;
    case Op::kBool:
      return Py_nb_bool;
    case Op::kLen:
      return Py_mp_length;
    case Op::kHash:
      return Py_tp_hash;
    case Op::kAdd:
      return Py_nb_add;
    case Op::kSub:
      return Py_nb_subtract;
    case Op::kMul:
      return Py_nb_multiply;
    case Op::kTrueDiv:
      return Py_nb_true_divide;
    case Op::kFloorDiv:
      return Py_nb_floor_divide;
    case Op::kMod:
      return Py_nb_remainder;
    case Op::kDivMod:
      return Py_nb_divmod;
    case Op::kLeftShift:
      return Py_nb_lshift;
    case Op::kRightShift:
      return Py_nb_rshift;
    case Op::kAnd:
      return Py_nb_and;
    case Op::kOr:
      return Py_nb_or;
    case Op::kXor:
      return Py_nb_xor;
    case Op::kMatMul:
      return Py_nb_matrix_multiply;
    case Op::kPow:
      return Py_nb_power;
    case Op::kInPlaceAdd:
      return Py_nb_inplace_add;
    case Op::kInPlaceSub:
      return Py_nb_inplace_subtract;
    case Op::kInPlaceMul:
      return Py_nb_inplace_multiply;
    case Op::kInPlaceTrueDiv:
      return Py_nb_inplace_true_divide;
    case Op::kInPlaceFloorDiv:
      return Py_nb_inplace_floor_divide;
    case Op::kInPlaceMod:
      return Py_nb_inplace_remainder;
    case Op::kInPlaceLeftShift:
      return Py_nb_inplace_lshift;
    case Op::kInPlaceRightShift:
      return Py_nb_inplace_rshift;
    case Op::kInPlaceAnd:
      return Py_nb_inplace_and;
    case Op::kInPlaceOr:
      return Py_nb_inplace_or;
    case Op::kInPlaceXor:
      return Py_nb_inplace_xor;
    case Op::kInPlaceMatMul:
      return Py_nb_inplace_matrix_multiply;
    case Op::kGetItem:
      return Py_mp_subscript;
    case Op::kContains:
      return Py_sq_contains;
    default:
      return 0;
  }
}

constexpr bool is_unary(Op op) { return op <= Op::kIter; }
constexpr bool is_binary(Op op) { return op >= Op::kAdd && op <= Op::kMatMul; }
constexpr bool is_in_place(Op op) { return op >= Op::kInPlaceAdd && op <= Op::kInPlaceMatMul; }
constexpr bool is_comparison(Op op) { return op >= Op::kLt && op <= Op::kGe; }

// What an attempt to call one of several functions came to.
enum class Attempt : unsigned char { kCalled, kOtherTypes, kError };

// Calls it if the operands are what it takes. Its answer goes through `take`.
template <auto kFunction, typename Take, typename... O>
Attempt attempt(const Take& take, O*... operands) {
  return [&]<typename... A, size_t... I>(Types<A...>, std::index_sequence<I...>) {
    static_assert(sizeof...(A) == sizeof...(O), "this operator has another number of operands");
    Leaves<std::index_sequence_for<A...>, Loader<A>...> loaders;
    if (!(leaf<I>(loaders).load(operands) && ...)) {
      if (PyErr_Occurred() == nullptr) return Attempt::kOtherTypes;
      // Another of the functions may take what this one cannot.
      if (!PyErr_ExceptionMatches(PyExc_TypeError)) return Attempt::kError;
      PyErr_Clear();
      return Attempt::kOtherTypes;
    }
    take([&]() -> decltype(auto) { return call<kFunction>(leaf<I>(loaders).get()...); });
    return Attempt::kCalled;
  }(typename Signature<kFunction>::Parameters{}, std::make_index_sequence<sizeof...(O)>{});
}

// The first of them that takes the operands. `otherwise()` if none does.
template <auto... kFunctions, typename Otherwise, typename... O>
PyObject* first_that_takes(const Otherwise& otherwise, O*... operands) {
  return guarded<false>([&]() -> PyObject* {
    PyObject* answered = nullptr;
    Attempt last = Attempt::kOtherTypes;
    const auto one = [&]<auto kFunction>() {
      using R = typename Signature<kFunction>::Return;
      last = attempt<kFunction>([&](auto&& run) { answered = answer<R>(run); }, operands...);
      return last == Attempt::kOtherTypes;
    };
    static_cast<void>((one.template operator()<kFunctions>() && ...));
    return last == Attempt::kOtherTypes ? otherwise() : answered;
  });
}

inline PyObject* not_implemented() { return Py_NewRef(Py_NotImplemented); }

// Sets the TypeError for an operand that no function of a slot takes, which has no other side to
// ask. Answers null.
PyObject* refuse_operand(PyObject* self, PyObject* operand);

// What ends an iteration: nothing.
template <typename R>
PyObject* next_of(R&& answer) {
  using A = std::remove_cvref_t<R>;
  if constexpr (requires { answer.ok(); }) {
    return answer ? std::forward<R>(answer).take().release() : nullptr;
  } else if constexpr (requires { answer.has_value(); }) {
    if (!answer.has_value()) return nullptr;
    return ToPython<typename A::value_type>::convert(*std::forward<R>(answer));
  } else {
    static_assert(requires { *answer; }, "kNext answers a std::optional, a Lookup or a Result");
    return answer ? next_of(std::forward<R>(answer).take()) : nullptr;
  }
}

template <typename T, Op kOp, auto... kFunctions>
struct Operator {
  template <auto kFunction, auto...>
  struct First {
    static constexpr auto kValue = kFunction;
  };
  static constexpr auto kFirst = First<kFunctions...>::kValue;
  using Return = typename Signature<kFirst>::Return;

  static PyObject* unary(PyObject* self) {
    return first_that_takes<kFunctions...>([&] { return refuse_self(self); }, self);
  }

  static PyObject* next(PyObject* self) {
    return guarded<false>([&]() -> PyObject* {
      if (!is_usable<T>(self)) return refuse_self(self);
      return next_of(call<kFirst>(object_of<T>(self)));
    });
  }

  // A number, or `failed` with an error set.
  template <typename N>
  static N number(PyObject* self, N failed) {
    N value = failed;
    guarded<false>([&]() -> PyObject* {
      if (!is_usable<T>(self)) return refuse_self(self);
      value = static_cast<N>(call<kFirst>(object_of<T>(self)));
      return nullptr;
    });
    return value;
  }
  static Py_ssize_t length(PyObject* self) {
    const auto value = number<Py_ssize_t>(self, -1);
    if (value < 0 && PyErr_Occurred() == nullptr) {
      PyErr_SetString(PyExc_ValueError, "__len__() should return >= 0");
      return -1;
    }
    return value;
  }
  static int truth(PyObject* self) { return static_cast<int>(number<Py_ssize_t>(self, -1)); }
  static Py_hash_t hash(PyObject* self) {
    const auto value = number<Py_hash_t>(self, -1);
    // -1 says that there is an error.
    return value == -1 && PyErr_Occurred() == nullptr ? -2 : value;
  }

  static PyObject* binary(PyObject* left, PyObject* right) {
    return first_that_takes<kFunctions...>([] { return not_implemented(); }, left, right);
  }

  static PyObject* power(PyObject* base, PyObject* exponent, PyObject* modulus) {
    if (!Py_IsNone(modulus)) return not_implemented();
    return binary(base, exponent);
  }

  static PyObject* in_place(PyObject* self, PyObject* other) {
    PyObject* const done = binary(self, other);
    if (done == nullptr || done == Py_NotImplemented) return done;
    Py_DECREF(done);
    return Py_NewRef(self);
  }

  // There is no other side to ask.
  static PyObject* refuse(PyObject* self, PyObject* key) {
    return is_usable<T>(self) ? refuse_operand(self, key) : refuse_self(self);
  }

  static PyObject* item(PyObject* self, PyObject* key) {
    return first_that_takes<kFunctions...>([&] { return refuse(self, key); }, self, key);
  }

  // What no function takes is not in it.
  static int contains(PyObject* self, PyObject* value) {
    PyObject* const found = first_that_takes<kFunctions...>(
        [&] { return is_usable<T>(self) ? Py_NewRef(Py_False) : refuse_self(self); }, self, value);
    if (found == nullptr) return -1;
    const int is_true = PyObject_IsTrue(found);
    Py_DECREF(found);
    return is_true;
  }

  static int set_item(PyObject* self, PyObject* key, PyObject* value) {
    PyObject* const done =
        first_that_takes<kFunctions...>([&] { return refuse(self, key); }, self, key, value);
    Py_XDECREF(done);
    return done != nullptr ? 0 : -1;
  }

  static int delete_item(PyObject* self, PyObject* key) {
    PyObject* const done = item(self, key);
    Py_XDECREF(done);
    return done != nullptr ? 0 : -1;
  }
};

// The slots that several operators share.
template <typename T>
struct SharedSlots {
  static inline binaryfunc compare[6] = {};
  static inline objobjargproc set_item = nullptr;
  static inline int (*delete_item)(PyObject*, PyObject*) = nullptr;

  static void reset() {
    for (binaryfunc& one : compare) one = nullptr;
    set_item = nullptr;
    delete_item = nullptr;
  }

  static PyObject* rich_compare(PyObject* left, PyObject* right, int op) {
    if (compare[op] != nullptr) return compare[op](left, right);
    if (op != Py_NE || compare[Py_EQ] == nullptr) {
      using Base = typename ClassTraits<T>::Base;
      if constexpr (std::is_void_v<Base>) {
        return not_implemented();
      } else {
        return SharedSlots<Base>::rich_compare(left, right, op);
      }
    }
    PyObject* const equal = compare[Py_EQ](left, right);
    if (equal == nullptr || equal == Py_NotImplemented) return equal;
    const int is_equal = PyObject_IsTrue(equal);
    Py_DECREF(equal);
    return is_equal < 0 ? nullptr : PyBool_FromLong(is_equal == 0);
  }

  static int assign(PyObject* self, PyObject* key, PyObject* value) {
    if (value != nullptr && set_item != nullptr) return set_item(self, key, value);
    if (value == nullptr && delete_item != nullptr) return delete_item(self, key);
    using Base = typename ClassTraits<T>::Base;
    if constexpr (!std::is_void_v<Base>) return SharedSlots<Base>::assign(self, key, value);
    PyErr_Format(PyExc_TypeError, "'%.200s' object does not support item %s",
                 Py_TYPE(self)->tp_name, value != nullptr ? "assignment" : "deletion");
    return -1;
  }
};

// What the stub says of the first function's answer; nothing where it goes without saying.
template <Op kOp, auto kFirst, auto...>
constexpr const Passed* answer_of() {
  using R = typename Signature<kFirst>::Return;
  if constexpr (is_binary(kOp) || kOp == Op::kPow || kOp == Op::kGetItem || is_unary(kOp)) {
    if constexpr (kOp != Op::kIter) return &passed_as<Storer<R>>;
  } else if constexpr (kOp == Op::kNext && requires { typename R::value_type; }) {
    return &passed_as<ToPython<typename R::value_type>>;
  }
  return nullptr;
}

constexpr int comparison_of(Op op) { return static_cast<int>(op) - static_cast<int>(Op::kLt); }
static_assert(comparison_of(Op::kLt) == Py_LT && comparison_of(Op::kGe) == Py_GE &&
              comparison_of(Op::kEq) == Py_EQ && comparison_of(Op::kNe) == Py_NE);

// Puts an operator's function where CPython looks for it; `add(slot, function)` adds one.
template <typename T, Op kOp, auto... kFunctions, typename Add>
void add_operator(const Add& add) {
  using Functions = Operator<T, kOp, kFunctions...>;
  const auto put = [&](auto* function) { add(slot_of(kOp), reinterpret_cast<void*>(function)); };
  using Shared = SharedSlots<T>;
  if constexpr (is_unary(kOp)) {
    put(&Functions::unary);
  } else if constexpr (kOp == Op::kNext) {
    put(&Functions::next);
    add(Py_tp_iter, reinterpret_cast<void*>(&PyObject_SelfIter));
  } else if constexpr (kOp == Op::kBool) {
    put(&Functions::truth);
  } else if constexpr (kOp == Op::kLen) {
    put(&Functions::length);
    add(Py_sq_length, reinterpret_cast<void*>(&Functions::length));
  } else if constexpr (kOp == Op::kHash) {
    put(&Functions::hash);
  } else if constexpr (is_binary(kOp)) {
    put(&Functions::binary);
  } else if constexpr (kOp == Op::kPow) {
    put(&Functions::power);
  } else if constexpr (is_in_place(kOp)) {
    put(&Functions::in_place);
  } else if constexpr (is_comparison(kOp)) {
    bool is_there = false;
    for (const binaryfunc one : Shared::compare) is_there = is_there || one != nullptr;
    Shared::compare[comparison_of(kOp)] = &Functions::binary;
    if (!is_there) add(Py_tp_richcompare, reinterpret_cast<void*>(&Shared::rich_compare));
  } else if constexpr (kOp == Op::kGetItem) {
    put(&Functions::item);
  } else if constexpr (kOp == Op::kContains) {
    put(&Functions::contains);
  } else {
    if (Shared::set_item == nullptr && Shared::delete_item == nullptr) {
      add(Py_mp_ass_subscript, reinterpret_cast<void*>(&Shared::assign));
    }
    if constexpr (kOp == Op::kSetItem) {
      Shared::set_item = &Functions::set_item;
    } else {
      Shared::delete_item = &Functions::delete_item;
    }
  }
}

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_OP_H_
