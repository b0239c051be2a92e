// Shapes against objects that the running interpreter made.

#include "tenure/core/abi/shape.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;

constexpr size_t kNoLimit = ~size_t{0};

struct Sample {
  const char* expression;
  ShapeId shape;
};

// Every form of every shape, at the sizes where something changes.
const Sample kSamples[] = {
    {"''", ShapeId::kStrAscii},
    {"'a'", ShapeId::kStrAscii},
    {"'ab'", ShapeId::kStrAscii},
    {"'identifier'", ShapeId::kStrAscii},
    {"'7 bytes'", ShapeId::kStrAscii},
    {"'x' * 1000", ShapeId::kStrAscii},
    {"''.join(map(chr, range(128)))", ShapeId::kStrAscii},
    {"'\\xe9!'", ShapeId::kStrCompact},
    {"'\\xe9t\\xe9'", ShapeId::kStrCompact},
    {"''.join(map(chr, range(256)))", ShapeId::kStrCompact},
    {"'\\u20ac'", ShapeId::kStrCompact},
    {"'\\u20ac' * 333", ShapeId::kStrCompact},
    {"'a\\ud800b'", ShapeId::kStrCompact},
    {"'\\U0001f40d'", ShapeId::kStrCompact},
    {"'snake \\U0001f40d \\xe9 \\u20ac'", ShapeId::kStrCompact},
    {"b''", ShapeId::kBytes},
    {"b'x'", ShapeId::kBytes},
    {"b'some bytes'", ShapeId::kBytes},
    {"bytes(range(256)) * 5", ShapeId::kBytes},
    {"0", ShapeId::kInt},
    {"1", ShapeId::kInt},
    {"-1", ShapeId::kInt},
    {"-5", ShapeId::kInt},
    {"257", ShapeId::kInt},
    {"2 ** 30 - 1", ShapeId::kInt},
    {"2 ** 30", ShapeId::kInt},
    {"-(2 ** 30)", ShapeId::kInt},
    {"2 ** 60 - 1", ShapeId::kInt},
    {"2 ** 60", ShapeId::kInt},
    {"10 ** 199 + 7", ShapeId::kInt},
    {"-(10 ** 199)", ShapeId::kInt},
    {"2 ** (30 * 200) - 1", ShapeId::kInt},
    {"0.0", ShapeId::kFloat},
    {"-0.0", ShapeId::kFloat},
    {"float('nan')", ShapeId::kFloat},
    {"1.7e308", ShapeId::kFloat},
    {"0j", ShapeId::kComplex},
    {"complex(-0.0, 2.5)", ShapeId::kComplex},
    {"()", ShapeId::kTuple},
    {"(1,)", ShapeId::kTuple},
    {"(1, 'two', 3.0, (4,), None)", ShapeId::kTuple},
    {"tuple(range(500))", ShapeId::kTuple},
#ifndef Py_GIL_DISABLED
    {"compile('', 'f.py', 'exec')", ShapeId::kCode},
    {"compile('def f(a, b=1, *c, d, **e): return [x for x in a if x is b]', 'f.py', 'exec')",
     ShapeId::kCode},
    {"compile('def f(a, b, *c, d, **e): return [x for x in a]', 'f.py', 'exec').co_consts[0]",
     ShapeId::kCode},
#endif
};

Py_ssize_t size_of(PyObject* object) {
  const Strong getsizeof = testing::attribute(PyImport_AddModule("sys"), "getsizeof");
  const Strong size = PyObject_CallOneArg(getsizeof.get(), object);
  return PyLong_AsSsize_t(size.get());
}

TEST(Shape, IsFoundByTypeAndForm) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    EXPECT_EQ(shape_of(object.get()), shape(sample.shape)) << sample.expression;
  }
}

TEST(Shape, OthersHaveNone) {
  for (const char* expression :
       {"None", "True", "...", "[]", "{}", "set()", "frozenset()", "slice(1)", "object()", "int",
        "type('S', (str,), {})('legacy')", "type('T', (tuple,), {})()", "type('I', (int,), {})(7)",
        "type('F', (float,), {})(7)", "bytearray(b'')", "len"}) {
    const Strong object = evaluate(expression);
    EXPECT_EQ(shape_of(object.get()), nullptr) << expression;
  }
}

TEST(Bytes, AgreeWithTheInterpreter) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    const Shape& form = *shape(sample.shape);
    auto expected = static_cast<size_t>(size_of(object.get())) - form.prefix_bytes;
    size_t bytes = form.bytes(object.get(), kNoLimit);
    // The interpreter rounds what it says of code up to whole words.
    if (sample.shape == ShapeId::kCode) bytes = (bytes + 7) & ~size_t{7};
    EXPECT_EQ(bytes, expected) << sample.expression;
  }
}

TEST(Bytes, AreNoneBeyondTheLimit) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    const Shape& form = *shape(sample.shape);
    const size_t bytes = form.bytes(object.get(), kNoLimit);
    ASSERT_GE(bytes, form.fixed_bytes) << sample.expression;
    EXPECT_EQ(form.bytes(object.get(), bytes), bytes) << sample.expression;
    if (bytes > form.fixed_bytes) {
      EXPECT_EQ(form.bytes(object.get(), bytes - 1), 0u) << sample.expression;
    }
  }
}

