#include "tenure/immortal/image/data_path.h"

#include "tenure/core/strong.h"

namespace tenure::image {
namespace {

// Of a longer path, so many steps are shown at either end.
constexpr size_t kShownSteps = 20;
constexpr size_t kShownKeyBytes = 100;

// UTF-8 of a str, escaped where there is none.
std::string text_of(PyObject* str) {
  const Strong bytes = PyUnicode_AsEncodedString(str, "utf-8", "backslashreplace");
  if (!bytes) {
    PyErr_Clear();
    return "?";
  }
  return {PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

std::string key_text(PyObject* key) {
  if (PyUnicode_CheckExact(key) && PyUnicode_IsIdentifier(key) == 1 &&
      PyUnicode_GET_LENGTH(key) <= static_cast<Py_ssize_t>(kShownKeyBytes)) {
    return "." + text_of(key);
  }
  const Strong repr = PyObject_Repr(key);
  if (!repr) {
    PyErr_Clear();
    return "[<" + type_name(key) + ">]";
  }
  std::string text = text_of(repr.get());
  if (text.size() > kShownKeyBytes) {
    size_t end = kShownKeyBytes;
    // Not in the middle of a character.
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    text += "...";
  }
  return "[" + text + "]";
}

std::string step_text(const PathStep& step) {
  if (step.key != nullptr) return key_text(step.key);
  const std::string number = std::to_string(step.index);
  return step.is_key ? "<key " + number + ">" : "[" + number + "]";
}

}  // namespace

std::string path_text(std::span<const PathStep> steps) {
  std::string path = "$";
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i == kShownSteps && steps.size() > 2 * kShownSteps) {
      const size_t left_out = steps.size() - 2 * kShownSteps;
      path += "...(" + std::to_string(left_out) + " levels)...";
      i += left_out;
    }
    path += step_text(steps[i]);
  }
  return path;
}

std::string type_name(PyObject* object) {
  const Strong name = PyType_GetFullyQualifiedName(Py_TYPE(object));
  if (name) return text_of(name.get());
  PyErr_Clear();
  return Py_TYPE(object)->tp_name;
}

}  // namespace tenure::image
