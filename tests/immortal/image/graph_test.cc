#include "tenure/immortal/image/graph.h"

#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tenure/immortal/image/verify.h"
#include "tenure/immortal/image/writer.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using abi::ShapeId;
using testing::evaluate;

constexpr const char* kOrigin = "/sample/module.py";

// Where compilers put the one tuple of a module: "[2]".
std::string place_of_constant() {
  const Strong code = testing::compile("x = (1000, 2000)\n");
  const Strong constants = testing::attribute(code.get(), "co_consts");
  Py_ssize_t index = 0;
  while (!PyTuple_CheckExact(PyTuple_GET_ITEM(constants.get(), index))) ++index;
  return "[" + std::to_string(index) + "]";
}

// Code of a module that has `constant` among its constants: what the compiler would not make.
Strong code_with(Strong constant) {
  Strong code = testing::compile("x = (1000, 2000)\n");
  const Strong constants = testing::attribute(code.get(), "co_consts");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants.get()); ++i) {
    PyObject* old = PyTuple_GET_ITEM(constants.get(), i);
    if (!PyTuple_CheckExact(old)) continue;
    PyTuple_SET_ITEM(constants.get(), i, std::move(constant).release());
    Py_DECREF(old);
    return code;
  }
  Py_FatalError("test: no tuple among the constants");
}

Strong code_with_value(const std::string& expression) { return code_with(evaluate(expression)); }

bool add(Graph& graph, PyObject* code, Problem& problem, const char* name = "sample") {
  const Strong origin = PyUnicode_FromString(kOrigin);
  return graph.add_module(name, code, false, origin.get(), nullptr, 0, 0, problem);
}

// Why a module with that constant is refused.
std::string refusal(Strong constant) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with(std::move(constant));
  EXPECT_FALSE(add(graph, code.get(), problem));
  return testing::describe(problem);
}

size_t count_if(const Graph& graph, const std::function<bool(const Node&)>& wanted) {
  return static_cast<size_t>(std::count_if(graph.nodes().begin(), graph.nodes().end(), wanted));
}

size_t count_equal(const Graph& graph, const char* expression) {
  const Strong value = evaluate(expression);
  return count_if(graph, [&](const Node& node) {
    return Py_TYPE(node.object) == Py_TYPE(value.get()) && testing::equal(node.object, value.get());
  });
}

const Node& node_equal(const Graph& graph, const char* expression) {
  const Strong value = evaluate(expression);
  for (const Node& node : graph.nodes()) {
    if (Py_TYPE(node.object) == Py_TYPE(value.get()) && testing::equal(node.object, value.get())) {
      return node;
    }
  }
  Py_FatalError("test: no such node");
}

// The constant of code_with(), after a journey through an image.
Strong through_image(const Graph& graph) {
  std::vector<std::byte> file;
  Problem problem;
  EXPECT_TRUE(write_image(graph, file, problem)) << testing::describe(problem);
  auto image = testing::load_good(file);
  Verified verified;
  EXPECT_TRUE(verify(*image, verified, problem)) << testing::describe(problem);
  EXPECT_EQ(verified.objects, graph.nodes().size());
  const Strong names = testing::execute(testing::code_in(*image, "sample"));
  return Py_NewRef(PyDict_GetItemString(names.get(), "x"));
}

std::string frozen_repr(const std::string& expression) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with_value(expression);
  EXPECT_TRUE(add(graph, code.get(), problem)) << testing::describe(problem);
  const Strong value = through_image(graph);
  return testing::repr(value.get());
}

TEST(Graph, StartsWithTheCommonGroupAlone) {
  const Graph graph(nullptr);
  EXPECT_EQ(graph.group_count(), 1u);
  EXPECT_TRUE(graph.nodes().empty());
  EXPECT_EQ(graph.externals()[graph.none()].object, Py_None);
  for (size_t id = 1; id < abi::kShapeIdEnd; ++id) {
    if (static_cast<ShapeId>(id) == ShapeId::kFrozenDict) continue;  // no code has one
    const abi::Shape& shape = *abi::shape(static_cast<ShapeId>(id));
    EXPECT_EQ(graph.externals()[graph.type_external(shape)].object,
              reinterpret_cast<PyObject*>(shape.type));
  }
}

TEST(Graph, TellsObjectsApartByValue) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with_value(
      "tuple(int('123456789') for _ in range(3)) + tuple(float('1.25') for _ in range(3)) +"
      " tuple(' '.join(('two', 'words')) for _ in range(3)) + tuple(bytes(b'by') + b'te'"
      " for _ in range(3)) + tuple((int('5000'), int('6000')) for _ in range(3))");
  ASSERT_TRUE(add(graph, code.get(), problem));
  for (const char* value :
       {"123456789", "1.25", "'two words'", "b'byte'", "(5000, 6000)", "5000"}) {
    EXPECT_EQ(count_equal(graph, value), 1u) << value;
  }
}