// The fixed part of an object right in front of memory nobody may read.
class AtTheEdge {
 public:
  AtTheEdge() : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    memory_ = static_cast<std::byte*>(
        mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + page_, page_, PROT_NONE);
  }
  ~AtTheEdge() { munmap(memory_, 2 * page_); }
  AtTheEdge(const AtTheEdge&) = delete;
  AtTheEdge& operator=(const AtTheEdge&) = delete;

  std::byte* put(const void* object, size_t bytes) {
    std::byte* at = memory_ + page_ - bytes;
    std::memcpy(at, object, bytes);
    return at;
  }

 private:
  size_t page_;
  std::byte* memory_;
};

TEST(Bytes, ReadNothingBehindTheFixedPart) {
  AtTheEdge edge;
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    const Shape& form = *shape(sample.shape);
    const std::byte* copy = edge.put(object.get(), form.fixed_bytes);
    EXPECT_EQ(form.bytes(copy, kNoLimit), form.bytes(object.get(), kNoLimit)) << sample.expression;
  }
}

TEST(Bytes, AreNoneForImpossibleSizes) {
  AtTheEdge edge;
  const int64_t sizes[] = {-1,
                           std::numeric_limits<int64_t>::min(),
                           std::numeric_limits<int64_t>::max(),
                           int64_t{1} << 62,
                           int64_t{1} << 61,
                           int64_t{1} << 40};
  const Sample sized[] = {{"'ab'", ShapeId::kStrAscii},
                          {"'\\xe9t'", ShapeId::kStrCompact},
                          {"b'ab'", ShapeId::kBytes},
#ifndef Py_GIL_DISABLED
                          {"compile('', '', 'exec')", ShapeId::kCode},
#endif
                          {"(1, 2)", ShapeId::kTuple}};
  for (const Sample& sample : sized) {
    const Strong object = evaluate(sample.expression);
    const Shape& form = *shape(sample.shape);
    std::byte* copy = edge.put(object.get(), form.fixed_bytes);
    for (int64_t size : sizes) {
      // A str's length stands where others have ob_size.
      std::memcpy(copy + offsetof(PyVarObject, ob_size), &size, sizeof size);
      EXPECT_EQ(form.bytes(copy, size_t{1} << 40), 0u) << sample.expression << ' ' << size;
    }
  }
  const Strong number = evaluate("10 ** 50");
  const Shape& form = *shape(ShapeId::kInt);
  std::byte* copy = edge.put(number.get(), form.fixed_bytes);
  for (uint64_t tag : {~uint64_t{0}, uint64_t{1} << 63, uint64_t{1} << 60}) {
    std::memcpy(copy + offsetof(PyLongObject, long_value), &tag, sizeof tag);
    EXPECT_EQ(form.bytes(copy, size_t{1} << 40), 0u) << tag;
  }
}

#ifndef Py_GIL_DISABLED
TEST(Bytes, AreNoneForCodeWithoutInstructions) {
  const Strong code = evaluate("compile('', '', 'exec')");
  PyObject* copy = testing::freeze(code.get());
  reinterpret_cast<PyVarObject*>(copy)->ob_size = 0;
  EXPECT_EQ(shape(ShapeId::kCode)->bytes(copy, kNoLimit), 0u);
}
#endif

// All forms that the state of a str can claim, against what the interpreter's headers say of them.
TEST(Bytes, OfStringsAreThereForPossibleFormsOnly) {
  PyObject* ascii = testing::freeze_value("'four'", sizeof(PyCompactUnicodeObject) + 64);
  PyObject* compact = testing::freeze_value("'\\u20ac\\u20ac\\u20ac!'", 64);
  for (unsigned kind = 0; kind < 8; ++kind) {
    for (unsigned form = 0; form < 4; ++form) {
      const bool is_compact = (form & 1) != 0;
      const bool is_ascii = (form & 2) != 0;
      SCOPED_TRACE("kind " + std::to_string(kind) + " form " + std::to_string(form));
      for (PyObject* object : {ascii, compact}) {
        auto& state = reinterpret_cast<PyASCIIObject*>(object)->state;
        state.kind = kind & 7;
        state.compact = is_compact;
        state.ascii = is_ascii;
      }
      const bool possible = kind == 1 || kind == 2 || kind == 4;
      const size_t as_ascii = sizeof(PyASCIIObject) + 5;
      EXPECT_EQ(shape(ShapeId::kStrAscii)->bytes(ascii, kNoLimit),
                is_compact && is_ascii && kind == 1 ? as_ascii : 0);
      const size_t as_compact = sizeof(PyCompactUnicodeObject) + 5 * size_t{kind};
      EXPECT_EQ(shape(ShapeId::kStrCompact)->bytes(compact, kNoLimit),
                is_compact && !is_ascii && possible ? as_compact : 0);
    }
  }
}

