#include "tenure/immortal/literal.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/tests/support/python.h"

// Exported by release builds, too; ends the program when a str is not as it should be.
extern "C" int _PyUnicode_CheckConsistency(PyObject* str, int check_content);

namespace tenure {
namespace {

using literal::object;
using testing::equal;
using testing::evaluate;
using testing::repr;

// Runs assertions about `x` and an equal `y` that Python made.
void expect_with_twin(PyObject* x, const std::string& y, const char* source) {
  const Strong globals = PyDict_New();
  const Strong made = evaluate(y);
  PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins());
  PyDict_SetItemString(globals.get(), "x", x);
  PyDict_SetItemString(globals.get(), "y", made.get());
  const Strong done = PyRun_String(source, Py_file_input, globals.get(), globals.get());
  EXPECT_TRUE(done) << y;
  if (!done) PyErr_Print();
}

// What every literal has to be, asked in Python.
constexpr const char* kGood = R"(
import copy, gc, marshal, pickle, sys
assert type(x) is type(y)
assert repr(x) == repr(y), (x, y)
if x == x:
    assert x == y and not x != y and hash(x) == hash(y)
    assert {y: 1}[x] == 1 and {x: 1}[y] == 1 and x in {y} and y in [x]
    assert pickle.loads(pickle.dumps(x)) == y and marshal.loads(marshal.dumps(x)) == y
assert repr(copy.deepcopy(x)) == repr(y) and copy.copy(x) is x
cache = len(y.encode()) + 1 if isinstance(y, str) and not y.isascii() else 0
assert sys.getsizeof(x) == sys.getsizeof(y) + cache, (sys.getsizeof(x), sys.getsizeof(y))
assert sys.getrefcount(x) > 1_000_000
before = sys.getrefcount(x)
many = [x] * 1000
assert sys.getrefcount(x) == before
del many
assert sys.getrefcount(x) == before
assert not gc.is_tracked(x)
gc.collect(); gc.freeze(); gc.get_referrers(x); gc.get_referents(x); gc.unfreeze()
)";

void expect_good(PyObject* x, const std::string& y) { expect_with_twin(x, y, kGood); }

// As laid out as the one that Python makes.
void expect_good_str(PyObject* str, const std::string& twin) {
  const Strong made = evaluate(twin);
  ASSERT_EQ(PyUnicode_GET_LENGTH(str), PyUnicode_GET_LENGTH(made.get())) << twin;
  EXPECT_EQ(PyUnicode_KIND(str), PyUnicode_KIND(made.get())) << twin;
  EXPECT_EQ(PyUnicode_IS_ASCII(str), PyUnicode_IS_ASCII(made.get())) << twin;
  EXPECT_TRUE(PyUnicode_IS_COMPACT(str)) << twin;
  const auto bytes =
      static_cast<size_t>(PyUnicode_KIND(str)) * static_cast<size_t>(PyUnicode_GET_LENGTH(str) + 1);
  EXPECT_EQ(std::memcmp(PyUnicode_DATA(str), PyUnicode_DATA(made.get()), bytes), 0) << twin;
  EXPECT_TRUE(_PyUnicode_CheckConsistency(str, 1)) << twin;
  Py_ssize_t made_size;
  const char* made_text = PyUnicode_AsUTF8AndSize(made.get(), &made_size);
  Py_ssize_t size;
  const char* text;
  {
    const testing::FailingMemory none(0);
    text = PyUnicode_AsUTF8AndSize(str, &size);
  }
  ASSERT_NE(text, nullptr) << twin;
  EXPECT_EQ(std::string(text, static_cast<size_t>(size) + 1),
            std::string(made_text, static_cast<size_t>(made_size) + 1));
  expect_good(str, twin);
  expect_with_twin(str, twin, R"(
import sys
assert x[1:] == y[1:] and x[::-1] == y[::-1] and x + "!" == y + "!" and x.encode() == y.encode()
assert x.upper() == y.upper() and f"{x:>90}" == f"{y:>90}" and x.split() == y.split()
assert x * 3 == y * 3 and sorted(x) == sorted(y) and "-".join([x, x]) == "-".join([y, y])
class Any: pass
any = Any()
setattr(any, x, 5)
assert getattr(any, y) == 5 and vars(any) == {y: 5}
sys.intern(x)
assert eval("y", {x: 0, "y": 3}) == 3 and ("\0" in x or type(x, (), {y: 1}).__name__ == y)
)");
}

