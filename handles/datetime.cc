#include "tenure/handles/datetime.h"

#include <atomic>
#include <cassert>
#include <cstdint>

#include "tenure/core/abi/python.h"

// After Python.h, which it does not include.
#include <datetime.h>

#include "tenure/core/abi/thread.h"
#include "tenure/handles/exception.h"
#include "tenure/handles/raise.h"

namespace tenure {

namespace {

using std::chrono::days;
using std::chrono::microseconds;

// The table of functions is the same for all interpreters of a process and lives as long as the
// process. What has to be done in each is the import. The interpreter that did it last is known;
// others ask sys.modules again.
std::atomic<const PyDateTime_CAPI*> table{nullptr};
std::atomic<PyInterpreterState*> imported_by{nullptr};

// Null with an error set if the module cannot be imported.
const PyDateTime_CAPI* api() {
  PyInterpreterState* current = abi::interpreter_of(abi::current_state());
  if (imported_by.load(std::memory_order_acquire) == current) [[likely]] {
    return table.load(std::memory_order_relaxed);
  }
  const auto* imported =
      static_cast<const PyDateTime_CAPI*>(PyCapsule_Import(PyDateTime_CAPSULE_NAME, 0));
  if (imported == nullptr) return nullptr;
  table.store(imported, std::memory_order_relaxed);
  imported_by.store(current, std::memory_order_release);
  return imported;
}

// Where the module cannot be imported, nothing is of its types.
bool is_of(PyObject* object, PyTypeObject* PyDateTime_CAPI::* type) {
  const PyDateTime_CAPI* datetime = nullptr;
  if (imported_by.load(std::memory_order_acquire) == abi::interpreter_of(abi::current_state()))
      [[likely]] {
    datetime = table.load(std::memory_order_relaxed);
  } else {
    const ErrorAside aside;
    datetime = api();
    clear_error();
  }
  return datetime != nullptr && PyObject_TypeCheck(object, datetime->*type);
}

// What Python has years for.
constexpr std::chrono::sys_days kFirstDay{std::chrono::year(1) / 1 / 1};
constexpr std::chrono::sys_days kLastDay{std::chrono::year(9999) / 12 / 31};

// The days in it, and the rest, which is not negative.
struct Split {
  int64_t days;
  std::chrono::hh_mm_ss<microseconds> time;
};

Split split(microseconds time) {
  // Not floor(): the beginning of the first day is before the first microsecond.
  constexpr int64_t kPerDay = microseconds(days(1)).count();
  const int64_t rest = time.count() % kPerDay;
  const int64_t whole = time.count() / kPerDay;
  if (rest >= 0) return {whole, std::chrono::hh_mm_ss(microseconds(rest))};
  return {whole - 1, std::chrono::hh_mm_ss(microseconds(rest + kPerDay))};
}

int seconds_of(const std::chrono::hh_mm_ss<microseconds>& time) {
  return static_cast<int>((time.hours() + time.minutes() + time.seconds()) /
                          std::chrono::seconds(1));
}

Result<DateTime> make_datetime(microseconds since_epoch, PyObject* zone, int fold) {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  const auto [count, time] = split(since_epoch);
  if (count < kFirstDay.time_since_epoch().count() || count > kLastDay.time_since_epoch().count()) {
    return raise_overflow_error("date value out of range");
  }
  const std::chrono::year_month_day day{std::chrono::sys_days(days(static_cast<int>(count)))};
  return datetime->DateTime_FromDateAndTimeAndFold(
      static_cast<int>(day.year()), static_cast<int>(static_cast<unsigned>(day.month())),
      static_cast<int>(static_cast<unsigned>(day.day())), static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
      static_cast<int>(time.subseconds().count()), zone, fold, datetime->DateTimeType);
}

Result<Time> make_time(microseconds since_midnight, PyObject* zone) {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  const auto [count, time] = split(since_midnight);
  if (count != 0) return raise_value_error("a time is between 0 and 24 hours");
  return datetime->Time_FromTimeAndFold(
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()), zone,
      /*fold=*/0, datetime->TimeType);
}

Lookup<TimeZone> zone_of(PyObject* borrowed) {
  if (Py_IsNone(borrowed)) return Lookup<TimeZone>::nothing();
  return {1, Py_NewRef(borrowed)};
}

microseconds time_of(int hour, int minute, int second, int microsecond) {
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) +
         microseconds(microsecond);
}

Result<TimeZone> make_zone(microseconds ahead, PyObject* name) {
  const Owned<TimeDelta> offset = TENURE_TRY(TimeDelta::make(ahead));
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  return datetime->TimeZone_FromTimeZone(offset.get(), name);
}

}  // namespace

bool TimeZone::check(PyObject* object) { return is_of(object, &PyDateTime_CAPI::TZInfoType); }

Result<TimeZone> TimeZone::utc() {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  return Py_NewRef(datetime->TimeZone_UTC);
}

Result<TimeZone> TimeZone::make(microseconds ahead) { return make_zone(ahead, nullptr); }

Result<TimeZone> TimeZone::make(microseconds ahead, const Object& name) {
  if (!PyUnicode_Check(name.get())) {
    return raise_type_error("the name of a time zone is a str, not %T", name);
  }
  return make_zone(ahead, name.get());
}

bool TimeDelta::check(PyObject* object) { return is_of(object, &PyDateTime_CAPI::DeltaType); }

