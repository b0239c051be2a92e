// Units of measurement: an extension module whose table is made by the compiler.
//
// What it shows: objects that are in the file already (immortal/literal.h), alone, in tuples and in
// a table of C++'s; names of attributes.
//
//   units.symbol("ohm")        # 'Ω'
//   units.all()                # a tuple of tuples
//   units.describe(measured)   # of measured.unit
//
// Built by Bazel:   ./dev bazel build //examples/literals:units

#include <string_view>

#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/immortal/literal.h"

namespace {

using namespace tenure;

// Of each unit: what it is called, its symbol, and how many of the base unit it is.
constexpr auto kOhm = literal::tuple<literal::str("ohm"), literal::str("Ω"), 1.0>;
constexpr auto kCelsius = literal::tuple<literal::str("degree"), literal::str("°C"), 1.0>;
constexpr auto kMole = literal::tuple<literal::str("mole"), literal::str("mol"),
                                      literal::integer("602_214_076_000_000_000_000_000")>;
constexpr auto kUnits = literal::tuple<kOhm, kCelsius, kMole>;

// A table of C++'s, which the compiler fills in too.
struct Unit {
  std::string_view name;
  PyObject* symbol;
};
constexpr Unit kSymbols[] = {
    {"ohm", literal::object<literal::str("Ω")>()},
    {"degree", literal::object<literal::str("°C")>()},
    {"mole", literal::object<literal::str("mol")>()},
};

Borrowed<Tuple> all() { return Borrowed<Tuple>(literal::object<kUnits>()); }

Borrowed<> symbol(std::string_view name) {
  for (const Unit& unit : kSymbols) {
    if (unit.name == name) return Borrowed<>(unit.symbol);
  }
  return Borrowed<>(literal::object<literal::none>());
}

Result<> describe(Borrowed<> measured) {
  const Borrowed<Str> name(literal::Name<"unit">::get());
  return measured.getattr(name);
}

}  // namespace

TENURE_MODULE(units, m, .doc = "Units of measurement.", .per_interpreter_gil = true,
              .free_threading = true) {
  m.def<&all>("all", doc("All units: tuples of a name, a symbol and a size."));
  m.def<&symbol>("symbol", arg("name"), doc("The symbol of a unit, or None."));
  m.def<&describe>("describe", arg("measured"), pos_only(), doc("The unit of what has one."));
  m.attr("magic", Borrowed<>(literal::object<literal::bytes("\x89UNITS\r\n")>()));
}
