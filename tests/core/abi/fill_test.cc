#include "tenure/core/abi/fill.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/strings.h"
#include "tenure/tests/support/frozen.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

using testing::evaluate;
using testing::freeze;
using testing::freeze_value;

const Shape& shape_of_frozen(PyObject* object) { return *shape_of(object); }

TEST(IsWrittenInUse, IsTrueOfCodeAlone) {
  for (size_t id = 1; id < kShapeIdEnd; ++id) {
    const Shape* one = shape(static_cast<ShapeId>(id));
    if (one == nullptr) continue;  // code, where there is no GIL
    EXPECT_EQ(is_written_in_use(*one), one->id == ShapeId::kCode) << one->name;
  }
}

TEST(FillHash, ComputesWhatTheObjectKeeps) {
  for (const char* expression : {"'some text'", "'\\u20ac text'", "b'some bytes'",
                                 "(1000, 'some text', (2.5, b'x y'))", "10 ** 30", "2.5", "2.5j"}) {
    PyObject* object = freeze_value(expression);
    const Shape& shape = shape_of_frozen(object);
    const Strong same = evaluate(expression);
    EXPECT_EQ(fill_hash(shape, object), HashFill::kKnown) << expression;
    EXPECT_FALSE(has_unknown_hash(shape, object)) << expression;
    EXPECT_EQ(PyObject_Hash(object), PyObject_Hash(same.get())) << expression;
    EXPECT_EQ(fill_hash(shape, object), HashFill::kKnown) << expression;
  }
  PyObject* text = freeze_value("'text that nobody has hashed'");
  EXPECT_TRUE(has_unknown_hash(shape_of_frozen(text), text));
}

// A number keeps no hash, and so has none that is unknown; nor has a tuple before 3.14.
TEST(FillHash, TellsWhatWillNeverHaveOneFromWhatHasNoneNow) {
  PyObject* unhashable = freeze_value("(1000, [])");
  const Shape& shape = shape_of_frozen(unhashable);
  const bool keeps = has_unknown_hash(shape, unhashable);
  EXPECT_EQ(fill_hash(shape, unhashable), keeps ? HashFill::kUnhashable : HashFill::kKnown);
  const Strong names = testing::run(
      "class Moody:\n"
      "    def __hash__(self): raise ValueError('not now')\n"
      "value = (Moody(),)\n");
  PyObject* moody = freeze(PyDict_GetItemString(names.get(), "value"));
  EXPECT_EQ(fill_hash(shape, moody), keeps ? HashFill::kOpen : HashFill::kKnown);
  EXPECT_EQ(has_unknown_hash(shape, moody), keeps);
  EXPECT_FALSE(hashes_without_python(PyTuple_GET_ITEM(moody, 0)));
  EXPECT_TRUE(hashes_without_python(unhashable));
}

TEST(FillUtf8Cache, IsWhatTheInterpreterWouldHaveMade) {
  for (const char* expression :
       {"'\\x80'", "'\\xe9t\\xe9'", "'a \\u07ff'", "'\\u0800 and \\u20ac'", "'\\uffff'",
        "'a \\U00010000 \\U0001f40d \\U0010ffff'", "'\\xe9' * 5000"}) {
    PyObject* str = freeze_value(expression);
    const Strong same = evaluate(expression);
    Py_ssize_t length = 0;
    const std::string expected = PyUnicode_AsUTF8AndSize(same.get(), &length);
    const size_t bytes = utf8_cache_bytes(shape_of_frozen(str), str);
    ASSERT_EQ(bytes, static_cast<size_t>(length) + 1) << expression;
    auto* room = new std::vector<char>(bytes + 1, 'x');  // stays, as the str does
    fill_utf8_cache(str, room->data());
    EXPECT_EQ(PyUnicode_AsUTF8AndSize(str, &length), room->data()) << expression;
    EXPECT_EQ(std::string(room->data(), static_cast<size_t>(length)), expected) << expression;
    EXPECT_EQ((*room)[bytes - 1], '\0') << expression;
    EXPECT_EQ((*room)[bytes], 'x') << expression;
    EXPECT_EQ(utf8_cache_bytes(shape_of_frozen(str), str), 0u) << "it is there";
  }
}

TEST(Utf8CacheBytes, IsNothingForWhatKeepsNone) {
  for (const char* expression : {"'ascii'", "b'bytes \\xe9'", "10 ** 30", "('\\xe9',)",
                                 "'lone \\ud800'", "'\\udfff \\xe9'"}) {
    PyObject* object = freeze_value(expression);
    EXPECT_EQ(utf8_cache_bytes(shape_of_frozen(object), object), 0u) << expression;
  }
}

uint32_t intern_state(PyObject* str) {
  return reinterpret_cast<const PyASCIIObject*>(str)->state.interned;
}

