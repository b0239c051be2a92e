#include "tenure/handles/bind/record.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "tenure/core/names.h"

namespace tenure::bind {
namespace {

// Kept for the process's life, like the record that points to it.
const char* keep(const std::string& text) { return strdup(text.c_str()); }

std::string called(const FunctionRecord& record) {
  return record.owner != nullptr ? std::string(record.owner) + "." + record.name : record.name;
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
    count += size_t{slots[i] == nullptr && !record.parameters[i].has_default};
  }
  size_t written = 0;
  for (size_t i = begin; i < end; ++i) {
    if (slots[i] != nullptr || record.parameters[i].has_default) continue;
    if (written > 0) text += count > 2 ? ", " : " ";
    if (written > 0 && written + 1 == count) text += "and ";
    const char* name = record.parameters[i].name;
    text += name != nullptr ? "'" + std::string(name) + "'" : std::to_string(i + 1);
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

void set_too_many(const FunctionRecord& record, Py_ssize_t given) {
  size_t required = 0;
  for (size_t i = 0; i < record.positional; ++i) {
    required += size_t{!record.parameters[i].has_default};
  }
  const size_t most = record.positional;
  const std::string takes =
      required < most ? "from " + std::to_string(required) + " to " +
                            std::to_string(most) + " positional arguments"
                      : counted(most, "positional argument");
  PyErr_Format(PyExc_TypeError, "%s() takes %s but %zd %s given", called(record).c_str(),
               takes.c_str(), given, given == 1 ? "was" : "were");
}

enum class Place : unsigned char { kFound, kUnknown, kError };

// The parameter of that name: by identity first, as interned names nearly always are.
Place place_of(const FunctionRecord& record, PyObject* name, size_t& place) {
  for (size_t i = record.positional_only; i < record.count; ++i) {
    if (record.parameters[i].object == name) {
      place = i;
      return Place::kFound;
    }
  }
  for (size_t i = 0; i < record.count; ++i) {
    if (record.parameters[i].object == nullptr) continue;
    const int is_equal = PyUnicode_Compare(record.parameters[i].object, name) == 0;
    if (PyErr_Occurred() != nullptr) return Place::kError;
    if (is_equal == 0) continue;
    place = i;
    return Place::kFound;
  }
  return Place::kUnknown;
}

bool put_keyword(const FunctionRecord& record, PyObject* name, PyObject* value, PyObject** slots) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "%s() keywords must be strings", called(record).c_str());
    return false;
  }
  size_t place = 0;
  const Place found = place_of(record, name, place);
  if (found == Place::kError) return false;
  if (found == Place::kUnknown) {
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'",
                 called(record).c_str(), name);
    return false;
  }
  if (place < record.positional_only) {
    PyErr_Format(PyExc_TypeError,
                 "%s() got some positional-only arguments passed as keyword arguments: '%U'",
                 called(record).c_str(), name);
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

bool read_repr(PyObject* object, std::string& text) {
  PyObject* str = PyObject_Repr(object);
  const char* utf8 = str != nullptr ? PyUnicode_AsUTF8(str) : nullptr;
  if (utf8 != nullptr) text = utf8;
  Py_XDECREF(str);
  return utf8 != nullptr;
}

bool put_positional(const FunctionRecord& record, PyObject* const* arguments, Py_ssize_t count,
                    PyObject** slots) {
  for (size_t i = 0; i < record.count; ++i) slots[i] = nullptr;
  if (count > record.positional) {
    set_too_many(record, count);
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) slots[i] = arguments[i];
  return true;
}

}  // namespace

std::string annotation_text(const char* annotation, bool or_none) {
  return or_none ? std::string(annotation) + " | None" : annotation;
}

