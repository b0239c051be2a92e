// Graphs of data, from live objects to an image and back.

#include <sys/mman.h>

#include <span>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/immortal.h"
#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/data_graph.h"
#include "tenure/immortal/image/data_writer.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/shared_images.h"
#include "tenure/immortal/image/verify.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::evaluate;
using testing::load_good;

std::unique_ptr<Image> frozen(const std::string& expression, DataGraph::Options options = {}) {
  const Strong roots = evaluate("{'root': " + expression + "}");
  return load_good(testing::data_image_of(roots.get(), std::move(options)));
}

PyObject* root(const Image& image) { return image.root(image.view().roots()[0]); }

// What a value becomes: the same but for the types of containers.
constexpr const char* kThawed =
    "(lambda thaw: thaw(thaw, given))(lambda self, x:"
    " [self(self, i) for i in x] if isinstance(x, (list, tuple))"
    " else {self(self, k) if type(k) is not tuple else k: self(self, x[k]) for k in x}"
    "   if hasattr(x, 'keys')"
    " else frozenset(x) if isinstance(x, (set, frozenset)) else x)";

std::string thawed_repr(PyObject* object) {
  const Strong names = testing::run("import datetime\n");
  PyDict_SetItemString(names.get(), "given", object);
  const Strong thawed = PyRun_String(kThawed, Py_eval_input, names.get(), names.get());
  EXPECT_TRUE(thawed);
  // The expression's functions go at a collection only where there is no GIL, and the image before.
  PyDict_DelItemString(names.get(), "given");
  return thawed ? testing::repr(thawed.get()) : testing::take_error();
}

TEST(Data, ComesBackAsItWas) {
  for (const char* expression :
       {"0",
        "-5",
        "257",
        "10 ** 4000",
        "-(10 ** 25)",
        "0.5",
        "-0.0",
        "float('inf')",
        "2.5j",
        "complex(-0.0, 0.0)",
        "True",
        "None",
        "...",
        "''",
        "'a'",
        "'\\xe9'",
        "'ascii text'",
        "'\\xe9t\\xe9'",
        "'\\u20ac'",
        "'\\U0001f40d'",
        "'\\ud800'",
        "'nul \\0 inside'",
        "b''",
        "b'x'",
        "b'bytes \\0'",
        "()",
        "[]",
        "{}",
        "(1, 'two', 3.0)",
        "[1, [2, [3]]]",
        "{'a': {'b': [1]}}",
        "{i: str(i) for i in range(1000)}",
        "range(3, 10 ** 30, 2)",
        "slice(None, 5, 'x')",
        "{(1, (2, 'x')): None, b'k': 1, 2.5: 2, None: 3, True: 4}",
        "__import__('datetime').date(1, 1, 1)",
        "__import__('datetime').datetime(9999, 12, 31, 23, 59, 59, 999999, fold=1)",
        "__import__('datetime').time(1, tzinfo=__import__('datetime').timezone.utc)",
        "__import__('datetime').timedelta(-999999999, 1, 1)"}) {
    SCOPED_TRACE(expression);
    const auto image = frozen(expression);
    EXPECT_EQ(thawed_repr(root(*image)), thawed_repr(evaluate(expression).get()));
    Verified verified;
    Problem problem;
    EXPECT_TRUE(verify(*image, verified, problem)) << testing::describe(problem);
  }
}

TEST(Data, KeepsWhatIsAskedToStay) {
  const std::string value =
      "{'l': [1, [2, {'d': {3, 'x'}}], (4, [5])], 's': {frozenset({6})}, 7: {}, 'e': [[], set()]}";
  const auto image = frozen(value, testing::keep_all());
  PyObject* found = root(*image);
  EXPECT_EQ(testing::repr(found), testing::repr(evaluate(value).get()));
  EXPECT_TRUE(testing::equal(found, evaluate(value).get()));
  EXPECT_FALSE(abi::is_immortal(found));
  // Ordinary objects: they can be changed.
  const Strong names = testing::run("");
  PyDict_SetItemString(names.get(), "x", found);
  const Strong changed =
      PyRun_String("x['l'][1].append(100); x['l'].extend(range(1000)); x['s'].add(8); x.clear()\n",
                   Py_file_input, names.get(), names.get());
  EXPECT_TRUE(changed) << testing::take_error();
}