TEST(SettleInternState, HasInterningAnswerTheStringItself) {
  for (const char* expression :
       {"'text to settle'", "'\\xe9 to settle'", "'__settle'", "'settle__'"}) {
    PyObject* str = freeze_value(expression);
    ASSERT_TRUE(settle_intern_state(str)) << expression;
    EXPECT_EQ(intern_state(str), SSTATE_INTERNED_IMMORTAL_STATIC) << expression;
    PyObject* interned = Py_NewRef(str);
    PyUnicode_InternInPlace(&interned);
    EXPECT_EQ(interned, str) << expression;
    EXPECT_TRUE(settle_intern_state(str)) << "a second time";
  }
}

// Its address is not that of the interpreter's str of the same content.
TEST(SettleInternState, LetsNamesBeFoundUnderEqualOnes) {
  const Strong known = testing::run("name = 'settled_name'\n");
  PyObject* str = freeze_value("'settled_name'");
  ASSERT_TRUE(settle_intern_state(str));
  ASSERT_NE(str, PyDict_GetItemString(known.get(), "name"));
  const Strong names = testing::run(
      "def use(name):\n"
      "    class C: pass\n"
      "    class D(C): __slots__ = (name, 'other')\n"
      "    class E(C): settled_name = 1\n"
      "    def f(settled_name, **rest): return settled_name, rest\n"
      "    def g(**rest): return rest\n"
      "    found = []\n"
      "    for turn in range(50):\n"
      "        c, d, e = C(), D(), E()\n"
      "        setattr(c, name, 2); setattr(d, name, 3); setattr(e, name, 4)\n"
      "        found = [c.settled_name, d.settled_name, e.settled_name, getattr(e, name)]\n"
      "        setattr(C, name, 5); found.append(C.settled_name)\n"
      "        delattr(C, name); found.append(hasattr(C, 'settled_name'))\n"
      "        e.settled_name = 6; found += [getattr(e, name), vars(e)[name], len(vars(e))]\n"
      "        found += [f(**{name: 7}), g(**{name: 8})['settled_name']]\n"
      "        globals()[name] = 9; found.append(settled_name)\n"
      "        found.append({'settled_name': 10}[name]); found.append({name: 11}['settled_name'])\n"
      "        del globals()['settled_name']\n"
      "    return found\n");
  const Strong found = PyObject_CallOneArg(PyDict_GetItemString(names.get(), "use"), str);
  if (!found) PyErr_Print();
  ASSERT_TRUE(found);
  EXPECT_EQ(testing::repr(found.get()), "[2, 3, 4, 4, 5, False, 6, 6, 1, (7, {}), 8, 9, 10, 11]");
}

TEST(SettleInternState, LeavesWhatIsInternedAlone) {
  PyObject* str = freeze_value("'interned and then settled'");
  ASSERT_EQ(intern_unused(str, nullptr), str);
  const uint32_t before = intern_state(str);
  EXPECT_TRUE(settle_intern_state(str));
  EXPECT_EQ(intern_state(str), before);
}

// Interpreters make strings that they have interned mortal at their end, but for static ones.
TEST(SettleInternState, KeepsInterpretersFromWritingAtTheirEnd) {
#ifndef Py_DEBUG
  PyObject* str = freeze_value("'interned by somebody and then settled'");
  PyObject* interned = Py_NewRef(str);
  PyUnicode_InternInPlace(&interned);
  ASSERT_EQ(interned, str);
  ASSERT_NE(intern_state(str), SSTATE_INTERNED_IMMORTAL_STATIC);
  ASSERT_TRUE(settle_intern_state(str));
  EXPECT_EQ(intern_state(str), SSTATE_INTERNED_IMMORTAL_STATIC);
#endif
}

// The interpreter finds the slot of a special method by the address of its name, once it is
// interned.
TEST(SettleInternState, KeepsSpecialNamesSpecial) {
  PyObject* str = freeze_value("'__len__'");
  ASSERT_TRUE(settle_intern_state(str));
  PyObject* other = freeze_value("'__not_known_to_anybody__'");
  ASSERT_TRUE(settle_intern_state(other));
  EXPECT_TRUE(is_interned(other));
#ifndef Py_DEBUG
  const Strong names = testing::run("class Sized: pass\n");
  PyObject* sized = PyDict_GetItemString(names.get(), "Sized");
  const Strong seven = evaluate("lambda self: 7");
  ASSERT_EQ(PyObject_SetAttr(sized, str, seven.get()), 0);
  const Strong made = PyObject_CallNoArgs(sized);
  EXPECT_EQ(PyObject_Size(made.get()), 7);
  EXPECT_FALSE(is_interned(str)) << "interning it has answered the interpreter's own";
#endif
}

TEST(SettleInternState, FailsWithMemoryErrorAndLeavesTheStringAsItWas) {
#ifndef Py_DEBUG
  PyObject* str = freeze_value("'__len__'");
  bool settled;
  {
    const testing::FailingMemory none(0);
    settled = settle_intern_state(str);
  }
  EXPECT_FALSE(settled);
  EXPECT_EQ(testing::take_error(), "MemoryError");
  EXPECT_FALSE(is_interned(str));
#endif
}

TEST(SettleInternState, LeavesNoReferenceBehind) {
  PyObject* str = freeze_value("'__len__'");
  testing::expect_no_leak([&] { EXPECT_TRUE(settle_intern_state(str)); });
}

}  // namespace
}  // namespace tenure::abi
