// Tables of text as Python objects: an extension module in the way handles are meant to be used.
//
// What it shows: parameters are borrowed, what is made is owned, errors go through TENURE_TRY; each
// loop over what others can reach is one that bears their changing it; numbers are read and written
// where they lie, and the GIL is not held for them.
//
//   rows = tables.parse(text, separator=";", types={"weight": float})   # a list of dicts
//   tables.group(rows, "city")                                          # a dict of lists
//   tables.column(rows, "weight", array)                                # how many were written
//   tables.summary(array)                                               # a dict of numbers
//
// Built by Bazel:   ./dev bazel build //examples/tables

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/core/attach.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/buffer.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"
#include "tenure/handles/raise.h"

namespace {

using namespace tenure;

// A line that is none; in Python a ValueError. A Python error that is set becomes its context.
struct TableError : std::runtime_error {
  TableError(size_t line, const std::string& what)
      : std::runtime_error("line " + std::to_string(line) + ": " + what) {}
};

// The text up to the separator, which is taken away with it.
std::string_view take_until(std::string_view& text, std::string_view separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return part;
}

std::vector<std::string_view> split(std::string_view line, std::string_view separator) {
  std::vector<std::string_view> cells;
  while (line.find(separator) != std::string_view::npos) {
    cells.push_back(take_until(line, separator));
  }
  cells.push_back(line);
  return cells;
}

// Of the first line. Interned, as they are keys of many dicts: looking them up is comparing
// pointers.
Result<List> read_names(const std::vector<std::string_view>& cells) {
  ListBuilder names = TENURE_TRY(ListBuilder::make(static_cast<Py_ssize_t>(cells.size())));
  for (const std::string_view cell : cells) {
    names.add(TENURE_TRY(Str::interned(std::string(cell).c_str())));
  }
  return std::move(names).finish();
}

// What stands in a cell, as what `types` has for its column; the str itself if it has nothing.
Result<> read_cell(std::string_view cell, const Object& name,
                   const std::optional<Borrowed<Dict>>& types) {
  Owned<Str> text = TENURE_TRY(Str::make(cell));
  if (!types) return text;
  const Lookup<> type = types->get(name);
  if (!type.ok()) return Failed{};
  if (!type) return text;
  return (*type).call(text);
}

// A TableError that says where, with the error of the type as its context. What is no Exception, a
// KeyboardInterrupt, stays as it is.
[[noreturn]] void fail_in_line(size_t line, std::string_view column) {
  if (!error_matches(PyExc_Exception)) throw_python_error();
  throw TableError(line, "cannot read column '" + std::string(column) + "'");
}

Result<List> parse(std::string_view text, std::string_view separator,
                   std::optional<Borrowed<Dict>> types) {
  if (separator.empty()) return raise_value_error("empty separator");
  Owned<List> rows = TENURE_TRY(List::make());
  const std::vector<std::string_view> columns = split(take_until(text, "\n"), separator);
  const Owned<List> names = TENURE_TRY(read_names(columns));
  for (size_t line = 2; !text.empty(); ++line) {
    const std::vector<std::string_view> cells = split(take_until(text, "\n"), separator);
    if (cells.size() != columns.size()) {
      throw TableError(line, std::to_string(columns.size()) + " columns expected, not " +
                                 std::to_string(cells.size()));
    }
    const Owned<Dict> row = TENURE_TRY(Dict::make());
    for (size_t i = 0; i < cells.size(); ++i) {
      // Nobody else has seen the list, so its items stay where they are while types are called.
      const Borrowed<> name = names[static_cast<Py_ssize_t>(i)];
      const Result<> cell = read_cell(cells[i], name, types);
      if (!cell) fail_in_line(line, columns[i]);
      TENURE_TRY(row.set(name, *cell));
    }
    TENURE_TRY(rows.append(row));
  }
  return rows;
}

Result<Dict> group(Borrowed<List> rows, Borrowed<> key) {
  Owned<Dict> groups = TENURE_TRY(Dict::make());
  // Hashing and comparing may run anybody's code, so each row has a reference of its own.
  for (const Owned<> item : rows) {
    const Borrowed<Dict> row = TENURE_TRY(item.as<Dict>());
    const Lookup<> value = row.get(key);
    if (!value.ok()) return Failed{};
    if (!value) return raise_key_error(key);
    const Owned<List> empty = TENURE_TRY(List::make());
    const Owned<> members = TENURE_TRY(groups.setdefault(*value, empty));
    const Borrowed<List> list = TENURE_TRY(members.as<List>());
    TENURE_TRY(list.append(item));
  }
  return groups;
}

Result<Py_ssize_t> column(Borrowed<List> rows, Borrowed<> key, Borrowed<> into) {
  const Buffer<double> numbers = TENURE_TRY(Buffer<double>::from(into));
  Py_ssize_t written = 0;
  for (const Owned<> item : rows) {
    const Borrowed<Dict> row = TENURE_TRY(item.as<Dict>());
    const Lookup<> value = row.get(key);
    if (!value.ok()) return Failed{};
    if (!value) continue;
    const double number = TENURE_TRY(Float::from(*value));
    double* const place = TENURE_TRY(numbers.at(written));
    *place = number;
    ++written;
  }
  return written;
}

struct Summary {
  double sum = 0;
  double low = 0;
  double high = 0;
};

Summary summarise(const Buffer<const double>& numbers) {
  Summary all{0, numbers[0], numbers[0]};
  for (const double number : numbers) {
    all.sum += number;
    all.low = std::min(all.low, number);
    all.high = std::max(all.high, number);
  }
  return all;
}

Result<Dict> summary(Borrowed<> array) {
  const auto numbers = TENURE_TRY(Buffer<const double>::from(array));
  if (numbers.empty()) return raise_value_error("there are no numbers");
  Summary all;
  {
    // Elements are read on any thread, attached or not.
    const Detach detach;
    all = summarise(numbers);
  }
  const Owned<Int> count = TENURE_TRY(Int::make(numbers.size()));
  const Owned<Float> mean = TENURE_TRY(Float::make(all.sum / static_cast<double>(numbers.size())));
  const Owned<Float> low = TENURE_TRY(Float::make(all.low));
  const Owned<Float> high = TENURE_TRY(Float::make(all.high));
  Owned<Dict> answer = TENURE_TRY(Dict::make());
  TENURE_TRY(answer.set("count"_name, count));
  TENURE_TRY(answer.set("mean"_name, mean));
  TENURE_TRY(answer.set("low"_name, low));
  TENURE_TRY(answer.set("high"_name, high));
  return answer;
}

}  // namespace

TENURE_MODULE(tables, m, .doc = "Tables of text, and columns of numbers.",
              .per_interpreter_gil = true, .free_threading = true) {
  m.exception<TableError>("TableError", PyExc_ValueError, doc("A line that cannot be read."));
  m.def<&parse>("parse", arg("text"), kw_only(), arg("separator") = ",", arg("types") = none,
                doc("A dict for each line but the first, which has the keys."));
  m.def<&group>("group", arg("rows"), arg("key"), doc("Lists of those with the same value."));
  m.def<&column>("column", arg("rows"), arg("key"), arg("into"),
                 doc("Writes numbers into an array of float64, and answers how many."));
  m.def<&summary>("summary", arg("numbers"),
                  doc("Of an array of float64: count, mean, low, high."));
}