TEST(Data, MakesFrozenKindsOfContainers) {
  const auto image = frozen("{'l': [1, 2], 's': {3}, 'd': {}}");
  PyObject* found = root(*image);
  ASSERT_TRUE(abi::is_frozen_dict(found));
  auto item = [found](const char* key) {
    const Strong name = PyUnicode_FromString(key);
    return Strong(PyObject_GetItem(found, name.get()));
  };
  EXPECT_TRUE(PyTuple_CheckExact(item("l").get()));
  EXPECT_TRUE(PyFrozenSet_CheckExact(item("s").get()));
  EXPECT_TRUE(abi::is_frozen_dict(item("d").get()));
  EXPECT_TRUE(abi::is_immortal(found));
}

TEST(Data, HoldsCycles) {
  const char* const value =
      "(lambda l, d: (l.append(l), l.append(d), d.update(me=d, l=l), l)[-1])([], {})";
  {
    const auto image = frozen(value);
    PyObject* list = root(*image);
    ASSERT_TRUE(PyTuple_CheckExact(list));
    EXPECT_EQ(PyTuple_GET_ITEM(list, 0), list);
    PyObject* dict = PyTuple_GET_ITEM(list, 1);
    const Strong key = PyUnicode_FromString("me");
    EXPECT_EQ(Strong(PyObject_GetItem(dict, key.get())).get(), dict);
    Verified verified;
    Problem problem;
    EXPECT_TRUE(verify(*image, verified, problem)) << testing::describe(problem);
  }
  const auto image = frozen(value, testing::keep_all());
  PyObject* list = root(*image);
  ASSERT_TRUE(PyList_CheckExact(list));
  EXPECT_EQ(PyList_GET_ITEM(list, 0), list);
  EXPECT_EQ(PyDict_GetItemString(PyList_GET_ITEM(list, 1), "l"), list);
}

// Hashing would not end otherwise: the interpreter does not look how deep it is in a tuple.
TEST(Data, WritesDownTheHashOfWhatContainsItself) {
  const char* const values[] = {
      "(lambda d: (d.update(me=[d]), d)[-1])({})",
      "(lambda d, e: (d.update(e=e, n=[1, (2,)]), e.update(d=[[d]]), d)[-1])({}, {})",
      // One that is left before the way back to it is found: l -> m -> l, and then l -> n -> m.
      "(lambda l, m: (m.append(l), l.extend([{'m': m}, [{'n': m}], (3,)]), l)[-1])([], [])",
#if PY_VERSION_HEX >= 0x030e0000  // tuples keep their hash
      "(lambda l: (l.append(l), l)[-1])([])",
      "(lambda l: (l.extend([1, [2, [l, (3,)]]]), l)[-1])([])",
#endif
  };
  for (const char* value : values) {
    const auto image = frozen(value);
    EXPECT_NE(PyObject_Hash(root(*image)), -1) << value;
    EXPECT_EQ(testing::take_error(), "") << value;
  }
  // The rest hashes as it always does.
  const auto image = frozen("(lambda l: (l.extend([l, (1, 'two', (3,))]), l)[-1])([])");
  const Strong plain = evaluate("(1, 'two', (3,))");
  EXPECT_EQ(PyObject_Hash(PyTuple_GET_ITEM(root(*image), 1)), PyObject_Hash(plain.get()));
}

// A slice is made from a list that is filled later and has the slice in it.
TEST(Data, HoldsCyclesThroughWhatActionsMake) {
  const auto image =
      frozen("(lambda l: (l.append(slice(l, 1, 2)), l)[-1])([])", testing::keep_all());
  PyObject* list = root(*image);
  const Strong start = testing::attribute(PyList_GET_ITEM(list, 0), "start");
  EXPECT_EQ(start.get(), list);
}

