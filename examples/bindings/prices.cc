// Functions of C++ in Python: how arguments are passed and converted, what a module keeps, errors.
//
// docs/bindings.md tells about them.
//
// Built by Bazel:   ./dev bazel build //examples/bindings:prices

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tenure/handles/bind/instance.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/datetime.h"
#include "tenure/handles/error.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"
#include "tenure/handles/raise.h"

using namespace tenure;

// A type of one's own: a decimal.Decimal in Python, a number of cents here.
struct Money {
  int64_t cents = 0;
};

namespace {

Result<> decimal_type() {
  const Owned<> decimal = TENURE_TRY(Module::import("decimal"));
  return decimal.getattr("Decimal"_name);
}

// Nothing if it is no Decimal. ValueError for fractions of a cent.
Result<std::optional<Money>> read_money(const Object& object) {
  const Owned<> type = TENURE_TRY(decimal_type());
  if (!TENURE_TRY(object.isinstance(type))) return std::optional<Money>();
  const Owned<Int> two = TENURE_TRY(Int::make(2));
  const Owned<> scaled = TENURE_TRY(object.call_method("scaleb"_name, two));
  const Owned<Int> cents = TENURE_TRY(Int::convert(scaled));
  if (!TENURE_TRY(cents.eq(scaled))) {
    return raise_value_error("%S has fractions of a cent", object);
  }
  return std::optional(Money{TENURE_TRY(cents.to<int64_t>())});
}

Result<> make_money(Money money) {
  const Owned<> type = TENURE_TRY(decimal_type());
  const Owned<Int> cents = TENURE_TRY(Int::make(money.cents));
  const Owned<> whole = TENURE_TRY(type.call(cents));
  const Owned<Int> minus_two = TENURE_TRY(Int::make(-2));
  return whole.call_method("scaleb"_name, minus_two);
}

}  // namespace

template <>
struct tenure::FromPython<Money> {
  static constexpr const char* kExpected = "a Decimal";
  static constexpr const char* kAnnotation = "decimal.Decimal";

  bool load(PyObject* object) {
    const Result<std::optional<Money>> read = read_money(Borrowed<>(object));
    if (!read || !*read) return false;
    money = **read;
    return true;
  }
  Money get() { return money; }

  Money money;
};

template <>
struct tenure::ToPython<Money> {
  static constexpr const char* kAnnotation = "decimal.Decimal";
  static PyObject* convert(Money money) { return make_money(money).release(); }
};

namespace {

// --- How arguments are passed. ---

double with_tax(double price, double rate) { return price * (1 + rate); }
double scale(double price, int times, bool rounded) {
  const double scaled = price * times;
  return rounded ? std::round(scaled) : scaled;
}
std::optional<std::string_view> currency(std::optional<std::string_view> country) {
  if (country == "ch") return "CHF";
  if (!country || country == "de" || country == "fr") return "EUR";
  return std::nullopt;
}

// Sees them as they come.
Result<Str> receipt(Arguments given) {
  Owned<List> lines = TENURE_TRY(List::make());
  for (size_t i = 0; i < given.size(); ++i) {
    const Owned<Str> line = TENURE_TRY(given[i].str());
    TENURE_TRY(lines.append(line));
  }
  for (size_t i = 0; i < given.by_name.size(); ++i) {
    const Borrowed<> name(PyTuple_GET_ITEM(given.names, static_cast<Py_ssize_t>(i)));
    const Owned<Str> line = TENURE_TRY(Str::format("{}: {}", name, Borrowed<>(given.by_name[i])));
    TENURE_TRY(lines.append(line));
  }
  const Owned<Str> separator = TENURE_TRY(Str::make("\n"));
  return separator.join(lines);
}

// --- What is converted. ---

Money sum(Money a, Money b) { return {a.cents + b.cents}; }
uint8_t percent(uint8_t number) { return number; }
Py_ssize_t count(Borrowed<List> items) { return items.size(); }
// Keeps it: a reference of its own.
Owned<> same(Owned<> object) { return object; }

Result<Date> due(Borrowed<Date> bought, int days) {
  return Date::make(bought.sys_days() + std::chrono::days(days));
}

// --- State: each copy of the module has its own. ---

struct Rates {
  Owned<Dict> by_country;
  int asked = 0;
};

Result<double> rate(Rates& rates, Borrowed<Str> country) {
  ++rates.asked;
  const Lookup<> found = rates.by_country.get(country);
  if (!found.ok()) return Failed{};
  if (!found) return raise_key_error(country);
  return Float::from(*found);
}
Result<void> set_rate(Rates& rates, Borrowed<Str> country, Borrowed<Float> new_rate) {
  return rates.by_country.set(country, new_rate);
}
int asked(const Rates& rates) { return rates.asked; }

// --- Errors: each of these is a ValueError, or derived from it. ---

struct PriceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The library's own exception.
int64_t parse_cents(std::string_view text) {
  int64_t cents = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') throw PriceError("'" + std::string(text) + "' is not a price");
    cents = cents * 10 + (c - '0');
  }
  return cents;
}

// A standard exception.
double share(double price, int parts) {
  if (parts < 1) throw std::invalid_argument("there is nobody to share with");
  return price / parts;
}

// A Python error, by its Result.
Result<double> discount(double price, double off) {
  if (off < 0 || off > price) {
    return raise_value_error("the discount is not between 0 and the price");
  }
  return price - off;
}

// A Python error, thrown and caught where it can be dealt with.
double first_price(Borrowed<> prices) {
  try {
    const Owned<> first = prices.get_item(Int::make(0).value_or_throw()).value_or_throw();
    return Float::from(first).value_or_throw();
  } catch (const PythonError& error) {
    if (!error.matches(PyExc_LookupError)) throw;
    return 0;
  }
}

}  // namespace

TENURE_MODULE_WITH_STATE(prices, Rates, m, .doc = "What things cost.",
                         .per_interpreter_gil = true) {
  m.make_state({.by_country = Dict::make().value_or_throw()});
  m.attr("currency_code", "EUR");

  m.def<&with_tax>("with_tax", arg("price"), pos_only(), arg("rate") = 0.19,
                   doc("The price with the tax."));
  m.def<&scale>("scale", arg("price"), arg("times"), kw_only(), arg("rounded") = false);
  m.def<&currency>("currency", arg("country") = none);
  m.def<&receipt>("receipt");

  m.def<&sum>("sum", arg("a"), arg("b"));
  m.def<&percent>("percent", arg("number"));
  m.def<&count>("count", arg("items"));
  m.def<&same>("same", arg("thing"));
  m.def<&due>("due", arg("bought"), arg("days") = 30);

  m.def<&rate>("rate", arg("country"));
  m.def<&set_rate>("set_rate", arg("country"), arg("rate"));
  m.def<&asked>("asked");

  m.exception<PriceError>("PriceError", PyExc_ValueError);
  m.def<&parse_cents>("parse_cents", arg("text"));
  m.def<&share>("share", arg("price"), arg("parts"));
  m.def<&discount>("discount", arg("price"), arg("off"));
  m.def<&first_price>("first_price", arg("prices"));
}
