#include "tenure/core/abi/check.h"

#include <cstring>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::freeze_value;

constexpr size_t kSlack = 64;

size_t place_of(PyObject* object) { return shape_of(object)->bytes(object, ~size_t{0}) + kSlack; }

// What is found after `damage` was done to a frozen copy of the value; "" if nothing.
std::string fault_after(const char* expression, const std::function<void(PyObject*)>& damage) {
  PyObject* object = freeze_value(expression, kSlack);
  const Shape& shape = *shape_of(object);
  const size_t place = place_of(object);
  damage(object);
  const char* fault = find_fault(shape, object, place);
  return fault == nullptr ? "" : fault;
}

auto* as_str(PyObject* object) { return reinterpret_cast<PyASCIIObject*>(object); }
auto* as_int(PyObject* object) { return &reinterpret_cast<PyLongObject*>(object)->long_value; }
void make_mortal(PyObject* object) {
  std::memset(static_cast<void*>(object), 0, offsetof(PyObject, ob_type));
}
void set_size(PyObject* object, Py_ssize_t size) {
  reinterpret_cast<PyVarObject*>(object)->ob_size = size;
}

TEST(FindFault, FindsNothingWrongWithGoodObjects) {
  for (const char* expression : {"''", "'ascii'", "'\\xe9'", "'\\u20ac'", "'\\U0001f40d'", "b''",
                                 "b'bytes'", "0", "-1", "10 ** 40", "1.5", "2j", "()", "(1, 2)"}) {
    EXPECT_EQ(fault_after(expression, [](PyObject*) {}), "") << expression;
  }
}

TEST(FindFault, FindsAMortalCount) {
  for (const char* expression : {"'text'", "b'bytes'", "7", "1.5", "(1,)"}) {
    EXPECT_EQ(fault_after(expression, make_mortal), "is not immortal") << expression;
  }
}

TEST(FindFault, FindsAnotherType) {
  for (PyTypeObject* type : {static_cast<PyTypeObject*>(nullptr), &PyList_Type}) {
    EXPECT_EQ(fault_after("(1, 2)", [type](PyObject* object) { object->ob_type = type; }),
              "is of another type than its shape");
  }
}

TEST(FindFault, FindsASizeThatDoesNotFit) {
  constexpr const char* kFault = "is larger than its place";
  for (const char* expression : {"b'bytes'", "(1, 2)", "'text'", "'\\u20ac'"}) {
    for (Py_ssize_t size : {Py_ssize_t{-1}, Py_ssize_t{1000}, PY_SSIZE_T_MAX}) {
      // A str's length stands where others have ob_size.
      EXPECT_EQ(fault_after(expression, [size](PyObject* object) { set_size(object, size); }),
                kFault)
          << expression << ' ' << size;
    }
  }
  EXPECT_EQ(fault_after("10 ** 20", [](PyObject* object) { as_int(object)->lv_tag = 1000 << 3; }),
            kFault);
  EXPECT_EQ(fault_after("'text'", [](PyObject* object) { as_str(object)->state.compact = 0; }),
            kFault);
  EXPECT_EQ(fault_after("'text'", [](PyObject* object) { as_str(object)->state.kind = 4; }),
            kFault);
  EXPECT_EQ(fault_after("'\\u20ac'", [](PyObject* object) { as_str(object)->state.kind = 3; }),
            kFault);
}

TEST(FindFault, FindsATupleThatTheCollectorKnows) {
#ifdef Py_GIL_DISABLED
  EXPECT_EQ(fault_after("(1, 2)", [](PyObject* object) { object->ob_gc_bits = 1; }),
            "is known to the collector");
#else
  for (size_t at : {1u, 8u, 9u, 16u}) {
    EXPECT_EQ(
        fault_after("(1, 2)", [at](PyObject* object) { reinterpret_cast<char*>(object)[-at] = 8; }),
        "is known to the collector")
        << at;
  }
#endif
}

TEST(FindFault, FindsAMissingFinalZero) {
  EXPECT_EQ(fault_after("b'bytes'", [](PyObject* object) { set_size(object, 4); }),
            "is a bytes without its final zero");
  for (const char* expression : {"'text'", "'t\\xe9xt'", "'\\u20acuro'", "'\\U0001f40d!!!'"}) {
    EXPECT_EQ(fault_after(expression, [](PyObject* object) { as_str(object)->length = 3; }),
              "is a str without its final zero")
        << expression;
  }
}

// A str has to have the narrowest form that holds its characters: comparing relies on it.
TEST(FindFault, FindsCharactersOfTheWrongWidth) {
  constexpr const char* kFault = "is a str with a character of the wrong width";
  auto put = [](size_t index, Py_UCS4 character) {
    return [=](PyObject* object) {
      const auto width = static_cast<size_t>(PyUnicode_KIND(object));
      // Little endian: a narrow character is the start of a wide one.
      std::memcpy(static_cast<char*>(PyUnicode_DATA(object)) + index * width, &character, width);
    };
  };
  EXPECT_EQ(fault_after("'text'", put(2, 0x80)), kFault);
  EXPECT_EQ(fault_after("'t\\xe9'", put(1, 'e')), kFault);
  EXPECT_EQ(fault_after("'\\u20ac'", put(0, 0xff)), kFault);
  EXPECT_EQ(fault_after("'\\U0001f40d'", put(0, 0xffff)), kFault);
  EXPECT_EQ(fault_after("'\\U0001f40d'", put(0, 0x110000)), kFault);
  EXPECT_EQ(fault_after("'text'", put(2, 'X')), "");
}

