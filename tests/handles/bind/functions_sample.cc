// Functions of every kind, for functions_test.py.

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"

namespace {

using namespace tenure;

void nothing() {}
Borrowed<> one(Borrowed<> x) { return x; }
Result<Tuple> pack(Borrowed<> a, Borrowed<> b) { return PyTuple_Pack(2, a.get(), b.get()); }
Result<Tuple> pack3(Borrowed<> a, Borrowed<> b, Borrowed<> c) {
  return PyTuple_Pack(3, a.get(), b.get(), c.get());
}
Result<Tuple> pack4(Borrowed<> a, Borrowed<> b, Borrowed<> c, Borrowed<> d) {
  return PyTuple_Pack(4, a.get(), b.get(), c.get(), d.get());
}

template <typename I>
I same(I value) {
  return value;
}

double half(double x) noexcept { return x / 2; }
bool opposite(bool x) noexcept { return !x; }
std::string_view echo(std::string_view text) { return text; }
Py_ssize_t length(Borrowed<Str> text) { return PyUnicode_GET_LENGTH(text.get()); }
std::optional<int> next(std::optional<int> x) {
  if (!x) return std::nullopt;
  return *x + 1;
}
Borrowed<> either(Borrowed<> x) { return x; }
Owned<> own(Owned<> x) { return x; }
const char* text() { return "text"; }

Result<Tuple> everything(Arguments given) {
  Owned<Tuple> positional =
      Result<Tuple>(PyTuple_New(static_cast<Py_ssize_t>(given.size()))).value_or_throw();
  for (size_t i = 0; i < given.size(); ++i) {
    PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(given[i].get()));
  }
  Owned<Dict> by_name = Result<Dict>(PyDict_New()).value_or_throw();
  for (size_t i = 0; i < given.by_name.size(); ++i) {
    if (PyDict_SetItem(by_name.get(), PyTuple_GET_ITEM(given.names, i), given.by_name[i]) < 0) {
      return Failed{};
    }
  }
  return PyTuple_Pack(2, positional.get(), by_name.get());
}

Result<> fails() {
  PyErr_SetString(PyExc_KeyError, "no");
  return Failed{};
}

// Calls back; for recursion, and for what is dropped meanwhile.
Result<> apply(Borrowed<> function, Borrowed<> argument) { return function.call(argument); }

// What is borrowed of the arguments has to outlive what the others do when they are converted.
Result<Tuple> after(Borrowed<> first, std::string_view words, double number, int64_t count) {
  return Py_BuildValue("(Os#dL)", first.get(), words.data(), static_cast<Py_ssize_t>(words.size()),
                       number, static_cast<long long>(count));
}

Result<Tuple> of_views(Borrowed<List> list, Borrowed<Dict> dict, Owned<Tuple> tuple,
                       std::optional<Borrowed<Bytes>> bytes) {
  return PyTuple_Pack(4, list.get(), dict.get(), tuple.get(), bytes ? bytes->get() : Py_None);
}

TENURE_MODULE(functions_sample, m, .doc = "Functions.", .per_interpreter_gil = true,
              .free_threading = true) {
  m.def<&nothing>("nothing");
  m.def<&one>("one");
  m.def<&one>("one_named", arg("x"));
  m.def<&one>("one_only", arg("x"), pos_only());
  m.def<&pack>("two", doc("Both."));
  m.def<&pack>("named", arg("a"), arg("b"), doc("Says \"both\".\n\nAnd \\ more."));
  m.def<&pack4>("mixed", arg("a"), pos_only(), arg("b"), kw_only(), arg("c"), arg("d"));
  m.def<&pack4>("mixed_defaults", arg("a"), pos_only(), arg("b") = none, kw_only(), arg("c"),
                arg("d") = none);
  m.def<&pack3>("only", arg("a"), arg("b"), arg("c") = none, pos_only());
  m.def<&pack3>("by_name", kw_only(), arg("a"), arg("b"), arg("c"));
  m.def<&pack3>("optional", arg("a"), arg("b") = none, arg("c") = none);
  m.def<[](double x, double y, double z) { return x + y + z; }>("add", arg("x"), arg("y") = 2.0,
                                                                kw_only(), arg("z") = 3.0);
  m.def<[](std::string_view text, int times, bool is_loud) noexcept {
    return static_cast<int>(text.size()) * times * (is_loud ? 2 : 1);
  }>("defaults", arg("text") = "it's \"\\ä", arg("times") = -1, arg("is_loud") = true);
  m.def<[](double x, double y) { return x * y; }>(
      "infinite", arg("x") = std::numeric_limits<double>::infinity(),
      arg("y") = -std::numeric_limits<double>::infinity());
  m.def<&same<int8_t>>("int8", arg("n"));
  m.def<&same<int16_t>>("int16", arg("n"));
  m.def<&same<int32_t>>("int32", arg("n"));
  m.def<&same<int64_t>>("int64", arg("n"));
  m.def<&same<uint8_t>>("uint8", arg("n"));
  m.def<&same<uint16_t>>("uint16", arg("n"));
  m.def<&same<uint32_t>>("uint32", arg("n"));
  m.def<&same<uint64_t>>("uint64", arg("n"));
  m.def<&same<float>>("float32", arg("x"));
  m.def<&same<double>>("float64", arg("x"));
  m.def<&half>("half");
  m.def<&opposite>("opposite");
  m.def<&echo>("echo", arg("text"));
  m.def<&length>("length");
  m.def<&next>("next", arg("x") = none);
  m.def<&either>("either", arg("x") = none);
  m.def<&own>("own").def<&text>("text");
  m.def<&everything>("everything").def<&fails>("fails").def<&apply>("apply");
  m.def<&after>("after", arg("first"), arg("words"), arg("number"), arg("count"));
  m.def<&of_views>("of_views", arg("list"), arg("dict"), arg("tuple"), arg("bytes") = none);
  m.def<&own>("ünï", arg("größe"));
  m.attr("number", 42).attr("words", "some").attr("is_it", true).attr("nothing_at_all", none);
}

}  // namespace
