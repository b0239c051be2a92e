#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/owned.h"

#include <datetime.h>

#include <cstdlib>
#include <cstring>

#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>

#include "tenure/core/abi/fill.h"
#include "tenure/core/abi/shape.h"

namespace tenure::abi {
namespace {

constexpr size_t kNoLimit = ~size_t{0};

// What visit_owned() was given.
struct Visitor {
  visitproc visit;
  void* argument;

  // Answers false when there is no need to go on.
  bool operator()(PyObject* object) const {
    return object == nullptr || visit(object, argument) == 0;
  }
};

bool visit_dict(PyObject* dict, const Visitor& visit) {
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &value)) {
    if (!visit(key) || !visit(value)) return false;
  }
  return true;
}

bool visit_code(PyObject* object, const Visitor& visit) {
  const Shape& code = *shape(ShapeId::kCode);
  bool goes_on = true;
  for_each_reference(code, object, code.bytes(object, kNoLimit),
                     [&](PyObject** slot) { goes_on = goes_on && visit(*slot); });
  const _PyCoCached* cached = reinterpret_cast<PyCodeObject*>(object)->_co_cached;
  if (!goes_on || cached == nullptr) return goes_on;
  return visit(cached->_co_code) && visit(cached->_co_varnames) && visit(cached->_co_cellvars) &&
         visit(cached->_co_freevars);
}

// The names of an instance's attributes are in its class.
bool visit_heap_type(PyObject* object, const Visitor& visit) {
  auto* type = reinterpret_cast<PyHeapTypeObject*>(object);
  if (!visit(type->ht_name) || !visit(type->ht_qualname) || !visit(type->ht_slots)) return false;
  PyDictKeysObject* keys = type->ht_cached_keys;
  if (keys == nullptr || !DK_IS_UNICODE(keys)) return true;
  const PyDictUnicodeEntry* entries = DK_UNICODE_ENTRIES(keys);
  for (Py_ssize_t i = 0; i < keys->dk_nentries; ++i) {
    if (!visit(entries[i].me_key)) return false;
  }
  return true;
}

bool is_descriptor(PyTypeObject* type) {
  return type == &PyMethodDescr_Type || type == &PyMemberDescr_Type ||
         type == &PyGetSetDescr_Type || type == &PyWrapperDescr_Type ||
         type == &PyClassMethodDescr_Type;
}

// The module that defines these types is not looked at before somebody has imported it.
bool is_date(PyTypeObject* type, const char* name) { return std::strcmp(type->tp_name, name) == 0; }

bool visit_date(PyObject* object, const Visitor& visit) {
  PyTypeObject* type = Py_TYPE(object);
  if (is_date(type, "datetime.datetime")) {
    auto* date = reinterpret_cast<PyDateTime_DateTime*>(object);
    return !date->hastzinfo || visit(date->tzinfo);
  }
  if (is_date(type, "datetime.time")) {
    auto* time = reinterpret_cast<PyDateTime_Time*>(object);
    return !time->hastzinfo || visit(time->tzinfo);
  }
  return true;
}

size_t table_bytes(PyObject* object) {
  if (PyList_Check(object)) {
    return static_cast<size_t>(reinterpret_cast<PyListObject*>(object)->allocated) *
           sizeof(PyObject*);
  }
  if (PyDict_Check(object)) {
    return static_cast<size_t>(_PyDict_SizeOf(reinterpret_cast<PyDictObject*>(object)) -
                               Py_TYPE(object)->tp_basicsize);
  }
  if (PyAnySet_Check(object)) {
    auto* set = reinterpret_cast<PySetObject*>(object);
    return set->table == set->smalltable ? 0
                                         : static_cast<size_t>(set->mask + 1) * sizeof(setentry);
  }
  if (PyByteArray_Check(object)) {
    return static_cast<size_t>(reinterpret_cast<PyByteArrayObject*>(object)->ob_alloc);
  }
  return 0;
}

// Of a str, what it keeps outside of itself; legacy subclasses keep all of it there.
size_t text_bytes(PyObject* str) {
  auto* ascii = reinterpret_cast<PyASCIIObject*>(str);
  size_t bytes = 0;
  if (!ascii->state.compact) {
    bytes += static_cast<size_t>(PyUnicode_GET_LENGTH(str) + 1) * PyUnicode_KIND(str);
  } else if (!PyUnicode_CheckExact(str)) {
    return 0;
  }
  if (!ascii->state.compact || !ascii->state.ascii) {
    auto* compact = reinterpret_cast<PyCompactUnicodeObject*>(str);
    if (compact->utf8 != nullptr && compact->utf8 != PyUnicode_DATA(str)) {
      bytes += static_cast<size_t>(compact->utf8_length + 1);
    }
  }
  return bytes;
}

