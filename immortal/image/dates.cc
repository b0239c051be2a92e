#include "tenure/immortal/image/dates.h"

#include <datetime.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>

#include "tenure/core/abi/thread.h"

namespace tenure::image {
namespace {

// Guards the writing of PyDateTimeAPI, which happens once; a thread reads it after it held this.
abi::AttachedLock api_lock;

// The ints at the front of a tuple. False if they are not there.
bool read_ints(PyObject* tuple, int* first, size_t count) {
  if (PyTuple_GET_SIZE(tuple) < static_cast<Py_ssize_t>(count)) return false;
  for (size_t i = 0; i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, static_cast<Py_ssize_t>(i));
    if (!PyLong_CheckExact(item)) return false;
    first[i] = PyLong_AsInt(item);
    if (first[i] == -1 && PyErr_Occurred()) return false;
  }
  return true;
}

// The tzinfo behind `at` ints, if that is all there is; else null.
PyObject* zone_at(PyObject* tuple, Py_ssize_t at) {
  if (PyTuple_GET_SIZE(tuple) != at + 1) return nullptr;
  PyObject* zone = PyTuple_GET_ITEM(tuple, at);
  return zone == Py_None || PyTZInfo_Check(zone) ? zone : nullptr;
}

PyObject* make_time(PyObject* argument) {
  std::array<int, 5> part;
  if (!read_ints(argument, part.data(), part.size())) return nullptr;
  PyObject* zone = zone_at(argument, part.size());
  if (zone == nullptr) return nullptr;
  return PyDateTimeAPI->Time_FromTimeAndFold(part[0], part[1], part[2], part[3], zone, part[4],
                                             PyDateTimeAPI->TimeType);
}

PyObject* make_datetime(PyObject* argument) {
  std::array<int, 8> part;
  if (!read_ints(argument, part.data(), part.size())) return nullptr;
  PyObject* zone = zone_at(argument, part.size());
  if (zone == nullptr) return nullptr;
  return PyDateTimeAPI->DateTime_FromDateAndTimeAndFold(part[0], part[1], part[2], part[3], part[4],
                                                        part[5], part[6], zone, part[7],
                                                        PyDateTimeAPI->DateTimeType);
}

PyObject* make_zone(PyObject* argument) {
  const Py_ssize_t size = PyTuple_GET_SIZE(argument);
  if (size < 1 || size > 2 || !PyDelta_CheckExact(PyTuple_GET_ITEM(argument, 0))) return nullptr;
  PyObject* name = size == 2 ? PyTuple_GET_ITEM(argument, 1) : nullptr;
  if (name != nullptr && !PyUnicode_CheckExact(name)) return nullptr;
  return PyDateTimeAPI->TimeZone_FromTimeZone(PyTuple_GET_ITEM(argument, 0), name);
}

}  // namespace

bool is_date_action(Action action) {
  return action >= Action::kDate && action <= Action::kTimeZone;
}

// The module's types are the same objects in every interpreter, but each has to import it once.
bool import_datetime() {
  static thread_local int64_t imported_by = -1;
  const int64_t interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
  if (imported_by == interpreter) return true;
  void* api = PyCapsule_Import(PyDateTime_CAPSULE_NAME, 0);
  if (api == nullptr) return false;
  const std::lock_guard lock(api_lock);
  if (PyDateTimeAPI == nullptr) PyDateTimeAPI = static_cast<PyDateTime_CAPI*>(api);
  imported_by = interpreter;
  return true;
}

std::optional<Action> date_action_for(PyObject* object) {
  if (!import_datetime()) return std::nullopt;
  if (PyDate_CheckExact(object)) return Action::kDate;
  if (PyTime_CheckExact(object)) return Action::kTime;
  if (PyDateTime_CheckExact(object)) return Action::kDateTime;
  if (PyDelta_CheckExact(object)) return Action::kTimeDelta;
  if (Py_IS_TYPE(object, Py_TYPE(PyDateTime_TimeZone_UTC))) return Action::kTimeZone;
  return std::nullopt;
}

PyObject* date_argument(Action action, PyObject* object) {
  switch (action) {
    case Action::kDate:
      return Py_BuildValue("(iii)", PyDateTime_GET_YEAR(object), PyDateTime_GET_MONTH(object),
                           PyDateTime_GET_DAY(object));
    case Action::kTime:
      return Py_BuildValue("(iiiiiO)", PyDateTime_TIME_GET_HOUR(object),
                           PyDateTime_TIME_GET_MINUTE(object), PyDateTime_TIME_GET_SECOND(object),
                           PyDateTime_TIME_GET_MICROSECOND(object),
                           PyDateTime_TIME_GET_FOLD(object), PyDateTime_TIME_GET_TZINFO(object));
    case Action::kDateTime:
      return Py_BuildValue("(iiiiiiiiO)", PyDateTime_GET_YEAR(object), PyDateTime_GET_MONTH(object),
                           PyDateTime_GET_DAY(object), PyDateTime_DATE_GET_HOUR(object),
                           PyDateTime_DATE_GET_MINUTE(object), PyDateTime_DATE_GET_SECOND(object),
                           PyDateTime_DATE_GET_MICROSECOND(object),
                           PyDateTime_DATE_GET_FOLD(object), PyDateTime_DATE_GET_TZINFO(object));
    case Action::kTimeDelta:
      return Py_BuildValue("(iii)", PyDateTime_DELTA_GET_DAYS(object),
                           PyDateTime_DELTA_GET_SECONDS(object),
                           PyDateTime_DELTA_GET_MICROSECONDS(object));
    default:
      // Its offset and, if it was given one, its name.
      return PyObject_CallMethod(object, "__getinitargs__", nullptr);
  }
}

PyObject* make_date(Action action, PyObject* argument) {
  if (!is_date_action(action) || !import_datetime()) return nullptr;
  std::array<int, 3> part;
  switch (action) {
    case Action::kTime:
      return make_time(argument);
    case Action::kDateTime:
      return make_datetime(argument);
    case Action::kTimeZone:
      return make_zone(argument);
    default:
      break;
  }
  if (PyTuple_GET_SIZE(argument) != 3 || !read_ints(argument, part.data(), part.size())) {
    return nullptr;
  }
  return action == Action::kDate ? PyDate_FromDate(part[0], part[1], part[2])
                                 : PyDateTimeAPI->Delta_FromDelta(part[0], part[1], part[2], 0,
                                                                  PyDateTimeAPI->DeltaType);
}

}  // namespace tenure::image