TEST(Graph, KeepsApartWhatPythonCallsEqual) {
  const char* const values[] = {
      "(1, True, 1.0, complex(1), 1000, 1000.0, complex(1000))",
      "(0, False, 0.0, -0.0, 0j, complex(0.0, -0.0), complex(-0.0, 0.0))",
      "(1000, (1000.0,), (1000,), ((1000,),))",
      "('text of a kind', b'text of a kind', ('text of a kind',))",
      "(float('inf'), float('-inf'), float('nan'))",
  };
  for (const char* value : values) {
    const Strong expected = evaluate(value);
    EXPECT_EQ(frozen_repr(value), testing::repr(expected.get()));
  }
}

// Which of two equal strings is the interned one depends on what the process did before.
TEST(Graph, TakesEqualStringsForIdentifiersIfOneOfThemIs) {
  const char* const orders[] = {"(sys.intern('both_ways'), ''.join(('both', '_ways')))",
                                "(''.join(('both', '_ways')), sys.intern('both_ways'))"};
  for (const char* order : orders) {
    Graph graph(nullptr);
    Problem problem;
    const Strong code = code_with_value(order);
    ASSERT_TRUE(add(graph, code.get(), problem));
    EXPECT_EQ(count_equal(graph, "'both_ways'"), 1u) << order;
    EXPECT_TRUE(node_equal(graph, "'both_ways'").identifier) << order;
    EXPECT_EQ(node_equal(graph, "'both_ways'").segment, Kind::kStringSegment) << order;
  }
}

TEST(Graph, PutsStringsThatAreLookedUpByApart) {
  Graph graph(nullptr);
  testing::add_sources(graph, testing::sample_sources());
  size_t strings = 0;
  for (const Node& node : graph.nodes()) {
    if (!PyUnicode_Check(node.object)) continue;
    EXPECT_EQ(node.segment,
              node.identifier && node.named ? Kind::kStringSegment : Kind::kTextSegment);
    ++strings;
  }
  EXPECT_GT(strings, 30u);
  EXPECT_EQ(node_equal(graph, "'extra'").segment, Kind::kStringSegment);
  EXPECT_EQ(node_equal(graph, "'not an identifier'").segment, Kind::kTextSegment);
  // A qualified name is shown to people, and nothing is looked up by it.
  EXPECT_EQ(node_equal(graph, "'closure.<locals>.inner'").segment, Kind::kTextSegment);
}

TEST(Graph, SharesLeavesBetweenModules) {
  Graph graph(nullptr);
  testing::add_sources(graph, {{"one", "a = 'said by both'; b = 10 ** 20; c = 'said by one'\n"},
                               {"two", "a = 'said by both'; b = 10 ** 20; c = 'said by two'\n"},
                               {"three", "a = 10 ** 20\n"}});
  EXPECT_EQ(graph.group_count(), 4u);
  for (const char* shared : {"'said by both'", "10 ** 20"}) {
    EXPECT_EQ(count_equal(graph, shared), 1u);
    EXPECT_EQ(node_equal(graph, shared).group, kCommonGroup);
  }
  EXPECT_EQ(node_equal(graph, "'said by both'").users, 2u);
  EXPECT_EQ(node_equal(graph, "10 ** 20").users, 3u);
  EXPECT_EQ(node_equal(graph, "'said by one'").group, 1u);
  EXPECT_EQ(node_equal(graph, "'said by two'").group, 2u);
  EXPECT_EQ(node_equal(graph, "'said by two'").users, 1u);
}

// A module that names a leaf often is one user of it.
TEST(Graph, CountsModulesNotUses) {
  Graph graph(nullptr);
  testing::add_sources(graph, {{"one", "a = (10 ** 20, 1); b = (10 ** 20, 2); c = 10 ** 20\n"}});
  EXPECT_EQ(node_equal(graph, "10 ** 20").users, 1u);
  EXPECT_EQ(node_equal(graph, "10 ** 20").group, 1u);
}

TEST(Graph, KeepsObjectsWithReferencesInTheirModule) {
  Graph graph(nullptr);
  testing::add_sources(graph, {{"one", "a = (1000, 'both')\n"}, {"two", "a = (1000, 'both')\n"}});
  EXPECT_EQ(count_equal(graph, "(1000, 'both')"), 2u);
  for (const Node& node : graph.nodes()) {
    if (node.edge_count > 0) {
      EXPECT_NE(node.group, kCommonGroup);
    }
  }
}