Result<TimeDelta> TimeDelta::make(microseconds time) {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  // 64 bits of microseconds are no more days than an int and a timedelta have room for.
  const auto [count, rest] = split(time);
  return datetime->Delta_FromDelta(static_cast<int>(count), seconds_of(rest),
                                   static_cast<int>(rest.subseconds().count()), /*normalize=*/0,
                                   datetime->DeltaType);
}

Result<microseconds> TimeDelta::total() const {
  constexpr int64_t kPerSecond = 1'000'000;
  constexpr int64_t kSecondsPerDay = 86'400;
  // No overflow: a timedelta has less than 1e9 days.
  const int64_t seconds =
      PyDateTime_DELTA_GET_DAYS(get()) * kSecondsPerDay + PyDateTime_DELTA_GET_SECONDS(get());
  int64_t total = 0;
  // Upwards from the second below, which may be out of range where the sum is not.
  const bool is_negative = seconds < 0;
  const int64_t whole = is_negative ? seconds + 1 : seconds;
  const int64_t rest = PyDateTime_DELTA_GET_MICROSECONDS(get()) - (is_negative ? kPerSecond : 0);
  if (__builtin_mul_overflow(whole, kPerSecond, &total) ||
      __builtin_add_overflow(total, rest, &total)) {
    return raise_overflow_error("timedelta too large for 64 bits of microseconds");
  }
  return microseconds(total);
}

bool Date::check(PyObject* object) { return is_of(object, &PyDateTime_CAPI::DateType); }

Result<Date> Date::make(std::chrono::year_month_day day) {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  return datetime->Date_FromDate(
      static_cast<int>(day.year()), static_cast<int>(static_cast<unsigned>(day.month())),
      static_cast<int>(static_cast<unsigned>(day.day())), datetime->DateType);
}

Result<Date> Date::make(std::chrono::sys_days day) {
  if (day < kFirstDay || day > kLastDay) return raise_overflow_error("date value out of range");
  return make(std::chrono::year_month_day(day));
}

std::chrono::year_month_day Date::ymd() const {
  return {std::chrono::year(PyDateTime_GET_YEAR(get())),
          std::chrono::month(static_cast<unsigned>(PyDateTime_GET_MONTH(get()))),
          std::chrono::day(static_cast<unsigned>(PyDateTime_GET_DAY(get())))};
}

bool Time::check(PyObject* object) { return is_of(object, &PyDateTime_CAPI::TimeType); }

Result<Time> Time::make(microseconds since_midnight) { return make_time(since_midnight, Py_None); }

Result<Time> Time::make(microseconds since_midnight, const TimeZone& zone) {
  return make_time(since_midnight, zone.get());
}

microseconds Time::since_midnight() const {
  return time_of(PyDateTime_TIME_GET_HOUR(get()), PyDateTime_TIME_GET_MINUTE(get()),
                 PyDateTime_TIME_GET_SECOND(get()), PyDateTime_TIME_GET_MICROSECOND(get()));
}

Lookup<TimeZone> Time::zone() const { return zone_of(PyDateTime_TIME_GET_TZINFO(get())); }

int Time::fold() const { return PyDateTime_TIME_GET_FOLD(get()); }

bool DateTime::check(PyObject* object) { return is_of(object, &PyDateTime_CAPI::DateTimeType); }

Result<DateTime> DateTime::make(std::chrono::local_time<std::chrono::microseconds> time) {
  return make_datetime(time.time_since_epoch(), Py_None, /*fold=*/0);
}

Result<DateTime> DateTime::make(std::chrono::local_time<std::chrono::microseconds> time,
                                const TimeZone& zone, int fold) {
  return make_datetime(time.time_since_epoch(), zone.get(), fold);
}

Result<DateTime> DateTime::make(std::chrono::sys_time<std::chrono::microseconds> time) {
  const Owned<TimeZone> utc = TENURE_TRY(TimeZone::utc());
  return make_datetime(time.time_since_epoch(), utc.get(), /*fold=*/0);
}

std::chrono::microseconds DateTime::since_midnight() const {
  return time_of(PyDateTime_DATE_GET_HOUR(get()), PyDateTime_DATE_GET_MINUTE(get()),
                 PyDateTime_DATE_GET_SECOND(get()), PyDateTime_DATE_GET_MICROSECOND(get()));
}

std::chrono::local_time<std::chrono::microseconds> DateTime::local_time() const {
  return std::chrono::local_days(ymd()) + since_midnight();
}

Result<std::chrono::sys_time<std::chrono::microseconds>> DateTime::sys_time() const {
  const PyDateTime_CAPI* datetime = api();
  if (datetime == nullptr) return Failed{};
  std::chrono::microseconds ahead{0};
  if (PyDateTime_DATE_GET_TZINFO(get()) != datetime->TimeZone_UTC) {
    const Owned<> offset = TENURE_TRY(Result<>(PyObject_CallMethod(get(), "utcoffset", nullptr)));
    if (offset.is_none()) {
      return raise_value_error("a datetime without a time zone is no point in time");
    }
    if (!TimeDelta::check(offset.get())) {
      return raise_type_error("utcoffset() answered %T", offset);
    }
    ahead = TENURE_TRY(Borrowed<TimeDelta>(offset.get()).total());
  }
  return std::chrono::sys_time<std::chrono::microseconds>(local_time().time_since_epoch() - ahead);
}

Lookup<TimeZone> DateTime::zone() const { return zone_of(PyDateTime_DATE_GET_TZINFO(get())); }

int DateTime::fold() const { return PyDateTime_DATE_GET_FOLD(get()); }

}  // namespace tenure
