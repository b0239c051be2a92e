// Date, DateTime, Time, TimeDelta, TimeZone: the views of the datetime module's types, and
// std::chrono's values in both directions.
//
//   chrono                               Python
//   year_month_day, sys_days             Date
//   local_time                           DateTime without a time zone
//   sys_time (of system_clock)           DateTime with one; made in UTC
//   microseconds since midnight          Time
//   microseconds                         TimeDelta
//
//   Result<DateTime> now = DateTime::make(std::chrono::floor<microseconds>(system_clock::now()));
//   std::chrono::sys_time<microseconds> when = TENURE_TRY(meeting.sys_time());
//
// Python's types have microseconds: round finer values in the open, with std::chrono::floor and its
// like. They have the years 1 to 9999; making any other is a ValueError or an OverflowError.
//
// The datetime module is imported at the first use in an interpreter, by check() too.
//
// Not for: time zones by name; those are Python's zoneinfo, whose objects can be passed here.
//
// Thread safety: attached for everything. Makers and check() may run Python code when they import;
// besides that only sys_time() does.
#ifndef TENURE_HANDLES_DATETIME_H_
#define TENURE_HANDLES_DATETIME_H_

#include <chrono>

#include "tenure/handles/object.h"

namespace tenure {

// Python's datetime.tzinfo.
class TimeZone : public Object {
 public:
  static constexpr const char* kName = "datetime.tzinfo";
  static bool check(PyObject* object);

  static Result<TimeZone> utc();
  // That far ahead of UTC, all the year. Errors: ValueError from 24 hours on.
  static Result<TimeZone> make(std::chrono::microseconds ahead);
  // The same, with a name instead of "UTC+01:00". Requires: a str; anything else is a TypeError.
  static Result<TimeZone> make(std::chrono::microseconds ahead, const Object& name);

 protected:
  using Object::Object;
};

class TimeDelta : public Object {
 public:
  static constexpr const char* kName = "datetime.timedelta";
  static bool check(PyObject* object);

  // Any there is.
  static Result<TimeDelta> make(std::chrono::microseconds time);

  // Errors: OverflowError beyond 292,000 years: timedeltas go further than 64 bits do.
  [[nodiscard]] Result<std::chrono::microseconds> total() const;

 protected:
  using Object::Object;
};

class Date : public Object {
 public:
  static constexpr const char* kName = "datetime.date";
  // A DateTime is one too.
  static bool check(PyObject* object);

  // Errors: ValueError for what is no date or too far away.
  static Result<Date> make(std::chrono::year_month_day day);
  // Errors: OverflowError if it is too far away.
  static Result<Date> make(std::chrono::sys_days day);

  [[nodiscard]] std::chrono::year_month_day ymd() const;
  [[nodiscard]] std::chrono::sys_days sys_days() const { return ymd(); }

 protected:
  using Object::Object;
};

class Time : public Object {
 public:
  static constexpr const char* kName = "datetime.time";
  static bool check(PyObject* object);

  // Errors: ValueError if it is below 0, or 24 hours and more.
  static Result<Time> make(std::chrono::microseconds since_midnight);
  static Result<Time> make(std::chrono::microseconds since_midnight, const TimeZone& zone);

  // As clocks show it in its time zone, if it has one.
  [[nodiscard]] std::chrono::microseconds since_midnight() const;
  // Nothing if it has none; else a new reference. Errors: none.
  [[nodiscard]] Lookup<TimeZone> zone() const;
  // 1 for the second of two times that clocks show the same, when they are put back; else 0.
  [[nodiscard]] int fold() const;

 protected:
  using Object::Object;
};

class DateTime : public Date {
 public:
  static constexpr const char* kName = "datetime.datetime";
  static bool check(PyObject* object);

  // Without a time zone. Errors: OverflowError if it is too far away, for all of them.
  static Result<DateTime> make(std::chrono::local_time<std::chrono::microseconds> time);
  // What clocks show in that time zone; the second of two times when fold is 1.
  static Result<DateTime> make(std::chrono::local_time<std::chrono::microseconds> time,
                               const TimeZone& zone, int fold = 0);
  // In UTC.
  static Result<DateTime> make(std::chrono::sys_time<std::chrono::microseconds> time);

  // What clocks show, in its time zone, if it has one.
  [[nodiscard]] std::chrono::local_time<std::chrono::microseconds> local_time() const;
  // The point in time. Asks its time zone, which may run Python code. Errors: ValueError if it has
  // none, or one that does not know; what the time zone raises.
  [[nodiscard]] Result<std::chrono::sys_time<std::chrono::microseconds>> sys_time() const;

  [[nodiscard]] std::chrono::microseconds since_midnight() const;
  // As Time's.
  [[nodiscard]] Lookup<TimeZone> zone() const;
  [[nodiscard]] int fold() const;

 protected:
  using Date::Date;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_DATETIME_H_