TEST(References, AreThoseThatTheCollectorSees) {
  for (const char* expression : {"(1000, 'two', 3.5)", "()", "(None,) * 3"}) {
    const Strong tuple = evaluate(expression);
    const Shape& form = *shape(ShapeId::kTuple);
    std::vector<PyObject*> found;
    for_each_reference(form, tuple.get(), form.bytes(tuple.get(), kNoLimit),
                       [&](PyObject** slot) { found.push_back(*slot); });
    ASSERT_EQ(static_cast<Py_ssize_t>(found.size()), PyTuple_GET_SIZE(tuple.get()));
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i], PyTuple_GET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i)));
    }
  }
}

#ifndef Py_GIL_DISABLED
TEST(References, OfCodeAreWhatItsAttributesSay) {
  const Strong code = testing::compile("def f(a):\n  return a + 1000\n");
  std::vector<PyObject*> found;
  const Shape& form = *shape(ShapeId::kCode);
  for_each_reference(form, code.get(), form.bytes(code.get(), kNoLimit),
                     [&](PyObject** slot) { found.push_back(*slot); });
  ASSERT_EQ(found.size(), 9u);
  const char* names[] = {"co_consts", "co_names", "co_exceptiontable"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(testing::attribute(code.get(), names[i]).get(), found[i]) << names[i];
  }
  const char* others[] = {"co_filename", "co_name", "co_qualname", "co_linetable"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(testing::attribute(code.get(), others[i]).get(), found[i + 5]) << others[i];
  }
}
#endif

// Uses an object in all the ways that leave something in it.
void use(PyObject* object) {
  PyObject_Hash(object);
  PyErr_Clear();
  if (PyUnicode_Check(object)) {
    PyUnicode_AsUTF8(object);
    PyErr_Clear();
    PyObject* same = Py_NewRef(object);
    PyUnicode_InternInPlace(&same);
    Py_DECREF(same);
  }
  if (PyCode_Check(object)) {
    for (const char* name : {"co_code", "co_varnames", "co_cellvars", "co_freevars"}) {
      const Strong value = testing::attribute(object, name);
    }
    const Py_ssize_t index = PyUnstable_Eval_RequestCodeExtraIndex(nullptr);
    PyUnstable_Code_SetExtra(object, index, object);
    const Strong reference = PyWeakref_NewRef(object, nullptr);
    EXPECT_TRUE(reference);
    // Kept by the code object from here on, so that it is there when the copy is made.
    PyUnstable_Code_SetExtra(object, index, Py_NewRef(reference.get()));
  }
}

// What an image holds of an object depends neither on where it is nor on what was done with it.
TEST(CopyUnused, ForgetsWhatUsingLeft) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    const auto before = testing::unused_bytes(object.get());
    use(object.get());
    const auto after = testing::unused_bytes(object.get());
    EXPECT_EQ(before, after) << sample.expression;
    // An equal object made apart from it, at another address.
    const Strong other = evaluate(sample.expression);
    EXPECT_EQ(testing::unused_bytes(other.get()), before) << sample.expression;
  }
}

TEST(CopyUnused, LeavesAddressesAndVersionsToTheCaller) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    use(object.get());
    const auto copy = testing::unused_bytes(object.get());
    const Shape& form = *shape(sample.shape);
    for (size_t i = 0; i < form.prefix_bytes; ++i) EXPECT_EQ(copy[i], std::byte{0});
    for (const Field& field : form.fields) {
      uint64_t value = 0;
      std::memcpy(&value, copy.data() + form.prefix_bytes + field.offset,
                  std::min<size_t>(field.bytes, sizeof value));
      switch (field.role) {
        case FieldRole::kPlain:
        case FieldRole::kFlags:
          break;
        case FieldRole::kCount:
        case FieldRole::kHash:
        case FieldRole::kVolatile:
          EXPECT_EQ(value, field.reset) << sample.expression << ' ' << field.name;
          break;
        default:
          EXPECT_EQ(value, 0u) << sample.expression << ' ' << field.name;
      }
    }
  }
}

TEST(CopyUnused, MakesAnEqualObject) {
  for (const Sample& sample : kSamples) {
    const Strong object = evaluate(sample.expression);
    PyObject* copy = testing::freeze(object.get());
    EXPECT_EQ(shape_of(copy), shape(sample.shape)) << sample.expression;
    if (PyFloat_Check(copy)) {
      const double a = PyFloat_AS_DOUBLE(copy);
      const double b = PyFloat_AS_DOUBLE(object.get());
      EXPECT_EQ(std::memcmp(&a, &b, sizeof a), 0) << sample.expression;
    } else {
      EXPECT_TRUE(testing::equal(copy, object.get())) << sample.expression;
      EXPECT_EQ(PyObject_Hash(copy), PyObject_Hash(object.get())) << sample.expression;
    }
    EXPECT_TRUE(_Py_IsImmortal(copy)) << sample.expression;
  }
}

}  // namespace
}  // namespace tenure::abi
