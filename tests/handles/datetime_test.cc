#include "tenure/handles/datetime.h"

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/handles/error.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using namespace std::chrono_literals;
using std::chrono::local_days;
using std::chrono::local_time;
using std::chrono::microseconds;
using std::chrono::sys_days;
using std::chrono::sys_time;

constexpr auto kDay = std::chrono::year(2024) / 2 / 29;
constexpr microseconds kTime = 13h + 37min + 59s + 123456us;

Strong evaluate(const std::string& expression) {
  const Strong globals = testing::run("from datetime import *\n");
  PyObject* value = PyRun_String(expression.c_str(), Py_eval_input, globals.get(), globals.get());
  EXPECT_NE(value, nullptr) << expression;
  return value;
}

template <typename T>
std::string repr(Result<T> result) {
  if (!result) return PythonError::take().what();
  return testing::repr(result.get());
}

template <typename T>
Owned<T> view(const std::string& expression) {
  Strong object = evaluate(expression);
  EXPECT_TRUE(T::check(object.get())) << expression;
  return Owned<T>::steal(std::move(object).release());
}

TEST(Date, IsMadeAndRead) {
  EXPECT_EQ(repr(Date::make(kDay)), "datetime.date(2024, 2, 29)");
  EXPECT_EQ(repr(Date::make(sys_days(kDay))), "datetime.date(2024, 2, 29)");
  const Owned<Date> date = view<Date>("date(1969, 12, 31)");
  EXPECT_EQ(date.ymd(), std::chrono::year(1969) / 12 / 31);
  EXPECT_EQ(date.sys_days(), sys_days(std::chrono::days(-1)));
}

TEST(Date, HasPythonsYears) {
  EXPECT_EQ(repr(Date::make(std::chrono::year(1) / 1 / 1)), "datetime.date(1, 1, 1)");
  EXPECT_EQ(repr(Date::make(sys_days(std::chrono::year(9999) / 12 / 31))),
            "datetime.date(9999, 12, 31)");
  for (const auto day : {std::chrono::year(0) / 1 / 1, std::chrono::year(10000) / 1 / 1,
                         std::chrono::year(2023) / 2 / 29, std::chrono::year(2023) / 13 / 1,
                         std::chrono::year(-5) / 1 / 1}) {
    EXPECT_FALSE(Date::make(day));
    EXPECT_EQ(testing::take_error(), "ValueError");
  }
  for (const auto day : {sys_days(std::chrono::year(1) / 1 / 1) - std::chrono::days(1),
                         sys_days(std::chrono::year(9999) / 12 / 31) + std::chrono::days(1),
                         sys_days::max(), sys_days::min()}) {
    EXPECT_FALSE(Date::make(day));
    EXPECT_EQ(testing::take_error(), "OverflowError");
  }
}

TEST(Date, KnowsItsType) {
  EXPECT_TRUE(Date::check(evaluate("datetime(2024, 1, 1)").get()));
  EXPECT_FALSE(DateTime::check(evaluate("date(2024, 1, 1)").get()));
  EXPECT_FALSE(Date::check(Py_None));
  EXPECT_FALSE(Time::check(evaluate("date(2024, 1, 1)").get()));
  EXPECT_TRUE(TimeZone::check(evaluate("timezone.utc").get()));
  EXPECT_TRUE(TimeZone::check(evaluate("type('Zone', (tzinfo,), {})()").get()));
}

TEST(TimeDelta, IsMadeAndRead) {
  EXPECT_EQ(repr(TimeDelta::make(25h + 1us)),
            "datetime.timedelta(days=1, seconds=3600, microseconds=1)");
  EXPECT_EQ(repr(TimeDelta::make(-1us)),
            "datetime.timedelta(days=-1, seconds=86399, microseconds=999999)");
  for (const microseconds time : {0us, 1us, -1us, kTime, -kTime, microseconds(1s),
                                  microseconds(-1s), microseconds::max(), microseconds::min()}) {
    const Owned<TimeDelta> delta = TimeDelta::make(time).value_or_throw();
    const Result<microseconds> back = delta.total();
    ASSERT_TRUE(back) << time.count();
    EXPECT_EQ(*back, time);
  }
}