TEST(Graph, KeepsEqualCodeApart) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with_value(
      "(lambda code: (code.replace(), code.replace()))(compile('y = 5', 'f.py', 'exec'))");
  ASSERT_TRUE(add(graph, code.get(), problem));
  EXPECT_EQ(count_if(graph, [](const Node& node) { return node.shape->id == ShapeId::kCode; }), 3u);
}

TEST(Graph, KnowsWhichObjectIsWhich) {
  Graph graph(nullptr);
  Problem problem;
  // The same code twice is the same code.
  const Strong code = code_with_value("(lambda code: (code, code))(compile('y = 5', 'f', 'exec'))");
  ASSERT_TRUE(add(graph, code.get(), problem));
  EXPECT_EQ(count_if(graph, [](const Node& node) { return node.shape->id == ShapeId::kCode; }), 2u);
}

TEST(Graph, HasAnEdgeForEachReference) {
  Graph graph(nullptr);
  testing::add_sources(graph, testing::sample_sources());
  uint32_t next = 0;
  for (const Node& node : graph.nodes()) {
    EXPECT_EQ(node.first_edge, next);
    uint32_t references = 0;
    abi::for_each_reference(*node.shape, node.object, node.bytes, [&](PyObject** slot) {
      const Target& target = graph.edges()[node.first_edge + references++];
      if (target.kind == Target::Kind::kNode) {
        EXPECT_TRUE(testing::equal(graph.nodes()[target.index].object, *slot));
      } else if (target.kind == Target::Kind::kExternal) {
        EXPECT_EQ(graph.externals()[target.index].object, *slot);
      } else {
        EXPECT_EQ(target.kind, Target::Kind::kRebuilt);
      }
    });
    EXPECT_EQ(node.edge_count, references);
    next += node.edge_count;
  }
  EXPECT_EQ(graph.edges().size(), next);
}

TEST(Graph, RebuildsFrozenSetsAndSlices) {
  for (const char* value :
       {"frozenset({1000, 'word', (1, 2)})", "slice(1000, None, 'x')", "(frozenset({5}), slice(1))",
        "frozenset({frozenset({1, 2}), frozenset()})", "(frozenset(), frozenset())", "frozenset()",
        "frozenset({(frozenset({'in a tuple'}), 1)})"}) {
    Graph graph(nullptr);
    Problem problem;
    const Strong code = code_with_value(value);
    ASSERT_TRUE(add(graph, code.get(), problem)) << testing::describe(problem);
    const Strong again = through_image(graph);
    const Strong expected = evaluate(value);
    EXPECT_TRUE(testing::equal(again.get(), expected.get())) << value;
  }
}

TEST(Graph, RebuildsEqualSetsOnce) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with_value(
      "(frozenset({1000, 2000}), frozenset({2000, 1000}), frozenset(), frozenset([]))");
  ASSERT_TRUE(add(graph, code.get(), problem));
  EXPECT_EQ(graph.rebuilt().size(), 2u);
}

TEST(Graph, PutsWhatNamesFamiliarStringsAside) {
  const Strong familiar = evaluate("{sys.intern('seen_before')}");
  Graph graph(familiar.get());
  testing::add_sources(graph, {{"one",
                                "a = ('seen_before', 1); b = ('never_seen', 1)\n"
                                "def f(): return seen_before\n"
                                "def g(): return never_seen\n"}});
  EXPECT_TRUE(node_equal(graph, "'seen_before'").familiar);
  EXPECT_FALSE(node_equal(graph, "'never_seen'").familiar);
  EXPECT_EQ(node_equal(graph, "('seen_before', 1)").segment, Kind::kReplacedTupleSegment);
  EXPECT_EQ(node_equal(graph, "('never_seen', 1)").segment, Kind::kTupleSegment);
  EXPECT_EQ(node_equal(graph, "('seen_before',)").segment, Kind::kReplacedTupleSegment);
}

TEST(Graph, PutsCodeWhereItIsWritten) {
  Graph graph(nullptr);
  testing::add_sources(graph, {{"one", "class Sample:\n  def method(self): pass\n"}});
  for (const Node& node : graph.nodes()) {
    if (node.shape->id != ShapeId::kCode) continue;
    const Strong name = testing::attribute(node.object, "co_name");
    const bool is_function = PyUnicode_CompareWithASCIIString(name.get(), "method") == 0;
    EXPECT_EQ(node.segment, is_function ? Kind::kCodeSegment : Kind::kBodySegment);
  }
}

