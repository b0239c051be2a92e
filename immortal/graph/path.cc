#include "tenure/immortal/graph/path.h"

#include <optional>

#include "tenure/core/abi/owned.h"
#include "tenure/core/strong.h"

namespace tenure::graph {
namespace {

// Of a longer way, so many steps are shown at its beginning and at its end.
constexpr size_t kShown = 20;
constexpr size_t kLongestKey = 60;

// As UTF-8, "?" for what has none.
std::string text_of(PyObject* str) {
  const char* utf8 = PyUnicode_AsUTF8(str);
  if (utf8 == nullptr) PyErr_Clear();
  return utf8 != nullptr ? utf8 : "?";
}

std::string quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// How a key is written. Only of types whose repr runs no Python code.
std::string key_text(PyObject* key) {
  std::string text;
  if (PyUnicode_CheckExact(key)) {
    text = quoted(text_of(key));
  } else if (PyLong_CheckExact(key) || PyFloat_CheckExact(key) || PyBytes_CheckExact(key) ||
             PyBool_Check(key) || key == Py_None) {
    const Strong repr = PyObject_Repr(key);
    if (!repr) PyErr_Clear();
    text = repr ? text_of(repr.get()) : "?";
  } else {
    text = std::string("<") + Py_TYPE(key)->tp_name + ">";
  }
  if (text.size() > kLongestKey) {
    size_t end = kLongestKey;
    // Not in the middle of a character.
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + "...";
  }
  return text;
}

std::optional<std::string> name_in_dict(PyObject* dict, PyObject* value, bool as_attribute) {
  PyObject* key = nullptr;
  PyObject* found = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &found)) {
    if (found == value) {
      return as_attribute && PyUnicode_CheckExact(key) ? "." + text_of(key)
                                                       : "[" + key_text(key) + "]";
    }
    if (key == value) return "{" + key_text(key) + "}";
  }
  return std::nullopt;
}

std::optional<std::string> name_of_member(PyObject* object, PyObject* value) {
  std::optional<std::string> text;
  abi::visit_members(object, [&](const char* name, PyObject* found) {
    if (found == value) text = std::string(".") + name;
    return found != value;
  });
  return text;
}

template <typename Size, typename Item>
std::optional<std::string> index_in(PyObject* sequence, PyObject* value, Size size, Item item) {
  for (Py_ssize_t i = 0; i < size(sequence); ++i) {
    if (item(sequence, i) == value) return "[" + std::to_string(i) + "]";
  }
  return std::nullopt;
}

std::optional<std::string> name_in_instance(PyObject* object, PyObject* value) {
  if (PyType_Check(object) || PyModule_Check(object)) return std::nullopt;
  // Makes the dict if there is none yet; the object is the same with it.
  const Strong dict = PyObject_GenericGetDict(object, nullptr);
  if (!dict) PyErr_Clear();
  if (!dict || !PyDict_Check(dict.get())) return std::nullopt;
  if (dict.get() == value) return std::string(".__dict__");
  return name_in_dict(dict.get(), value, true);
}

std::optional<std::string> name_in_exception(PyObject* exception, PyObject* value) {
  const Strong traceback = PyException_GetTraceback(exception);
  if (traceback.get() == value) return std::string(".__traceback__");
  const Strong context = PyException_GetContext(exception);
  if (context.get() == value) return std::string(".__context__");
  const Strong cause = PyException_GetCause(exception);
  if (cause.get() == value) return std::string(".__cause__");
  const Strong arguments = PyException_GetArgs(exception);
  if (arguments.get() == value) return std::string(".args");
  return std::nullopt;
}

std::optional<std::string> name_in_function(PyObject* function, PyObject* value) {
  if (value == PyFunction_GetCode(function)) return std::string(".__code__");
  if (value == PyFunction_GetGlobals(function)) return std::string(".__globals__");
  if (value == PyFunction_GetDefaults(function)) return std::string(".__defaults__");
  if (value == PyFunction_GetKwDefaults(function)) return std::string(".__kwdefaults__");
  return std::nullopt;
}

std::string step_text(PyObject* parent, PyObject* child) {
  std::optional<std::string> text;
  if (PyTuple_Check(parent)) {
    text = index_in(
        parent, child, [](PyObject* t) { return PyTuple_GET_SIZE(t); },
        [](PyObject* t, Py_ssize_t i) { return PyTuple_GET_ITEM(t, i); });
  } else if (PyList_Check(parent)) {
    text = index_in(
        parent, child, [](PyObject* l) { return PyList_GET_SIZE(l); },
        [](PyObject* l, Py_ssize_t i) { return PyList_GET_ITEM(l, i); });
  } else if (PyDict_Check(parent)) {
    text = name_in_dict(parent, child, false);
  } else if (PyAnySet_Check(parent)) {
    text = "{" + key_text(child) + "}";
  } else if (PyCell_Check(parent)) {
    text = ".cell_contents";
  } else if (PyModule_Check(parent)) {
    PyObject* dict = PyModule_GetDict(parent);
    text = child == dict ? ".__dict__" : name_in_dict(dict, child, true);
  } else if (PyType_Check(parent)) {
    const Strong dict = PyType_GetDict(reinterpret_cast<PyTypeObject*>(parent));
    if (dict) text = child == dict.get() ? ".__dict__" : name_in_dict(dict.get(), child, true);
  } else if (PyFunction_Check(parent)) {
    text = name_in_function(parent, child);
  } else if (PyExceptionInstance_Check(parent)) {
    text = name_in_exception(parent, child);
  }
  if (!text && child == reinterpret_cast<PyObject*>(Py_TYPE(parent))) text = ".__class__";
  if (!text) text = name_of_member(parent, child);
  if (!text) text = name_in_instance(parent, child);
  return text.value_or(".<" + std::string(Py_TYPE(child)->tp_name) + ">");
}

// A dict of attributes and what it is the dict of are one step.
bool is_dict_step(const std::string& step) { return step == ".__dict__"; }

}  // namespace

std::string path_text(const std::vector<PyObject*>& way) {
  std::string path = "$";
  const size_t steps = way.size() - 1;
  bool in_attributes = false;
  for (size_t i = 0; i < steps; ++i) {
    if (steps > 2 * kShown + 1 && i == kShown) {
      path += "...";
      i = steps - kShown;
      in_attributes = false;
    }
    std::string step = in_attributes ? name_in_dict(way[i], way[i + 1], true).value_or("")
                                     : step_text(way[i], way[i + 1]);
    if (step.empty()) step = step_text(way[i], way[i + 1]);
    in_attributes = is_dict_step(step) && i + 1 < steps;
    if (!in_attributes) path += step;
  }
  return path;
}

}  // namespace tenure::graph