TEST(Data, HoldsWhatIsNestedAMillionDeep) {
  for (bool keep : {false, true}) {
    Strong deep = PyList_New(0);
    for (int i = 0; i < 1'000'000; ++i) {
      Strong outer = PyList_New(1);
      PyList_SET_ITEM(outer.get(), 0, std::move(deep).release());
      deep = std::move(outer);
    }
    Strong roots = PyDict_New();
    PyDict_SetItemString(roots.get(), "deep", deep.get());
    const auto image = load_good(
        testing::data_image_of(roots.get(), keep ? testing::keep_all() : DataGraph::Options{}));
    PyObject* at = root(*image);
    int depth = 0;
    while (PySequence_Fast_GET_SIZE(at) == 1) {
      at = PySequence_Fast_GET_ITEM(at, 0);
      ++depth;
    }
    EXPECT_EQ(depth, 1'000'000);
  }
}

TEST(Data, HasEqualValuesOnce) {
  const auto image = frozen(
      "[[int('5000'), 'two words', 2.5, b'by'], [5000, ' '.join(['two', 'words']), 2.5, b'by'],"
      " {'k': 'two words'}, {'k': 'two words'}, (5000, 'two words', 2.5, b'by')]");
  PyObject* list = root(*image);
  EXPECT_EQ(PyTuple_GET_ITEM(list, 0), PyTuple_GET_ITEM(list, 1));
  EXPECT_EQ(PyTuple_GET_ITEM(list, 0), PyTuple_GET_ITEM(list, 4));
  EXPECT_EQ(PyTuple_GET_ITEM(list, 2), PyTuple_GET_ITEM(list, 3));
}

TEST(Data, KeepsApartWhatPythonCallsEqual) {
  const auto image = frozen(
      "[(1, 2), (True, 2), (1.0, 2), (0.0,), (-0.0,), {'a': 1, 'b': 2}, {'b': 2, 'a': 1},"
      " float('nan'), float('nan'), '\\u1284', '\\x84\\x12\\0']");
  PyObject* list = root(*image);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); ++i) {
    for (Py_ssize_t j = 0; j < i; ++j) {
      EXPECT_NE(PyTuple_GET_ITEM(list, i), PyTuple_GET_ITEM(list, j)) << i << ' ' << j;
    }
  }
}

TEST(Data, NamesTheInterpretersSingletons) {
  const auto image = frozen("[''.join(['a']), '', b'', b'q', (), 0, -5, None, True, ...]");
  PyObject* list = root(*image);
  const Strong live = evaluate("[''.join(['a']), '', b'', b'q', (), 0, -5, None, True, ...]");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); ++i) {
    EXPECT_EQ(PyTuple_GET_ITEM(list, i), PyList_GET_ITEM(live.get(), i)) << i;
  }
}

TEST(Data, HasItsUtf8) {
  const auto image = frozen("['\\xe9t\\xe9', '\\u20ac \\U0001f40d']");
  for (Py_ssize_t i = 0; i < 2; ++i) {
    PyObject* str = PyTuple_GET_ITEM(root(*image), i);
    const char* text = PyUnicode_AsUTF8(str);
    EXPECT_GE(text, reinterpret_cast<const char*>(image->mapping().base()));
    EXPECT_LT(text, reinterpret_cast<const char*>(image->mapping().base()) +
                        image->mapping().bytes().size());
    EXPECT_STREQ(text, i == 0 ? "\xc3\xa9t\xc3\xa9" : "\xe2\x82\xac \xf0\x9f\x90\x8d");
  }
}