TEST(TimeDelta, GoesFurtherThan64Bits) {
  for (const char* expression : {"timedelta.max", "timedelta.min", "timedelta(microseconds=2**63)",
                                 "timedelta(microseconds=-2**63 - 1)"}) {
    EXPECT_FALSE(view<TimeDelta>(expression).total()) << expression;
    EXPECT_EQ(testing::take_error(), "OverflowError");
  }
  EXPECT_EQ(*view<TimeDelta>("timedelta(microseconds=2**63 - 1)").total(), microseconds::max());
}

TEST(Time, IsMadeAndRead) {
  EXPECT_EQ(repr(Time::make(kTime)), "datetime.time(13, 37, 59, 123456)");
  EXPECT_EQ(repr(Time::make(0us)), "datetime.time(0, 0)");
  const Owned<TimeZone> utc = TimeZone::utc().value_or_throw();
  EXPECT_EQ(repr(Time::make(kTime, utc)),
            "datetime.time(13, 37, 59, 123456, tzinfo=datetime.timezone.utc)");
  const Owned<Time> time = view<Time>("time(23, 59, 59, 999999, timezone.utc, fold=1)");
  EXPECT_EQ(time.since_midnight(), 24h - 1us);
  EXPECT_EQ(time.fold(), 1);
  EXPECT_TRUE(time.zone().take().is(utc));
  EXPECT_FALSE(view<Time>("time(1)").zone());
  EXPECT_FALSE(Time::make(24h));
  EXPECT_EQ(testing::take_error(), "ValueError");
  EXPECT_FALSE(Time::make(-1us));
  EXPECT_EQ(testing::take_error(), "ValueError");
}