// A set of addresses, so that functions equal to one that ran are not taken for it.
TEST(Graph, PutsFunctionsThatRanWithWhatRuns) {
  const Strong code = testing::compile("def ran(): pass\n");
  const Strong address = PyLong_FromVoidPtr(testing::inner_code(code.get()));
  const Strong ran = PySet_New(nullptr);
  ASSERT_EQ(PySet_Add(ran.get(), address.get()), 0);
  for (PyObject* known : {static_cast<PyObject*>(nullptr), ran.get()}) {
    Graph graph(nullptr, known);
    Problem problem;
    ASSERT_TRUE(add(graph, code.get(), problem));
    for (const Node& node : graph.nodes()) {
      if (node.object != testing::inner_code(code.get())) continue;
      EXPECT_EQ(node.segment, known != nullptr ? Kind::kBodySegment : Kind::kCodeSegment);
    }
  }
}

// The C++ stack holds about a tenth of that.
TEST(Graph, FollowsDeepNestingWithoutTheStack) {
  Strong nested = evaluate("(1000,)");
  for (int i = 0; i < 100'000; ++i) nested = PyTuple_Pack(1, nested.get());
  Graph graph(nullptr);
  Problem problem;
  const Strong code = code_with(std::move(nested));
  ASSERT_TRUE(add(graph, code.get(), problem)) << testing::describe(problem);
  EXPECT_GT(graph.nodes().size(), 100'000u);
  const Strong again = through_image(graph);
  PyObject* at = again.get();
  int depth = 0;
  for (; PyTuple_CheckExact(at); at = PyTuple_GET_ITEM(at, 0)) ++depth;
  EXPECT_EQ(depth, 100'001);
  EXPECT_EQ(PyLong_AsLong(at), 1000);
}

TEST(Graph, RefusesOtherObjectsByTheirPath) {
  auto path = [](const char* at, const char* type) {
    return "module 'sample' code.co_consts" + place_of_constant() + at + ": object of type " +
           type + " has no shape, so an image cannot hold it";
  };
  EXPECT_EQ(refusal(PyList_New(0)), path("", "list"));
  EXPECT_EQ(refusal(evaluate("(1, {}, 2)")), path("[1]", "dict"));
  EXPECT_EQ(refusal(evaluate("(1, (2, 3, (object(),)))")), path("[1][2][0]", "object"));
  EXPECT_EQ(refusal(evaluate("type('Text', (str,), {})('x')")), path("", "Text"));
  EXPECT_EQ(refusal(evaluate("(list,)")), path("[0]", "type"));
  EXPECT_EQ(refusal(evaluate("frozenset({range(3)})")).empty(), false);
  PyErr_Clear();
}

TEST(Graph, RefusesWhatIsInsideCodeByItsPath) {
  const Strong inner = code_with(PyList_New(0));
  EXPECT_EQ(refusal(PyTuple_Pack(1, inner.get())),
            "module 'sample' code.co_consts" + place_of_constant() + "[0].co_consts" +
                place_of_constant() +
                ": object of type list has no shape, so an image cannot hold it");
}

TEST(Graph, RefusesCodeThatIsWatched) {
  const Strong names = testing::run(R"(
def f():
    return 1
sys.monitoring.use_tool_id(4, 'a test')
sys.monitoring.set_local_events(4, f.__code__, sys.monitoring.events.LINE)
f()
)");
  const std::string why =
      refusal(testing::attribute(PyDict_GetItemString(names.get(), "f"), "__code__"));
  const std::string place = "module 'sample' code.co_consts" + place_of_constant();
  EXPECT_EQ(why.find(place + ": is code that has run"), 0u) << why;
  const Strong freed = evaluate("sys.monitoring.free_tool_id(4)");
}

TEST(Graph, RefusesPathsThatAreNoStringsOfTheirOwn) {
  Graph graph(nullptr);
  Problem problem;
  const Strong code = testing::compile("x = 1\n");
  const Strong origin = evaluate("'a'");
  EXPECT_FALSE(graph.add_module("sample", code.get(), false, origin.get(), nullptr, 0, 0, problem));
  EXPECT_EQ(testing::describe(problem), "module 'sample' has no path that an image can hold");
}

TEST(Graph, KeepsWhatItWasGivenAndGivesItBack) {
  Strong code = testing::compile("x = 'kept for the graph'\n");
  PyObject* const object = code.get();
  {
    Graph graph(nullptr);
    Problem problem;
    ASSERT_TRUE(add(graph, code.get(), problem));
    code = Strong();
    EXPECT_GE(Py_REFCNT(object), 1);
    EXPECT_EQ(count_equal(graph, "'kept for the graph'"), 1u);
  }
  testing::expect_no_leak([] {
    Graph graph(nullptr);
    testing::add_sources(graph, testing::sample_sources());
  });
}

}  // namespace
}  // namespace tenure::image
