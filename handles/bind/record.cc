#include "tenure/handles/bind/record.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tenure/core/names.h"
#include "tenure/handles/bind/stub.h"

namespace tenure::bind {
namespace {

// Kept for the process's life, like the record that points to it.
const char* keep(const std::string& text) { return strdup(text.c_str()); }

std::string called(const FunctionRecord& record) {
  return record.owner != nullptr ? std::string(record.owner) + "." + record.name : record.name;
}

// "'x'", or "2" for the second that has no name.
std::string shown(const FunctionRecord& record, size_t parameter) {
  PyObject* const name = record.names[parameter];
  if (name == nullptr) return std::to_string(parameter + 1);
  // Names are short and never fail to be UTF-8: that is what they were made of.
  return std::string("'") + PyUnicode_AsUTF8(name) + "'";
}

// "1 positional argument", "2 positional arguments"
std::string counted(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// "'a'", "'a' and 'b'", "'a', 'b', and 'c'"
std::string listed(const FunctionRecord& record, PyObject* const* slots, size_t begin, size_t end,
                   size_t& count) {
  std::string text;
  count = 0;
  for (size_t i = begin; i < end; ++i) {
    count += size_t{slots[i] == nullptr && !record.has_default(i)};
  }
  size_t written = 0;
  for (size_t i = begin; i < end; ++i) {
    if (slots[i] != nullptr || record.has_default(i)) continue;
    if (written > 0) text += count > 2 ? ", " : " ";
    if (written > 0 && written + 1 == count) text += "and ";
    text += shown(record, i);
    ++written;
  }
  return text;
}

bool set_missing(const FunctionRecord& record, PyObject* const* slots, size_t begin, size_t end,
                 const char* kind) {
  size_t count = 0;
  const std::string names = listed(record, slots, begin, end, count);
  if (count == 0) return false;
  PyErr_Format(PyExc_TypeError, "%s() missing %zu required %s argument%s: %s",
               called(record).c_str(), count, kind, count == 1 ? "" : "s", names.c_str());
  return true;
}

bool set_missing(const FunctionRecord& record, PyObject* const* slots) {
  return set_missing(record, slots, 0, record.positional, "positional") ||
         set_missing(record, slots, record.positional, record.count, "keyword-only");
}

void set_too_many(const FunctionRecord& record, Py_ssize_t given, PyObject* const* slots) {
  size_t required = 0;
  for (size_t i = 0; i < record.positional; ++i) {
    required += size_t{!record.has_default(i)};
  }
  const size_t most = record.positional;
  const std::string takes = required < most ? "from " + std::to_string(required) + " to " +
                                                  std::to_string(most) + " positional arguments"
                                            : counted(most, "positional argument");
  size_t by_name = 0;
  for (size_t i = most; i < record.count; ++i) by_name += size_t{slots[i] != nullptr};
  std::string got = std::to_string(given);
  if (by_name > 0) {
    got = counted(static_cast<size_t>(given), "positional argument") + " (and " +
          counted(by_name, "keyword-only argument") + ")";
  }
  PyErr_Format(PyExc_TypeError, "%s() takes %s but %s %s given", called(record).c_str(),
               takes.c_str(), got.c_str(), given == 1 && by_name == 0 ? "was" : "were");
}

// Whether a parameter has that name, a str: by its content, whatever a subclass of str says.
bool is_called(PyObject* parameter, PyObject* name) {
  return parameter != nullptr && PyUnicode_Compare(parameter, name) == 0;
}

// The parameter of that name, or their count: by identity first, as interned names nearly always
// are.
size_t place_of(const FunctionRecord& record, PyObject* name) {
  for (size_t i = record.positional_only; i < record.count; ++i) {
    if (record.names[i] == name) return i;
  }
  for (size_t i = record.positional_only; i < record.count; ++i) {
    if (is_called(record.names[i], name)) return i;
  }
  return record.count;
}

// For a keyword that no parameter takes.
void set_unexpected(const FunctionRecord& record, PyObject* name, PyObject* kwnames) {
  std::string passed;
  for (size_t i = 0; i < record.positional_only; ++i) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); ++k) {
      PyObject* const one = PyTuple_GET_ITEM(kwnames, k);
      if (!PyUnicode_Check(one) || !is_called(record.names[i], one)) continue;
      passed += (passed.empty() ? "" : ", ") + std::string(PyUnicode_AsUTF8(record.names[i]));
    }
  }
  if (passed.empty()) {
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                 called(record).c_str(), name);
  } else {
    PyErr_Format(PyExc_TypeError,
                 "%s() got some positional-only arguments passed as keyword arguments: '%s'",
                 called(record).c_str(), passed.c_str());
  }
}

bool put_keyword(const FunctionRecord& record, PyObject* name, PyObject* kwnames, PyObject* value,
                 PyObject** slots) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "%s() keywords must be strings", called(record).c_str());
    return false;
  }
  const size_t place = place_of(record, name);
  if (place == record.count) {
    set_unexpected(record, name, kwnames);
    return false;
  }
  if (slots[place] != nullptr) {
    PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'",
                 called(record).c_str(), name);
    return false;
  }
  slots[place] = value;
  return true;
}

// Steals, null with an error set included.
bool read_repr(PyObject* object, std::string& text) {
  // inspect.signature() reads ASCII only.
  PyObject* const str = object != nullptr ? PyObject_ASCII(object) : nullptr;
  Py_XDECREF(object);
  const char* utf8 = str != nullptr ? PyUnicode_AsUTF8(str) : nullptr;
  if (utf8 != nullptr) text = utf8;
  // Neither is a literal.
  if (text == "inf" || text == "-inf" || text == "nan") text = "...";
  Py_XDECREF(str);
  return utf8 != nullptr;
}

}  // namespace

