// The C API's side, and what all sides work on.

#include "tenure/bench/cpp/handles_sides.h"

namespace tenure::bench {

namespace {

bool len(const Subjects* subjects, size_t times) {
  PyObject* const list = subjects->list;
  for (size_t i = 0; i < times; ++i) use(PyList_GET_SIZE(fresh(list)));
  return true;
}

bool attribute(const Subjects* subjects, size_t times) {
  PyObject* const object = subjects->object;
  PyObject* const name = subjects->name;
  for (size_t i = 0; i < times; ++i) {
    PyObject* found = PyObject_GetAttr(fresh(object), name);
    if (found == nullptr) return false;
    use(found);
    Py_DECREF(found);
  }
  return true;
}

bool append(const Subjects* subjects, size_t times) {
  PyObject* const room = subjects->room;
  for (size_t i = 0; i < times; ++i) {
    if (PyList_Append(fresh(room), Py_None) < 0) return false;
  }
  return true;
}

bool lookup(const Subjects* subjects, size_t times) {
  PyObject* const dict = subjects->dict;
  PyObject* const key = subjects->key;
  for (size_t i = 0; i < times; ++i) {
    PyObject* found;
    const int status = PyDict_GetItemRef(fresh(dict), key, &found);
    if (status < 0) return false;
    use(found);
    Py_XDECREF(found);
  }
  return true;
}

bool temporaries(const Subjects* /*subjects*/, size_t times) {
  for (size_t i = 0; i < times; ++i) {
    PyObject* number = PyLong_FromSize_t(kFirstNumber + i);
    if (number == nullptr) return false;
    PyObject* text = PyObject_Str(number);
    if (text == nullptr) {
      Py_DECREF(number);
      return false;
    }
    use(text);
    Py_DECREF(text);
    Py_DECREF(number);
  }
  return true;
}

constexpr const char* kMakeSubjects =
    "class Named:\n"
    "    def __init__(self):\n"
    "        self.name = 'a name'\n"
    "objects = [1, 2, 3], Named(), [None] * 2000, {str(i): str(i) for i in range(100)}\n";

}  // namespace

Side c_side() { return {"C API", len, attribute, append, lookup, temporaries}; }

const Subjects* make_subjects() {
  static Subjects subjects;
  PyObject* names = PyDict_New();
  if (names == nullptr) return nullptr;
  PyObject* none = PyRun_String(kMakeSubjects, Py_file_input, names, names);
  if (none == nullptr) return nullptr;
  Py_DECREF(none);
  // Borrowed from the tuple; they live as long as the process, as `names` does.
  PyObject* objects = PyDict_GetItemString(names, "objects");
  subjects = {
      .list = PyTuple_GET_ITEM(objects, 0),
      .object = PyTuple_GET_ITEM(objects, 1),
      .name = PyUnicode_InternFromString("name"),
      .room = PyTuple_GET_ITEM(objects, 2),
      .dict = PyTuple_GET_ITEM(objects, 3),
      .key = PyUnicode_InternFromString("42"),
  };
  return subjects.name == nullptr || subjects.key == nullptr ? nullptr : &subjects;
}

void make_room(const Subjects& subjects) {
  Py_SET_SIZE(reinterpret_cast<PyVarObject*>(subjects.room), 0);
}

}  // namespace tenure::bench