TEST(TimeZone, IsMade) {
  EXPECT_EQ(repr(TimeZone::utc()), "datetime.timezone.utc");
  EXPECT_EQ(repr(TimeZone::make(90min)), "datetime.timezone(datetime.timedelta(seconds=5400))");
  const Owned<> name = Owned<>::steal(PyUnicode_FromString("CET"));
  EXPECT_EQ(repr(TimeZone::make(1h, name)),
            "datetime.timezone(datetime.timedelta(seconds=3600), 'CET')");
  EXPECT_FALSE(TimeZone::make(24h));
  EXPECT_EQ(testing::take_error(), "ValueError");
  EXPECT_FALSE(TimeZone::make(1h, Borrowed<>(Py_None)));
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(DateTime, IsNaiveFromLocalTime) {
  const local_time<microseconds> time = local_days(kDay) + kTime;
  EXPECT_EQ(repr(DateTime::make(time)), "datetime.datetime(2024, 2, 29, 13, 37, 59, 123456)");
  const Owned<DateTime> datetime = DateTime::make(time).value_or_throw();
  EXPECT_EQ(datetime.local_time(), time);
  EXPECT_EQ(datetime.ymd(), kDay);
  EXPECT_EQ(datetime.since_midnight(), kTime);
  EXPECT_FALSE(datetime.zone());
  EXPECT_FALSE(datetime.sys_time()) << "whose local time?";
  EXPECT_EQ(testing::take_error(), "ValueError");
}

TEST(DateTime, IsInUtcFromSysTime) {
  const sys_time<microseconds> time = sys_days(kDay) + kTime;
  EXPECT_EQ(repr(DateTime::make(time)),
            "datetime.datetime(2024, 2, 29, 13, 37, 59, 123456, tzinfo=datetime.timezone.utc)");
  const sys_time<microseconds> before_epoch = sys_days(std::chrono::days(-1)) + 1us;
  const Owned<DateTime> datetime = DateTime::make(before_epoch).value_or_throw();
  EXPECT_EQ(testing::repr(datetime.get()),
            "datetime.datetime(1969, 12, 31, 0, 0, 0, 1, tzinfo=datetime.timezone.utc)");
  EXPECT_EQ(*datetime.sys_time(), before_epoch);
}

TEST(DateTime, AsksItsTimeZone) {
  const Owned<TimeZone> zone = TimeZone::make(2h).value_or_throw();
  const Owned<DateTime> datetime =
      DateTime::make(local_days(kDay) + 1h, zone, /*fold=*/1).value_or_throw();
  EXPECT_EQ(datetime.fold(), 1);
  EXPECT_TRUE(datetime.zone().take().is(zone));
  EXPECT_EQ(*datetime.sys_time(), sys_days(kDay) - 1h);
  EXPECT_EQ(datetime.local_time(), local_days(kDay) + 1h);
}

TEST(DateTime, PassesOnWhatTimeZonesRaise) {
  const auto with_zone = [](const std::string& answer) {
    return view<DateTime>(
        "datetime(2024, 1, 1, tzinfo=type('Zone', (tzinfo,), "
        "{'utcoffset': lambda self, when: " +
        answer + "})())");
  };
  EXPECT_FALSE(with_zone("1 / 0").sys_time());
  EXPECT_EQ(testing::take_error(), "ZeroDivisionError");
  EXPECT_FALSE(with_zone("None").sys_time());
  EXPECT_EQ(testing::take_error(), "ValueError");
  EXPECT_FALSE(with_zone("7").sys_time());
  EXPECT_EQ(testing::take_error(), "TypeError");
  EXPECT_TRUE(with_zone("timedelta(hours=-23)").sys_time());
  // Subclasses may answer anything, too.
  const Owned<DateTime> strange = view<DateTime>(
      "type('Strange', (datetime,), {'utcoffset': lambda self: 'text'})(2024, 1, 1)");
  EXPECT_FALSE(strange.sys_time());
  EXPECT_EQ(testing::take_error(), "TypeError");
}

TEST(DateTime, HasPythonsYears) {
  EXPECT_TRUE(DateTime::make(
      sys_time<microseconds>(sys_days(std::chrono::year(9999) / 12 / 31) + 24h - 1us)));
  for (const auto time : {sys_time<microseconds>::max(), sys_time<microseconds>::min(),
                          sys_time<microseconds>(sys_days(std::chrono::year(10000) / 1 / 1)),
                          sys_time<microseconds>(sys_days(std::chrono::year(1) / 1 / 1) - 1us)}) {
    EXPECT_FALSE(DateTime::make(time));
    EXPECT_EQ(testing::take_error(), "OverflowError");
  }
}

TEST(DateTime, WorksInOtherInterpreters) {
  PyThreadState* const main = PyThreadState_Get();
  PyThreadState* const state = Py_NewInterpreter();
  ASSERT_NE(state, nullptr);
  // Without an import of the module by anybody else.
  EXPECT_FALSE(Date::check(Py_None));
  EXPECT_EQ(repr(DateTime::make(sys_time<microseconds>(0us))),
            "datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)");
  EXPECT_EQ(repr(TimeZone::make(90min)), "datetime.timezone(datetime.timedelta(seconds=5400))");
  Py_EndInterpreter(state);
  PyThreadState_Swap(main);
  EXPECT_EQ(repr(Date::make(kDay)), "datetime.date(2024, 2, 29)");
}

TEST(DateTime, NeedsTheModule) {
  PyThreadState* const main = PyThreadState_Get();
  PyThreadState* const state = Py_NewInterpreter();
  ASSERT_NE(state, nullptr);
  PyDict_SetItemString(PyImport_GetModuleDict(), "datetime", Py_None);
  raise_value_error("set");
  EXPECT_FALSE(Date::check(Py_None));
  EXPECT_EQ(testing::take_error(), "ValueError") << "check() leaves alone what is set";
  EXPECT_FALSE(Date::make(kDay));
  EXPECT_NE(testing::take_error(), "");
  Py_EndInterpreter(state);
  PyThreadState_Swap(main);
}

TEST(DateTime, LeaksNothing) {
  testing::expect_no_leak([] {
    const Owned<TimeZone> zone = TimeZone::make(2h).value_or_throw();
    const Owned<DateTime> datetime = DateTime::make(local_days(kDay) + 1h, zone).value_or_throw();
    EXPECT_TRUE(datetime.sys_time());
    EXPECT_TRUE(datetime.zone());
    EXPECT_FALSE(Date::make(std::chrono::year(0) / 1 / 1));
    clear_error();
  });
}

}  // namespace
}  // namespace tenure