bool FunctionRecord::prepare(const char* of_class, const char* self, const char* called_by,
                             const char* documentation, PyObject** defaults) {
  owner = of_class;
  name = called_by;
  doc = documentation;
  std::string plain = self != nullptr ? std::string("$") + self : "";  // For inspect.signature().
  std::string annotated = self != nullptr ? self : "";                 // For stubs.
  const auto add = [&](const std::string& word, const std::string& with_annotation) {
    plain += (plain.empty() ? "" : ", ") + word;
    annotated += (annotated.empty() ? "" : ", ") + with_annotation;
  };
  if (takes_all) add("*args", "*args"), add("**kwargs", "**kwargs");
  bool is_well = true;
  for (size_t i = 0; i < count; ++i) {
    Parameter& parameter = parameters[i];
    if (i == positional) add("*", "*");
    const std::string word =
        parameter.name != nullptr ? parameter.name : "arg" + std::to_string(i);
    std::string value;
    if (parameter.has_default) {
      is_well = is_well && defaults[i] != nullptr && read_repr(defaults[i], value);
      Py_XDECREF(defaults[i]);
    }
    add(word + (value.empty() ? "" : "=" + value),
        word + ": " + annotation_text(*parameter.annotation, parameter.or_none) +
            (value.empty() ? "" : " = " + value));
    if (i + 1 == positional_only) add("/", "/");
    if (parameter.name != nullptr) {
      parameter.object = new_name(parameter.name, std::strlen(parameter.name));
      is_well = is_well && parameter.object != nullptr;
    }
  }
  if (!is_well) return false;
  signature = keep(annotated);
  method.ml_name = name;
  method.ml_doc = keep(std::string(name) + "(" + plain + ")\n--\n\n" +
                       (documentation != nullptr ? documentation : ""));
  if (signature != nullptr && method.ml_doc != nullptr) return true;
  PyErr_NoMemory();
  return false;
}

bool gather(const FunctionRecord& record, PyObject* const* arguments, Py_ssize_t positional,
            PyObject* kwnames, PyObject** slots) {
  if (!put_positional(record, arguments, positional, slots)) return false;
  const Py_ssize_t keywords = kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    if (!put_keyword(record, PyTuple_GET_ITEM(kwnames, i), arguments[positional + i], slots)) {
      return false;
    }
  }
  return !set_missing(record, slots);
}

bool gather(const FunctionRecord& record, PyObject* tuple, PyObject* dict, PyObject** slots) {
  const Py_ssize_t positional = PyTuple_GET_SIZE(tuple);
  if (!put_positional(record, positional > 0 ? &PyTuple_GET_ITEM(tuple, 0) : nullptr, positional,
                      slots)) {
    return false;
  }
  if (dict != nullptr) {
    // Of a call's own dict, which nobody else has.
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &name, &value) != 0) {
      if (!put_keyword(record, name, value, slots)) return false;
    }
  }
  return !set_missing(record, slots);
}

FlatArguments::FlatArguments(PyObject* tuple, PyObject* dict) {
  const Py_ssize_t positional = PyTuple_GET_SIZE(tuple);
  const Py_ssize_t by_name = dict != nullptr ? PyDict_GET_SIZE(dict) : 0;
  if (by_name > 0) {
    names_ = PyTuple_New(by_name);
    if (names_ == nullptr) return;
  }
  arguments_ = PyMem_New(PyObject*, static_cast<size_t>(positional + by_name + 1));
  if (arguments_ == nullptr) {
    PyErr_NoMemory();
    return;
  }
  for (Py_ssize_t i = 0; i < positional; ++i) arguments_[i] = PyTuple_GET_ITEM(tuple, i);
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  for (Py_ssize_t i = 0; i < by_name && PyDict_Next(dict, &position, &name, &value) != 0; ++i) {
    PyTuple_SET_ITEM(names_, i, Py_NewRef(name));
    arguments_[positional + i] = value;
  }
}

FlatArguments::~FlatArguments() {
  PyMem_Free(arguments_);
  Py_XDECREF(names_);
}

PyObject* wrong_count(const FunctionRecord& record, Py_ssize_t given) {
  if (given > record.positional) {
    set_too_many(record, given);
    return nullptr;
  }
  const std::string names = called(record);
  PyErr_Format(PyExc_TypeError, "%s() takes exactly %s (%zd given)", names.c_str(),
               counted(record.positional, "argument").c_str(), given);
  return nullptr;
}

PyObject* wrong_argument(const FunctionRecord& record, size_t index, PyObject* argument,
                         const char* expected) {
  if (PyErr_Occurred() != nullptr) return nullptr;
  const char* name = record.parameters[index].name;
  const std::string which =
      name != nullptr ? "'" + std::string(name) + "'" : std::to_string(index + 1);
  // None is spelled as itself, as CPython does.
  const char* given = Py_IsNone(argument) ? "None" : Py_TYPE(argument)->tp_name;
  PyErr_Format(PyExc_TypeError, "%s() argument %s must be %s%s, not %.200s",
               called(record).c_str(), which.c_str(), expected,
               record.parameters[index].or_none ? " or None" : "", given);
  return nullptr;
}

}  // namespace tenure::bind
