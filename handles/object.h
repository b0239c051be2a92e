// Object's operations: attributes, items, calls, comparisons, conversions, and what its type is.
//
//   Result<> render(const Object& template_, const Object& user) {
//     Owned<> title = TENURE_TRY(user.getattr("title"_name));
//     return template_.call_method("render"_name, title, kw("strict"_name, Bool::of(true)));
//   }
//
// Each is what the C API's function does and costs the same. Names of attributes are best made with
// "title"_name (handles/name.h), once for all; a C string makes a str in every call.
//
// Not for: objects whose type is known; its view does the same with fewer questions.
//
// Thread safety: attached for everything. Every operation that answers a Result or a Lookup may run
// Python code, which may change any container and any variable that others can reach.
#ifndef TENURE_HANDLES_OBJECT_H_
#define TENURE_HANDLES_OBJECT_H_

#include <cstddef>
#include <optional>

#include "tenure/handles/result.h"

namespace tenure {

// A keyword argument of a call, made by kw(). Borrows both for as long as the call takes.
class Keyword {
 public:
  [[nodiscard]] PyObject* name() const { return name_; }
  [[nodiscard]] PyObject* get() const { return value_; }
  Keyword(const Keyword&) = delete;
  Keyword& operator=(const Keyword&) = delete;

 private:
  friend Keyword kw(const Str& name, const Object& value);
  Keyword(PyObject* name, PyObject* value) : name_(name), value_(value) {}

