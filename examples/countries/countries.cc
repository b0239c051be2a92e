// The countries and languages of ISO 3166 and 639 as an extension module: a table that is part of
// it, and is there as it is imported.
//
//   countries.by_alpha2("DE")["name"]       # 'Germany'
//   countries.by_alpha3("DEU")              # the same mapping
//   countries.language("de")["alpha_3"]     # 'deu'
//   countries.languages("Saxon")            # all that are called so
//
// The data is frozen when the module is built: see BUILD.bazel. docs/linked.md tells about it.
//
// Built by Bazel:   ./dev bazel build //examples/countries

#include <string_view>

#include "tenure/examples/countries/iso.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/iterator.h"
#include "tenure/handles/name.h"

namespace {

using namespace tenure;

Result<> by_alpha2(Borrowed<Str> code) {
  const Borrowed<Mapping> table = TENURE_TRY(iso::by_alpha2());
  return table.get_item(code);
}

Result<> by_alpha3(Borrowed<Str> code) {
  const Borrowed<Mapping> table = TENURE_TRY(iso::by_alpha3());
  return table.get_item(code);
}

Result<> language(Borrowed<Str> code) {
  const Borrowed<Mapping> table = TENURE_TRY(iso::languages());
  return table.get_item(code);
}

// Each once: those with a code of two letters stand there under both of theirs.
Result<List> languages(std::string_view part) {
  const Borrowed<Mapping> table = TENURE_TRY(iso::languages());
  Owned<List> found = TENURE_TRY(List::make());
  for (Result<> step : table.each()) {
    const Owned<> code = TENURE_TRY(std::move(step));
    const Owned<> one = TENURE_TRY(table.get_item(code));
    if (!TENURE_TRY(code.eq(TENURE_TRY(one.get_item("alpha_3"_name))))) continue;
    const Owned<Str> name = TENURE_TRY(TENURE_TRY(one.get_item("name"_name)).str());
    if (TENURE_TRY(name.utf8()).find(part) == std::string_view::npos) continue;
    TENURE_TRY(found.append(one));
  }
  return found;
}

}  // namespace

TENURE_MODULE(countries, m, .doc = "Countries and languages.", .per_interpreter_gil = true,
              .free_threading = true) {
  m.def<&by_alpha2>("by_alpha2", arg("code"),
                    doc("The country with that code of two letters; KeyError if there is none."));
  m.def<&by_alpha3>("by_alpha3", arg("code"),
                    doc("The country with that code of three letters; KeyError if there is none."));
  m.def<&language>("language", arg("code"),
                   doc("The language with that code of two or three letters; KeyError if there is "
                       "none."));
  m.def<&languages>("languages", arg("part"),
                    doc("The languages whose name has that part, in the order of the table."));
}