TEST(FindFault, FindsStringsThatTheInterpreterWouldFree) {
  EXPECT_EQ(fault_after("'text'",
                        [](PyObject* object) { as_str(object)->state.statically_allocated = 0; }),
            "is a str that the interpreter would free");
  EXPECT_EQ(fault_after(
                "'text'",
                [](PyObject* object) { as_str(object)->state.interned = SSTATE_INTERNED_MORTAL; }),
            "is an immortal str that is interned as a mortal one");
}

TEST(FindFault, FindsImpossibleInts) {
  auto tag = [](uintptr_t value) {
    return [=](PyObject* object) { as_int(object)->lv_tag = value; };
  };
  EXPECT_EQ(fault_after("7", tag(1 << 3 | 3)), "is an int with an impossible sign");
  EXPECT_EQ(fault_after("7", tag(1 << 3 | 1)), "is an int with an impossible sign");
  EXPECT_EQ(fault_after("0", tag(0)), "is an int with an impossible sign");
  EXPECT_EQ(fault_after("0", tag(2)), "is an int with an impossible sign");
  EXPECT_EQ(fault_after("7", [](PyObject* object) { as_int(object)->ob_digit[0] = PyLong_BASE; }),
            "is an int with an impossible digit");
  EXPECT_EQ(fault_after("10 ** 20", [](PyObject* object) { as_int(object)->ob_digit[2] = 0; }),
            "is an int with a leading zero");
  EXPECT_EQ(fault_after("7", tag(1 << 3 | 2)), "") << "that is -7";
}

// Code has no shape where there is no GIL.
#ifndef Py_GIL_DISABLED

auto* as_code(PyObject* object) { return reinterpret_cast<PyCodeObject*>(object); }

constexpr const char* kCode =
    "compile('def f(a, b, *, c): return [a, b, c, 1000]', 'f.py', 'exec').co_consts[0]";

TEST(FindFault, FindsNothingWrongWithGoodCode) {
  for (const char* expression : {kCode, "compile('', '', 'exec')"}) {
    EXPECT_EQ(fault_after(expression, [](PyObject*) {}), "") << expression;
    EXPECT_EQ(fault_after(expression, make_mortal), "is not immortal") << expression;
  }
}

TEST(FindFault, FindsCodeWithoutItsParts) {
  const Strong empty = testing::evaluate("()");
  const Strong numbers = testing::evaluate("(1000, 2000, 3000)");
  const Strong text = testing::evaluate("'text'");
  struct Case {
    const char* fault;
    std::function<void(PyCodeObject*)> damage;
  };
  const Case cases[] = {
      {"is code without constants", [&](auto* code) { code->co_consts = text.get(); }},
      {"is code with names that are no str", [&](auto* code) { code->co_names = text.get(); }},
      {"is code with names that are no str", [&](auto* code) { code->co_names = numbers.get(); }},
      {"is code with the wrong number of local variables",
       [&](auto* code) { code->co_localsplusnames = numbers.get(); }},
      {"is code with the wrong number of local variables",
       [&](auto* code) { code->co_localsplusnames = empty.get(); }},
      {"is code with the wrong number of local variables",
       [](auto* code) { code->co_nlocalsplus = -1; }},
      {"is code with the wrong kinds of local variables",
       [&](auto* code) { code->co_localspluskinds = text.get(); }},
      {"is code without its tables", [&](auto* code) { code->co_linetable = text.get(); }},
      {"is code without its tables", [&](auto* code) { code->co_exceptiontable = text.get(); }},
      {"is code without its name", [&](auto* code) { code->co_filename = empty.get(); }},
      {"is code without its name", [&](auto* code) { code->co_name = empty.get(); }},
      {"is code without its name", [&](auto* code) { code->co_qualname = empty.get(); }},
      {"is code with impossible arguments", [](auto* code) { code->co_argcount = -1; }},
      {"is code with impossible arguments", [](auto* code) { code->co_argcount = 1000; }},
      {"is code with impossible arguments", [](auto* code) { code->co_posonlyargcount = 3; }},
      {"is code with impossible arguments", [](auto* code) { code->co_kwonlyargcount = -1; }},
      {"is code with impossible arguments", [](auto* code) { code->co_stacksize = -1; }},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    EXPECT_EQ(fault_after(kCode, [&](PyObject* object) { cases[i].damage(as_code(object)); }),
              cases[i].fault)
        << "case " << i;
  }
}

TEST(FindFault, FindsCodeWithAVersionOfTheInterpreters) {
  for (uint32_t version : {0u, 1u, kFirstImageVersion - 1}) {
    EXPECT_EQ(fault_after(kCode, [=](PyObject* object) { set_code_version(object, version); }),
              "is code with a version of the interpreter's");
  }
}

#endif

}  // namespace
}  // namespace tenure::abi