  PyObject* name_;
  PyObject* value_;
};

// In str.h. Use it among the arguments of a call only, behind those without a name.
Keyword kw(const Str& name, const Object& value);

// What a call takes: handles, then keywords.
template <typename T>
concept Argument = View<T> || std::same_as<T, Keyword>;

namespace internal {

// Sets a TypeError: "must be str, not int".
Failed fail_wrong_type(const char* expected, PyObject* object);

// A new tuple of the names of the last `count` arguments, or null with a MemoryError.
PyObject* keyword_names(PyObject* const* names, size_t count);

template <typename... Arguments>
inline constexpr size_t kKeywords = (size_t{0} + ... + (std::same_as<Arguments, Keyword> ? 1 : 0));

// Whether the keywords are the last ones.
template <typename... Arguments>
constexpr bool keywords_are_last() {
  bool seen = false;
  bool well = true;
  ((well = well && (std::same_as<Arguments, Keyword> || !seen),
    seen = seen || std::same_as<Arguments, Keyword>),
   ...);
  return well;
}

// One by one: what an initializer is made of may be put together in vector registers first.
template <typename... Arguments>
inline void put_arguments(PyObject** place, const Arguments&... arguments) {
  ((*place++ = arguments.get()), ...);
}

inline PyObject* keyword_name(const Object& /*argument*/) { return nullptr; }
inline PyObject* keyword_name(const Keyword& argument) { return argument.name(); }

// What a predicate of the C API answers: 1, 0, or below zero with a Python error set.
inline Result<bool> truth_of(int status) {
  if (status < 0) [[unlikely]]
    return Failed{};
  return status != 0;
}

// A strong reference to put into a container: another one, or the one that an Owned gives away.
inline PyObject* new_reference(const Object& object) { return Py_NewRef(object.get()); }
template <typename T>
PyObject* new_reference(Owned<T>&& owner) {
  return std::move(owner).release();
}

}  // namespace internal

// The same object as a T. Borrows from whoever owns it. TypeError if it is none.
template <typename T>
Result<Borrowed<T>> Object::as() const {
  static_assert(View<T>);
  if (!T::check(get())) [[unlikely]]
    return internal::fail_wrong_type(T::kName, get());
  return Borrowed<T>(get());
}

// The same without an error.
template <typename T>
std::optional<Borrowed<T>> Object::try_as() const {
  static_assert(View<T>);
  if (!T::check(get())) return std::nullopt;
  return Borrowed<T>(get());
}

template <typename T>
template <View U>
Result<Borrowed<U>> Owned<T>::as() const& {
  return T::template as<U>();
}
template <typename T>
template <View U>
Result<U> Owned<T>::as() && {
  if (!U::check(this->get())) [[unlikely]]
    return internal::fail_wrong_type(U::kName, this->get());
  return Result<U>(std::move(*this).release());
}
template <typename T>
template <View U>
std::optional<Borrowed<U>> Owned<T>::try_as() const& {
  return T::template try_as<U>();
}
template <typename T>
template <View U>
std::optional<Owned<U>> Owned<T>::try_as() && {
  if (!U::check(this->get())) return std::nullopt;
  return Owned<U>::steal(std::move(*this).release());
}

// As the functions of that name: __instancecheck__ and __subclasscheck__ are asked, and a tuple of
// types is allowed.
inline Result<bool> Object::isinstance(const Object& type) const {
  return internal::truth_of(PyObject_IsInstance(get(), type.get()));
}
inline Result<bool> Object::issubclass(const Object& type) const {
  return internal::truth_of(PyObject_IsSubclass(get(), type.get()));
}

// --- Attributes. AttributeError if there is none; new references. ---

inline Result<> Object::getattr(const Object& name) const {
  return PyObject_GetAttr(get(), name.get());
}
inline Result<> Object::getattr(const char* name) const {
  return PyObject_GetAttrString(get(), name);
}

// Nothing instead of an AttributeError, which is then never made. Other errors are passed on.
inline Lookup<> Object::getattr_optional(const Object& name) const {
  PyObject* found;
  const int status = PyObject_GetOptionalAttr(get(), name.get(), &found);
  return {status, found};
}
inline Lookup<> Object::getattr_optional(const char* name) const {
  PyObject* found;
  const int status = PyObject_GetOptionalAttrString(get(), name, &found);
  return {status, found};
}

inline Result<bool> Object::hasattr(const Object& name) const {
  return internal::truth_of(PyObject_HasAttrWithError(get(), name.get()));
}
inline Result<bool> Object::hasattr(const char* name) const {
  return internal::truth_of(PyObject_HasAttrStringWithError(get(), name));
}

inline Result<void> Object::setattr(const Object& name, const Object& value) const {
  return Result<void>::from_status(PyObject_SetAttr(get(), name.get(), value.get()));
}
inline Result<void> Object::setattr(const char* name, const Object& value) const {
  return Result<void>::from_status(PyObject_SetAttrString(get(), name, value.get()));
}
inline Result<void> Object::delattr(const Object& name) const {
  return Result<void>::from_status(PyObject_DelAttr(get(), name.get()));
}
inline Result<void> Object::delattr(const char* name) const {
  return Result<void>::from_status(PyObject_DelAttrString(get(), name));
}

// --- Items, as x[key] does it. ---

inline Result<> Object::get_item(const Object& key) const {
  return PyObject_GetItem(get(), key.get());
}
inline Result<void> Object::set_item(const Object& key, const Object& value) const {
  return Result<void>::from_status(PyObject_SetItem(get(), key.get(), value.get()));
}
inline Result<void> Object::del_item(const Object& key) const {
  return Result<void>::from_status(PyObject_DelItem(get(), key.get()));
}

// Python's `value in x`.
inline Result<bool> Object::contains(const Object& value) const {
  return internal::truth_of(PySequence_Contains(get(), value.get()));
}

// --- Calls. Arguments are handles, then what kw() makes; all are borrowed. ---

namespace internal {

// Of `stack`, the arguments begin at `stack + 1`; what is before them may be written to.
template <typename... Arguments>
Result<> call_keywords(PyObject* callee, PyObject** stack, const Arguments&... arguments) {
  static_assert(keywords_are_last<Arguments...>(), "keyword arguments come last");
  constexpr size_t kCount = sizeof...(Arguments);
  constexpr size_t kNamed = kKeywords<Arguments...>;
  PyObject* const all_names[] = {keyword_name(arguments)...};
  PyObject* names = keyword_names(all_names + (kCount - kNamed), kNamed);
  if (names == nullptr) return Failed{};
  Result<> answer = PyObject_Vectorcall(callee, stack + 1,
                                        (kCount - kNamed) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
  Py_DECREF(names);
  return answer;
}

template <typename... Arguments>
Result<> call_method_keywords(PyObject* name, PyObject** stack, const Arguments&... arguments) {
  static_assert(keywords_are_last<Arguments...>(), "keyword arguments come last");
  constexpr size_t kCount = sizeof...(Arguments);
  constexpr size_t kNamed = kKeywords<Arguments...>;
  PyObject* const all_names[] = {keyword_name(arguments)...};
  PyObject* names = keyword_names(all_names + (kCount - kNamed), kNamed);
  if (names == nullptr) return Failed{};
  Result<> answer = PyObject_VectorcallMethod(
      name, stack, (1 + kCount - kNamed) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
  Py_DECREF(names);
  return answer;
}

}  // namespace internal

template <typename... Arguments>
Result<> Object::call(const Arguments&... arguments) const {
  static_assert((Argument<Arguments> && ...), "arguments are handles, then kw()");
  if constexpr (sizeof...(Arguments) == 0) {
    return PyObject_CallNoArgs(get());
  } else {
    // The callee may use the place before the arguments, and then does not have to copy them.
    PyObject* stack[1 + sizeof...(Arguments)];
    stack[0] = nullptr;
    internal::put_arguments(stack + 1, arguments...);
    if constexpr (internal::kKeywords<Arguments...> == 0) {
      return PyObject_Vectorcall(get(), stack + 1,
                                 sizeof...(Arguments) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
    } else {
      return internal::call_keywords(get(), stack, arguments...);
    }
  }
}

// x.name(arguments...) without a bound method in between. Requires: name is a str.
template <typename... Arguments>
Result<> Object::call_method(const Object& name, const Arguments&... arguments) const {
  static_assert((Argument<Arguments> && ...), "arguments are handles, then kw()");
  PyObject* stack[1 + sizeof...(Arguments)];
  internal::put_arguments(stack, *this, arguments...);
  if constexpr (internal::kKeywords<Arguments...> == 0) {
    return PyObject_VectorcallMethod(
        name.get(), stack, (1 + sizeof...(Arguments)) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  } else {
    return internal::call_method_keywords(name.get(), stack, arguments...);
  }
}

inline bool Object::is_callable() const { return PyCallable_Check(get()) != 0; }

// --- Comparisons. ---

// What the operator answers, which may be no bool. `operation`: Py_EQ, Py_LT...
inline Result<> Object::compare(const Object& other, int operation) const {
  return PyObject_RichCompare(get(), other.get(), operation);
}

// As lists and dicts compare: an object equals itself, whatever its __eq__ says, NaN included.
inline Result<bool> Object::eq(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_EQ));
}
inline Result<bool> Object::ne(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_NE));
}
inline Result<bool> Object::lt(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_LT));
}
inline Result<bool> Object::le(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_LE));
}
inline Result<bool> Object::gt(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_GT));
}
inline Result<bool> Object::ge(const Object& other) const {
  return internal::truth_of(PyObject_RichCompareBool(get(), other.get(), Py_GE));
}

// --- What built-in functions answer. ---

// bool(x)
inline Result<bool> Object::truth() const { return internal::truth_of(PyObject_IsTrue(get())); }

inline Result<Py_hash_t> Object::hash() const {
  const Py_hash_t hash = PyObject_Hash(get());
  if (hash == -1) [[unlikely]]
    return Failed{};
  return hash;
}

inline Result<Py_ssize_t> Object::len() const {
  const Py_ssize_t length = PyObject_Size(get());
  if (length < 0) [[unlikely]]
    return Failed{};
  return length;
}

}  // namespace tenure

#endif  // TENURE_HANDLES_OBJECT_H_