TEST(Data, FreezesFrozenDictsAgain) {
  const auto first = frozen("{'a': {'b': [1, 2]}, 'c': {i: i for i in range(100)}}");
  Strong roots = PyDict_New();
  PyDict_SetItemString(roots.get(), "again", root(*first));
  const auto second = load_good(testing::data_image_of(roots.get()));
  EXPECT_TRUE(testing::equal(root(*second), root(*first)));
  EXPECT_NE(root(*second), root(*first));
}

TEST(Data, IsTheSameBytesEveryTime) {
  const Strong one = evaluate(testing::sample_data());
  const Strong two = evaluate(testing::sample_data());
  EXPECT_EQ(testing::data_image_of(one.get()), testing::data_image_of(two.get()));
  EXPECT_EQ(testing::data_image_of(one.get(), testing::keep_all()),
            testing::data_image_of(two.get(), testing::keep_all()));
}

std::string refusal(const std::string& expression, DataGraph::Options options = {}) {
  const Strong object = evaluate(expression);
  DataGraph graph(std::move(options));
  Problem problem;
  EXPECT_FALSE(graph.add_root("r", object.get(), problem)) << expression;
  return testing::describe(problem);
}

TEST(Data, IsRefusedByItsPath) {
  auto path = [](const std::string& at, const std::string& type) {
    return "root 'r' " + at + ": object of type " + type + " cannot be frozen";
  };
  auto starts = [](const std::string& text, const std::string& start) {
    EXPECT_EQ(text.substr(0, start.size()), start);
  };
  ASSERT_TRUE(graph::ready_frozen_dict());
  starts(refusal("object()"), path("$", "object"));
  starts(refusal("[1, [2, object()]]"), path("$[1][1]", "object"));
  starts(refusal("{'a': [0, 1, 2, {'b': len}]}"), path("$.a[3].b", "builtin_function_or_method"));
  starts(refusal("{'a': [0, 1, 2, {'b': len}]}", testing::keep_all()),
         path("$.a[3].b", "builtin_function_or_method"));
  starts(refusal("{'not a name': bytearray()}"), path("$['not a name']", "bytearray"));
  starts(refusal("{(1, 2): {3.5: list}}"), path("$[(1, 2)][3.5]", "type"));
  starts(refusal("{object(): 1}"), path("$<key 0>", "object"));
  starts(refusal("[{object()}]"), path("$[0][0]", "object"));
  starts(refusal("type('Text', (str,), {})('x')"), path("$", "Text"));
  starts(refusal("__import__('collections').OrderedDict(a=1)"),
         path("$", "collections.OrderedDict"));
  starts(refusal("compile('1', '', 'eval')"), path("$", "code"));
  starts(refusal("(lambda n: (n.append(n), [n, ..., n, memoryview(b'')])[-1])([])"),
         path("$[3]", "memoryview"));
}

TEST(Data, NamesLongPathsByTheirEnds) {
  Strong deep = evaluate("object()");
  for (int i = 0; i < 100'000; ++i) deep = PyTuple_Pack(1, deep.get());
  DataGraph graph({});
  Problem problem;
  EXPECT_FALSE(graph.add_root("r", deep.get(), problem));
  EXPECT_LT(problem.what.size(), 1000u);
  EXPECT_NE(problem.what.find("...(99960 levels)..."), std::string::npos) << problem.what;
}

// Whoever is told of progress may change what is being frozen.
TEST(Data, StandsChangesWhileProgressIsTold) {
  const Strong list = evaluate("[[i, {'k': i}] for i in range(200_000)]");
  DataGraph::Options options;
  int told = 0;
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    if (++told == 2) PyList_SetSlice(list.get(), 1000, 200'000, nullptr);
    return true;
  };
  DataGraph graph(options);
  Problem problem;
  ASSERT_TRUE(graph.add_root("r", list.get(), problem)) << testing::describe(problem);
  EXPECT_GE(told, 2);
  Assembly assembly(1);
  EXPECT_TRUE(write_data(graph, assembly, problem));
}

TEST(Data, EndsWhenProgressSaysSo) {
  const Strong list = evaluate("list(range(1000, 300_000))");
  DataGraph::Options options;
  options.progress = [](uint64_t, uint64_t) {
    PyErr_SetString(PyExc_KeyboardInterrupt, "");
    return false;
  };
  DataGraph graph(options);
  Problem problem;
  EXPECT_FALSE(graph.add_root("r", list.get(), problem));
  EXPECT_TRUE(problem.python_error);
  EXPECT_EQ(testing::take_error(), "KeyboardInterrupt");
}

TEST(Data, LeaksNothing) {
  testing::expect_no_leak([] {
    const Strong roots = evaluate(testing::sample_data());
    DataGraph graph({});
    Problem problem;
    PyObject* name = nullptr;
    PyObject* object = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(roots.get(), &at, &name, &object);) {
      EXPECT_TRUE(graph.add_root(PyUnicode_AsUTF8(name), object, problem));
    }
    Assembly assembly(1);
    EXPECT_TRUE(write_data(graph, assembly, problem));
    EXPECT_FALSE(refusal("{'a': [0, {'b': len}]}").empty());
    // The dicts are parts of a cycle, which only the collector ends.
    const Strong cycle = evaluate("__import__('gc').collect()");
  });
}