PyCFunction Convention::function() const {
  if ((flags & METH_KEYWORDS) != 0) return reinterpret_cast<PyCFunction>(keywords);
  if ((flags & METH_FASTCALL) != 0) return reinterpret_cast<PyCFunction>(fast);
  return plain;
}

bool FunctionRecord::prepare(const char* of_class, const char* self, int flags,
                             const char* called_by, const Word* words, size_t word_count) {
  owner = of_class;
  name = called_by;
  std::string plain = self != nullptr ? std::string("$") + self : "";  // For inspect.signature().
  std::string annotated = self != nullptr ? self : "";                 // For stubs.
  const auto add = [&](const std::string& word, const std::string& with_annotation) {
    plain += (plain.empty() ? "" : ", ") + word;
    annotated += (annotated.empty() ? "" : ", ") + with_annotation;
  };
  if (takes_all) add("*args", "*args"), add("**kwargs", "**kwargs");
  const Word* word = words;
  const Word* const end = words + word_count;
  for (size_t i = 0; i < count; ++i) {
    if (i == positional) add("*", "*");
    while (word != end && word->kind != Word::Kind::kArg) ++word;
    const Word* const arg = word != end ? word++ : nullptr;
    std::string value;
    if (arg != nullptr && arg->show_default != nullptr) {
      defaults |= 1ULL << i;
      if (!read_repr(arg->show_default(arg->value), value)) return false;
      value.insert(0, "=");
    }
    const std::string called = arg != nullptr ? arg->text : "arg" + std::to_string(i);
    const Passed& type = *passed[i];
    const std::string annotation = annotation_text(type);
    std::string with_type = called;
    with_type.append(": ").append(annotation);
    if (!value.empty()) with_type.append(" = ").append(value, 1);
    add(called + value, with_type);
    if (i + 1 == positional_only) add("/", "/");
    if (arg == nullptr) continue;
    names[i] = new_name(arg->text, std::strlen(arg->text));
    if (names[i] == nullptr) return false;
  }
  for (word = words; word != end; ++word) {
    if (word->kind == Word::Kind::kDoc) doc = word->text;
  }
  signature = keep(annotated);
  method.ml_name = name;
  method.ml_meth = convention.function();
  method.ml_flags = convention.flags | flags;
  method.ml_doc = keep(std::string(name) + "(" + plain + ")\n--\n\n" + (doc != nullptr ? doc : ""));
  if (signature != nullptr && method.ml_doc != nullptr) return true;
  PyErr_NoMemory();
  return false;
}

PyObject* const* arrange(const FunctionRecord& record, PyObject* const* arguments,
                         Py_ssize_t positional, PyObject* kwnames, PyObject** slots) {
  const Py_ssize_t keywords = kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0;
  if (positional + keywords == record.count && positional <= record.positional &&
      positional >= record.positional_only) {
    PyObject* const* const names = record.names + positional;
    Py_ssize_t i = 0;
    while (i < keywords && PyTuple_GET_ITEM(kwnames, i) == names[i]) ++i;
    if (i == keywords) return arguments;
  }
  const size_t taken = std::min<size_t>(static_cast<size_t>(positional), record.positional);
  std::copy_n(arguments, taken, slots);
  std::fill(slots + taken, slots + record.count, nullptr);
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    if (!put_keyword(record, PyTuple_GET_ITEM(kwnames, i), kwnames, arguments[positional + i],
                     slots)) {
      return nullptr;
    }
  }
  if (positional > record.positional) {
    set_too_many(record, positional, slots);
    return nullptr;
  }
  return set_missing(record, slots) ? nullptr : slots;
}

FlatArguments::FlatArguments(PyObject* tuple, PyObject* dict) {
  if (dict == nullptr || PyDict_GET_SIZE(dict) == 0) {
    arguments_ = PySequence_Fast_ITEMS(tuple);
    return;
  }
  const auto positional = static_cast<size_t>(PyTuple_GET_SIZE(tuple));
  // A thread may be started with a dict that others have too and change meanwhile.
  keeper_ = PyDict_Copy(dict);
  if (keeper_ == nullptr) return;
  const Py_ssize_t by_name = PyDict_GET_SIZE(keeper_);
  names_ = PyTuple_New(by_name);
  if (names_ == nullptr) return;
  own_ = PyMem_New(PyObject*, positional + static_cast<size_t>(by_name));
  if (own_ == nullptr) {
    PyErr_NoMemory();
    return;
  }
  std::copy_n(PySequence_Fast_ITEMS(tuple), positional, own_);
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  for (Py_ssize_t i = 0; PyDict_Next(keeper_, &position, &name, &value) != 0; ++i) {
    PyTuple_SET_ITEM(names_, i, Py_NewRef(name));
    own_[positional + static_cast<size_t>(i)] = value;
    if (PyUnicode_Check(name)) continue;
    PyErr_SetString(PyExc_TypeError, "keywords must be strings");
    return;
  }
  arguments_ = own_;
}

FlatArguments::~FlatArguments() {
  PyMem_Free(own_);
  Py_XDECREF(names_);
  Py_XDECREF(keeper_);
}

void wrong_argument(const FunctionRecord& record, size_t index, PyObject* argument) {
  if (PyErr_Occurred() != nullptr) return;
  const Passed& type = *record.passed[index];
  PyErr_Format(PyExc_TypeError, "%s() argument %s must be %s%s, not %.200s", called(record).c_str(),
               shown(record, index).c_str(), *type.expected, type.or_none ? " or None" : "",
               given_type(argument));
}

}  // namespace tenure::bind