// True if the object is of a type that keeps its hash, and it has not been computed.
bool lacks_hash(PyObject* object) {
  if (PyFrozenSet_CheckExact(object)) return reinterpret_cast<PySetObject*>(object)->hash == -1;
  const Shape* shape = shape_of(object);
  return shape != nullptr && has_unknown_hash(*shape, object);
}

bool is_plain(PyObject* object) {
  return PyLong_CheckExact(object) || PyFloat_CheckExact(object) || PyComplex_CheckExact(object) ||
         PyBool_Check(object) || object == Py_None || object == Py_Ellipsis ||
         PyUnicode_CheckExact(object) || PyBytes_CheckExact(object);
}

// Hashing runs no Python code, and goes no deeper.
bool is_hashed_at_once(PyObject* object) {
  if (PyUnicode_CheckExact(object) || PyBytes_CheckExact(object)) return true;
  // The hashes of its items are in its table.
  if (PyFrozenSet_CheckExact(object)) return true;
  if (!PyTuple_CheckExact(object)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
    PyObject* item = PyTuple_GET_ITEM(object, i);
    if (item == nullptr) return false;
    const bool is_container = PyTuple_CheckExact(item) || PyFrozenSet_CheckExact(item);
    if (!is_plain(item) && (!is_container || lacks_hash(item))) return false;
  }
  return true;
}

}  // namespace

void visit_owned(PyObject* object, visitproc visit_function, void* argument) {
  const Visitor visit{visit_function, argument};
  PyTypeObject* type = Py_TYPE(object);
  if (is_plain(object)) return;
  if (type == &PyCode_Type) {
    visit_code(object, visit);
    return;
  }
  if (PyDict_Check(object) && !visit_dict(object, visit)) return;
  if (type == &PyDict_Type) return;
  if (PyType_Check(object) &&
      PyType_HasFeature(reinterpret_cast<PyTypeObject*>(object), Py_TPFLAGS_HEAPTYPE) &&
      !visit_heap_type(object, visit)) {
    return;
  }
  if (is_descriptor(type)) {
    auto* descriptor = reinterpret_cast<PyDescrObject*>(object);
    if (!visit(descriptor->d_name) || !visit(descriptor->d_qualname)) return;
  }
  if (PyObject_IS_GC(object)) {
    if (type->tp_traverse != nullptr) type->tp_traverse(object, visit_function, argument);
  } else if (visit_members(object, [&](const char*, PyObject* owned) { return visit(owned); })) {
    // start, stop and step of a range are members, for one; of dates, the time zone is none.
    visit_date(object, visit);
  }
}

size_t bytes_of(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  size_t bytes = _PyType_PreHeaderSize(type) + table_bytes(object);
  if (PyUnicode_Check(object)) bytes += text_bytes(object);
  if (const Shape* shape = shape_of(object)) return bytes + shape->bytes(object, kNoLimit);
  bytes += static_cast<size_t>(type->tp_basicsize);
  // Numbers keep something else where others keep how many items they have.
  if (type->tp_itemsize > 0 && !PyLong_Check(object)) {
    bytes += static_cast<size_t>(std::abs(Py_SIZE(object)) * type->tp_itemsize);
  }
  if (PyType_HasFeature(type, Py_TPFLAGS_INLINE_VALUES)) bytes += _PyInlineValuesSize(type);
  return bytes;
}

bool is_namespace_of(PyObject* object, PyObject* dict) {
  if (!PyFunction_Check(object)) return false;
  auto* function = reinterpret_cast<PyFunctionObject*>(object);
  return dict == function->func_globals || dict == function->func_builtins;
}

bool is_unfinished(PyObject* object) {
  if (!PyTuple_CheckExact(object)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
    if (PyTuple_GET_ITEM(object, i) == nullptr) return true;
  }
  return false;
}

bool fill_hash(PyObject* object) {
  if (!lacks_hash(object) || !is_hashed_at_once(object)) return false;
  if (PyObject_Hash(object) == -1) {
    PyErr_Clear();
    return false;
  }
  return true;
}

bool fill_utf8(PyObject* str) {
  if (!PyUnicode_CheckExact(str) || PyUnicode_IS_ASCII(str)) return false;
  auto* compact = reinterpret_cast<PyCompactUnicodeObject*>(str);
  if (compact->utf8 != nullptr) return false;
  if (PyUnicode_AsUTF8(str) != nullptr) return true;
  // Lone surrogates.
  PyErr_Clear();
  return false;
}

void fill_version(PyTypeObject* type) { PyUnstable_Type_AssignVersionTag(type); }

}  // namespace tenure::abi