class DamagedData : public ::testing::Test {
 protected:
  std::string after(const std::function<void(testing::Editor&)>& damage) {
    const Strong roots =
        evaluate("{'r': [{'key ' + str(i): i for i in range(20)}, '\\xe9t\\xe9']}");
    testing::Editor editor(testing::data_image_of(roots.get()));
    damage(editor);
    editor.fix();
    Problem problem;
    const auto image = testing::load_bytes(editor.file(), problem);
    if (image == nullptr) return testing::describe(problem);
    Verified verified;
    return verify(*image, verified, problem) ? "" : testing::describe(problem);
  }
};

TEST_F(DamagedData, IsFoundByVerifying) {
  EXPECT_EQ(after([](testing::Editor&) {}), "");
  const std::string index = after([](testing::Editor& editor) {
    auto segment = editor.table<uint32_t>(Kind::kDictSegment);
    segment[segment.size() - 1] ^= 3;
  });
  EXPECT_NE(index.find("is a FrozenDict whose index does not fit its keys"), std::string::npos)
      << index;
  const std::string text = after([](testing::Editor& editor) {
    auto segment = editor.table<std::byte>(Kind::kUtf8TextSegment);
    segment[segment.size() - 2] ^= std::byte{1};
  });
  EXPECT_NE(text.find("is a str with the wrong UTF-8"), std::string::npos) << text;
  const std::string holder =
      after([](testing::Editor& editor) { editor.table<RootEntry>(Kind::kRoots)[0].object += 16; });
  EXPECT_FALSE(holder.empty());
}

// What was checked when a list was made, and is written to before it is filled.
TEST(DataImage, IsRefusedWithAnActionThatWritesToAnArgument) {
  testing::Editor editor(
      testing::data_image_of(evaluate("{'root': [[1, 2], [3]]}").get(), testing::keep_all()));
  for (const ActionEntry& action : editor.part<ActionEntry>(kCommonGroup, Kind::kActions)) {
    testing::Editor changed(editor.file());
    const uint64_t size = action.argument + offsetof(PyVarObject, ob_size);
    changed.part<uint32_t>(kCommonGroup, Kind::kActionSlots)[0] =
        static_cast<uint32_t>(size / kSlotBytes);
    changed.fix();
    Problem problem;
    EXPECT_EQ(testing::load_bytes(changed.file(), problem), nullptr);
    // Those that are made after it find out earlier.
    const std::string why = testing::describe(problem);
    const std::string at = ", at offset " + std::to_string(action.argument);
    EXPECT_TRUE(why == "common group has an action that writes to an argument" + at ||
                why == "common group has an action without its argument" + at)
        << why;
  }
}

