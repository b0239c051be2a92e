// Str: views of Python's str.
//
//   Result<std::string_view> text = name.utf8();
//
// C++ sees a str as UTF-8. What it gets lies in the str itself if that is ASCII, else in a copy
// that the str keeps; it lives as long as the str.
//
// Not for: reading code points one by one. And a str cannot be changed: join() parts, or format().
//
// Thread safety: attached for everything; the UTF-8 itself may be read on any thread while somebody
// keeps the str alive. A str never changes.
#ifndef TENURE_HANDLES_STR_H_
#define TENURE_HANDLES_STR_H_

#include <string_view>

#include "tenure/handles/object.h"

namespace tenure {

class Str : public Object {
 public:
  static constexpr const char* kName = "str";
  static bool check(PyObject* object) { return PyUnicode_Check(object); }

  // New reference. UnicodeDecodeError if it is not UTF-8.
  static Result<Str> make(std::string_view utf8) {
    return PyUnicode_FromStringAndSize(utf8.data(), static_cast<Py_ssize_t>(utf8.size()));
  }

  // New reference to the one str of that content that all of the interpreter shares: for names of
  // attributes that are known only when the program runs. Requires: UTF-8 that ends with a 0.
  static Result<Str> interned(const char* utf8) { return PyUnicode_InternFromString(utf8); }

  // New reference: template.format(arguments...).
  template <typename... Arguments>
  static Result<Str> format(std::string_view text, const Arguments&... arguments);
  using Object::format;

  // Lives as long as the str. UnicodeEncodeError if a lone surrogate is in it, MemoryError.
  Result<std::string_view> utf8() const {
    PyObject* object = get();
    if (PyUnicode_IS_COMPACT_ASCII(object)) [[likely]] {
      return std::string_view(static_cast<const char*>(PyUnicode_DATA(object)),
                              static_cast<size_t>(PyUnicode_GET_LENGTH(object)));
    }
    return utf8_slowly(object);
  }

  // Of code points.
  [[nodiscard]] Py_ssize_t size() const { return PyUnicode_GET_LENGTH(get()); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool is_ascii() const { return PyUnicode_IS_ASCII(get()) != 0; }

  // By content. Never fails; nothing of a subclass is asked.
  [[nodiscard]] bool equals(std::string_view utf8) const {
    return PyUnicode_EqualToUTF8AndSize(get(), utf8.data(), static_cast<Py_ssize_t>(utf8.size())) !=
           0;
  }
  [[nodiscard]] bool equals(const Str& other) const {
    return is(other) || (size() == other.size() && PyUnicode_Compare(get(), other.get()) == 0);
  }
  // Below, equal to or above 0, by code points.
  [[nodiscard]] int compare_to(const Str& other) const {
    return PyUnicode_Compare(get(), other.get());
  }

  // New references, to exact strs.
  Result<Str> concat(const Str& other) const { return PyUnicode_Concat(get(), other.get()); }
  // This one between each two of the strs.
  Result<Str> join(const Object& strs) const { return PyUnicode_Join(get(), strs.get()); }
  // Code points from `begin` to before `end`; what is beyond the end is left out. IndexError if
  // one is negative.
  Result<Str> substring(Py_ssize_t begin, Py_ssize_t end) const {
    return PyUnicode_Substring(get(), begin, end);
  }

  [[nodiscard]] bool starts_with(const Str& prefix) const {
    return PyUnicode_Tailmatch(get(), prefix.get(), 0, PY_SSIZE_T_MAX, -1) > 0;
  }
  [[nodiscard]] bool ends_with(const Str& suffix) const {
    return PyUnicode_Tailmatch(get(), suffix.get(), 0, PY_SSIZE_T_MAX, 1) > 0;
  }

 protected:
  using Object::Object;
  Str(const Str&) = default;
  Str& operator=(const Str&) = default;

 private:
  [[gnu::noinline]] static Result<std::string_view> utf8_slowly(PyObject* object) {
    Py_ssize_t bytes;
    const char* text = PyUnicode_AsUTF8AndSize(object, &bytes);
    if (text == nullptr) return Failed{};
    return std::string_view(text, static_cast<size_t>(bytes));
  }
};

template <typename... Arguments>
Result<Str> Str::format(std::string_view text, const Arguments&... arguments) {
  const Result<Str> pattern = make(text);
  if (!pattern) return Failed{};
  const Result<Str> name = interned("format");
  if (!name) return Failed{};
  return Result<Str>((*pattern).call_method(*name, arguments...).release());
}

inline Keyword kw(const Str& name, const Object& value) { return {name.get(), value.get()}; }

// --- Object's operations that answer a str. May run Python code. ---

inline Result<Str> Object::repr() const { return PyObject_Repr(get()); }
inline Result<Str> Object::str() const { return PyObject_Str(get()); }
inline Result<Str> Object::ascii() const { return PyObject_ASCII(get()); }
// format(x, specification)
inline Result<Str> Object::format(const Object& specification) const {
  return PyObject_Format(get(), specification.get());
}

}  // namespace tenure

#endif  // TENURE_HANDLES_STR_H_