TEST(Literal, StrsOfEveryKind) {
  expect_good_str(object<literal::str("hello")>(), "'hello'");
  expect_good_str(object<literal::str("\x7f ")>(), "'\\x7f '");
  expect_good_str(object<literal::str("gr\u00fc\u00df dich")>(), "'gr\\xfc\\xdf dich'");
  expect_good_str(object<literal::str("\u0080\u00ff")>(), "'\\x80\\xff'");
  expect_good_str(object<literal::str("\u0100")>(), "'\\u0100'");
  expect_good_str(object<literal::str("10 \u20ac")>(), "'10 \\u20ac'");
  expect_good_str(object<literal::str("\ud7ff\ue000\uffff")>(), "'\\ud7ff\\ue000\\uffff'");
  expect_good_str(object<literal::str("\U00010000 \U0001f40d \U0010ffff")>(),
                  "'\\U00010000 \\U0001f40d \\U0010ffff'");
  expect_good_str(object<literal::str(u8"\u00e9t\u00e9")>(), "'\\xe9t\\xe9'");
}

TEST(Literal, StrsWithZeros) {
  expect_good_str(object<literal::str("a\0b")>(), "'a\\0b'");
  expect_good_str(object<literal::str("\0\0")>(), "'\\0\\0'");
  expect_good_str(object<literal::str("\u20ac\0")>(), "'\\u20ac\\0'");
}

TEST(Literal, StrsAreNeverGivenToAnInterpreter) {
  PyObject* const str = object<literal::str("given to no interpreter")>();
  PyObject* interned = Py_NewRef(str);
  PyUnicode_InternInPlace(&interned);
  EXPECT_EQ(interned, str);
  const Strong other = evaluate("sys.intern('given to no ' + 'interpreter'[:11])");
  EXPECT_NE(other.get(), str);
  EXPECT_TRUE(equal(other.get(), str));
}

TEST(Literal, Bytes) {
  expect_good(object<literal::bytes("abc")>(), "b'abc'");
  expect_good(object<literal::bytes("\xff\0\x80\0")>(), "b'\\xff\\0\\x80\\0'");
  expect_with_twin(object<literal::bytes("a\0b")>(), "b'a\\0b'", R"(
assert x[1:] == y[1:] and x + x == y + y and bytes(memoryview(x)) == y and x.hex() == y.hex()
)");
}

constexpr const char* kNumber = R"(
assert x + 1 == y + 1 and x * x == y * y and -x == -y and x - y == 0 and abs(x) == abs(y)
assert str(x) == str(y) and bool(x) == bool(y) and f"{x}" == f"{y}"
)";

constexpr const char* kInteger = R"(
assert x // 7 == y // 7 and x % 7 == y % 7 and x << 5 == y << 5 and x >> 3 == y >> 3 and ~x == ~y
assert x & 0xffff == y & 0xffff and x | 1 == y | 1 and x.bit_length() == y.bit_length()
assert int(str(x)) == y and float(x) == float(y) and divmod(x, -3) == divmod(y, -3)
assert range(x, x + 2)[1] == y + 1 and x.to_bytes(90, "big", signed=True).hex()
)";

void expect_good_int(PyObject* x, const std::string& y) {
  expect_good(x, y);
  expect_with_twin(x, y, kNumber);
  expect_with_twin(x, y, kInteger);
}