TEST(DataImage, IsRelocatedWhereItsAddressIsTaken) {
  const Strong roots = evaluate(testing::sample_data());
  auto bytes = testing::data_image_of(roots.get());
  const uint64_t base = testing::Editor(bytes).header().preferred_base;
  void* taken = mmap(reinterpret_cast<void*>(base), kPageBytes, PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(reinterpret_cast<uint64_t>(taken), base);
  const auto image = load_good(bytes);
  EXPECT_FALSE(image->is_prelinked());
  EXPECT_GT(image->stats().slots_relocated, 500u);
  Verified verified;
  Problem problem;
  EXPECT_TRUE(verify(*image, verified, problem)) << testing::describe(problem);
  munmap(taken, kPageBytes);
}

TEST(DataImage, IsRefusedForAnotherHashSecret) {
  const Strong roots = evaluate("{'r': 'text'}");
  testing::Editor editor(testing::data_image_of(roots.get()));
  editor.header().hash_policy = static_cast<uint32_t>(HashPolicy::kFixed);
  editor.header().hash_witness = 12345;
  editor.fix();
  Problem problem;
  EXPECT_EQ(testing::load_bytes(editor.file(), problem), nullptr);
  EXPECT_NE(problem.what.find("has the hashes of another PYTHONHASHSEED"), std::string::npos);
}

// Of what open() gives, nothing is left unless it is made ready, also if that would keep it for
// good.
TEST(DataImage, IsOpenedBeforeItIsMadeReady) {
  const testing::TemporaryFolder folder;
  const Strong roots = evaluate("{'root': [[1, 2], {3}, __import__('datetime').date(1, 2, 3)]}");
  testing::write_bytes(folder / "x", testing::data_image_of(roots.get(), testing::keep_all()));
  Problem problem;
  std::byte* base = nullptr;
  {
    const auto opened = Image::open(folder / "x", Check::kLazy, problem);
    ASSERT_NE(opened, nullptr) << testing::describe(problem);
    EXPECT_FALSE(opened->is_prepared(kCommonGroup));
    base = opened->mapping().base();
    EXPECT_EQ(msync(base, kPageBytes, MS_ASYNC), 0);
  }
  EXPECT_EQ(msync(base, kPageBytes, MS_ASYNC), -1) << "it is still mapped";
  const auto image = Image::open(folder / "x", Check::kLazy, problem);
  ASSERT_NE(image, nullptr);
  ASSERT_TRUE(image->make_ready(problem)) << testing::describe(problem);
  EXPECT_TRUE(image->is_prepared(kCommonGroup));
  EXPECT_EQ(testing::repr(root(*image)), "[[1, 2], {3}, datetime.date(1, 2, 3)]");
}

TEST(DataImage, IsRefusedWithModulesInItWhereThereIsNoGil) {
  testing::Editor editor(testing::data_image_of(evaluate("{'root': [1]}").get()));
  const RootEntry root = editor.table<RootEntry>(Kind::kRoots)[0];
  ModuleEntry module{};
  module.name = module.origin = root.name;
  module.code = module.origin_object = root.object;
  editor.append(static_cast<uint32_t>(Kind::kModules), kMustUnderstand,
                std::as_bytes(std::span(&module, 1)));
  editor.fix();
  Problem problem;
  const auto image = testing::load_bytes(editor.file(), problem);
  if (abi::can_copy_code()) {
    EXPECT_NE(image, nullptr) << "what is wrong is found when it is imported";
  } else {
    EXPECT_EQ(image, nullptr);
    EXPECT_EQ(
        testing::describe(problem),
        "module table holds code, which free-threaded CPython cannot take from an image; load "
        "images of data only, or use a CPython with a GIL");
  }
}

TEST(DataImage, IsSharedIfNothingInItBelongsToAnInterpreter) {
  const auto shared = frozen("{'a': [1, 'text', 2.5]}");
  EXPECT_TRUE(shared->is_for_all_interpreters());
  const auto own = frozen("[{1, 2}]");
  EXPECT_FALSE(own->is_for_all_interpreters());
}

}  // namespace
}  // namespace tenure::image