TEST(Literal, Ints) {
  expect_good_int(object<1'000'000>(), "1000000");
  expect_good_int(object<-1'000'000>(), "-1000000");
  expect_good_int(object<literal::integer((1 << 30) - 1)>(), "2**30 - 1");
  expect_good_int(object<literal::integer(1 << 30)>(), "2**30");
  expect_good_int(object<literal::integer(INT64_MAX)>(), "2**63 - 1");
  expect_good_int(object<literal::integer(INT64_MIN)>(), "-2**63");
  expect_good_int(object<literal::integer(UINT64_MAX)>(), "2**64 - 1");
  expect_good_int(object<literal::integer(int16_t{-32768})>(), "-32768");
  expect_good_int(object<literal::integer("1_000_000_000_000_000_000_000_000")>(), "10**24");
  expect_good_int(object<literal::integer("-0xFFFF_ffff_FFFF_ffff_FFFF")>(), "-(2**80 - 1)");
  expect_good_int(object<literal::integer("+0b1000000000000000000000000000000")>(), "2**30");
  expect_good_int(object<literal::integer("0o1000000000000000000000000000000")>(), "2**90");
  expect_good_int(object<literal::integer("0000000000000000000000001000000000000000000000000")>(),
                  "10**24");
  expect_good_int(
      object<literal::integer("13407807929942597099574024998205846127479365820592393377723561443721"
                              "76403007354697680187429816690342769003185818648605085375388281194656"
                              "9946433649006084095")>(),
      "2**512 - 1");
}

TEST(Literal, TheSameIntIsOneObjectHoweverItIsWritten) {
  EXPECT_EQ(object<literal::integer("0xf4240")>(), object<1'000'000>());
  EXPECT_EQ(object<literal::integer(int64_t{1'000'000})>(), object<1'000'000U>());
}

TEST(Literal, Floats) {
  expect_good(object<1.5>(), "1.5");
  expect_good(object<literal::floating(-0.0)>(), "-0.0");
  expect_good(object<literal::floating(5e-324)>(), "5e-324");
  expect_good(object<literal::floating(std::numeric_limits<double>::infinity())>(), "float('inf')");
  expect_good(object<literal::floating(std::numeric_limits<double>::quiet_NaN())>(),
              "float('nan')");
  expect_good(object<0.25F>(), "0.25");
  expect_with_twin(object<2.5>(), "2.5", kNumber);
  EXPECT_NE(object<0.0>(), object<-0.0>());
}

TEST(Literal, Complexes) {
  expect_good(object<literal::complex(1.5, -2)>(), "1.5-2j");
  expect_good(object<literal::complex(-0.0, std::numeric_limits<double>::infinity())>(),
              "complex(-0.0, float('inf'))");
  expect_with_twin(object<literal::complex(0, 1)>(), "1j", kNumber);
}

TEST(Literal, Tuples) {
  using literal::str;
  using literal::tuple;
  PyObject* const nested =
      object<tuple<str("rows"), tuple<1'000, 2.5, true, literal::none>, literal::bytes("xy"),
                   literal::ellipsis, literal::complex(1, 2), literal::boolean(false),
                   str("\u20ac\u20ac"), tuple<str("rows"), tuple<tuple<70'000>>>>>();
  const std::string twin =
      "('rows', (1000, 2.5, True, None), b'xy', ..., 1+2j, False, '\\u20ac\\u20ac', ('rows', "
      "((70000,),)))";
  expect_good(nested, twin);
  expect_with_twin(nested, twin, R"(
assert x[1] is x[1] and x[0] is x[7][0] and x[1:3] == y[1:3] and x + x == y + y and x[1][2] is True
assert len(x) == len(y) and x.index("rows") == 0 and x.count(...) == 1 and list(x) == list(y)
a, (b, *c), *d = x
assert (a, b, c, len(d)) == ("rows", 1000, [2.5, True, None], 6)
assert x < y + (1,) and max(x[1][:2]) == 1000 and "%s %s" % x[7] == "%s %s" % y[7]
match x:
    case (str(), (1000, _, True, None), *_): pass
    case _: assert False
)");
  expect_good(object<tuple<1'000>>(), "(1000,)");
  EXPECT_EQ(PyTuple_GET_ITEM(nested, 0), object<str("rows")>()) << "one object, in tuples too";
}

TEST(Literal, ManyItems) {
  const auto numbered = []<size_t... kIndices>(std::index_sequence<kIndices...>) {
    return object<literal::tuple<(kIndices + 10'000)...>>();
  };
  expect_good(numbered(std::make_index_sequence<1'000>()), "tuple(range(10_000, 11_000))");
}

TEST(Literal, WhatTheInterpreterKeepsOneOfIsThatOne) {
  const auto expect_same = [](PyObject* x, const char* y) { EXPECT_EQ(x, evaluate(y).get()) << y; };
  expect_same(object<0>(), "0");
  expect_same(object<-5>(), "-5");
  expect_same(object<256>(), "256");
  expect_same(object<literal::integer("0x00000000000000000000000000000000007")>(), "7");
  expect_same(object<literal::integer("-0")>(), "0");
  expect_same(object<literal::str("")>(), "''");
  expect_same(object<literal::str("a")>(), "'a'");
  expect_same(object<literal::str("\0")>(), "chr(0)");
  expect_same(object<literal::str("\u00ff")>(), "chr(255)");
  expect_same(object<literal::bytes("")>(), "b''");
  expect_same(object<literal::bytes("\xff")>(), "bytes([255])");
  expect_same(object<literal::tuple<>>(), "()");
  expect_same(object<true>(), "True");
  expect_same(object<literal::boolean(false)>(), "False");
  expect_same(object<literal::none>(), "None");
  expect_same(object<literal::ellipsis>(), "...");
}

TEST(Literal, JustBeyondSmallInts) {
  EXPECT_EQ(object<literal::integer(abi::kLargestSmallInt)>(),
            Strong(PyLong_FromLongLong(abi::kLargestSmallInt)).get());
  PyObject* const next = object<literal::integer(abi::kLargestSmallInt + 1)>();
  EXPECT_EQ(PyLong_AsLongLong(next), abi::kLargestSmallInt + 1);
  EXPECT_NE(next, Strong(PyLong_FromLongLong(abi::kLargestSmallInt + 1)).get());
  expect_good(object<literal::integer(abi::kSmallestSmallInt - 1)>(), "-6");
}

TEST(Literal, WhatTheInterpreterKeepsOneOfIsACopyInATuple) {
  PyObject* const tuple =
      object<literal::tuple<0, 5, -5, literal::str(""), literal::str("a"), literal::str("\u00e9"),
                            literal::bytes(""), literal::bytes("b"), literal::tuple<>>>();
  const std::string twin = "(0, 5, -5, '', 'a', '\\xe9', b'', b'b', ())";
  expect_good(tuple, twin);
  expect_with_twin(tuple, twin, R"(
import sys
for a, b in zip(x, y):
    assert a == b and hash(a) == hash(b) and repr(a) == repr(b) and bool(a) == bool(b)
    assert type(a) is type(b) and {a: 1}[b] == 1
    assert a + a == b + b and a * 2 == b * 2
zero, five, minus, empty, a, e, none, one, nothing = x
assert range(five)[-1] == 4 and [1, 2][zero] == 1 and "xyz"[minus + 6] == "y" and five // five == 1
assert empty.join([a, e]) == "a\xe9" and sys.intern(a) == "a" and setattr(sys, a, 1) is None
assert sys.a == 1 and none + one == b"b" and nothing + x == x and not nothing
assert pow(five, zero) == 1 and -zero == 0 and int(five) == 5 and f"{five:03}" == "005"
del sys.a
)");
}

TEST(Literal, AreConstantExpressions) {
  constexpr PyObject* kStr = object<literal::str("constant")>();
  constexpr PyObject* kTuple = object<literal::tuple<literal::str("constant"), 5>>();
  static constinit PyObject* table[] = {kStr, kTuple, object<1.5>()};
  EXPECT_EQ(repr(table[1]), "('constant', 5)");
  EXPECT_EQ(PyTuple_GET_ITEM(table[1], 0), kStr);
}

TEST(Literal, LeaveNoReferenceBehind) {
  testing::expect_no_leak([] {
    const Strong list = PyList_New(0);
    for (PyObject* one : {object<literal::str("x")>(), object<5>(), object<literal::tuple<5>>(),
                          object<literal::bytes("")>(), object<literal::str("xyz")>()}) {
      PyList_Append(list.get(), one);
    }
    EXPECT_EQ(repr(list.get()), "['x', 5, (5,), b'', 'xyz']");
  });
}

}  // namespace
}  // namespace tenure
