#include "tenure/immortal/graph/portable_hash.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

using ::tenure::testing::attribute;
using ::tenure::testing::equal;
using ::tenure::testing::evaluate;
using ::tenure::testing::run;

std::optional<uint64_t> hash_of(PyObject* key) {
  uint64_t hash = 0;
  const bool known = portable_hash(key, hash);
  EXPECT_EQ(PyErr_Occurred(), nullptr);
  return known ? std::optional(hash) : std::nullopt;
}

std::optional<uint64_t> hash_of(const std::string& expression) {
  return hash_of(evaluate(expression).get());
}

// Images depend on these: another number here is another format of images.
TEST(PortableHash, NumbersOfEveryProcess) {
  const std::map<std::string, uint64_t> known = {
      {"''", 0x2d06800538d394c2},
      {"'name'", 0x0c354ecdc24a77d5},
      {"'\\xe9'", 0x48a895eb05a3c780},
      {"'\\u20ac'", 0x09a4fd13e3d08aa2},
      {"'\\U0001f600' * 100", 0xaf094c423aab83d2},
      {"b'name'", 0x938752a8dcd2a8f0},
      {"0", 0x0},
      {"1", 0x4179b061e0c0e0d0},
      {"-1", 0x0570201cf108da9e},
      {"10**30", 0x3bbb054181aba194},
      {"0.5", 0x19cd2cb7ba08122c},
      {"float('inf')", 0x15d1274214d09f01},
      {"float('nan')", 0x3c6ef372fe94f82b},
      {"1j", 0xfe920e002b8ee3d6},
      {"None", 0x6a09e667f3bcc908},
      {"...", 0xbb67ae8584caa73b},
      {"()", 0xa54ff53a5f1d36f1},
      {"(1, 'a', (2.5, None))", 0xdde7a67445fcb7d2},
      {"frozenset()", 0x1c8664fa66f3f97b},
      {"frozenset(['a', 'b', 3])", 0x1d052743ee79f30d},
  };
  for (const auto& [expression, hash] : known) {
    EXPECT_EQ(hash_of(expression), hash)
        << expression << " 0x" << std::hex << hash_of(expression).value_or(0);
  }
}

TEST(PortableHash, EqualKeysHaveEqualHashes) {
  const Strong module = run(R"(
import enum
import collections
class Text(str): pass
class Data(bytes): pass
class Number(int): pass
class Level(enum.IntEnum):
    LOW = 1
class Real(float): pass
class Pair(tuple): pass
class Group(frozenset):
    def __iter__(self): return iter(())
Point = collections.namedtuple('Point', 'x y')
keys = [
    [1, 1.0, True, 1 + 0j, Number(1), Real(1)],
    [0, 0.0, -0.0, False, 0j],
    [2**60, 2.0**60], [10**400], [-1, -1.0, -2, -2.0],
    ['text', Text('text')], [b'data', Data(b'data')],
    [(1, 'a'), (1.0, 'a'), Pair((True, Text('a'))), Point(1, 'a')],
    [frozenset([1, 2]), frozenset([2, True]), Group([1.0, 2])],
    [(), Pair()], [((),)], [('a', 'b')], [('b', 'a')], [('ab',)], [frozenset(['ab'])], ['ab'], [b'ab'],
    [float('nan'), float('-nan'), complex(float('nan'), 1), complex(1, float('nan'))],
    [float('inf')], [float('-inf')], [None], [...], [''], [b''], [frozenset()],
    ['\xe9'], ['\u20ac'], ['a' * 1000], ['\u20ac' * 1000], [(('a', 1), 'b')], [('a', (1, 'b'))],
]
)");
  const Strong sets = Strong(Py_NewRef(PyDict_GetItemString(module.get(), "keys")));
  std::set<uint64_t> seen;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(sets.get()); ++i) {
    PyObject* keys = PyList_GET_ITEM(sets.get(), i);
    const std::optional<uint64_t> first = hash_of(PyList_GET_ITEM(keys, 0));
    ASSERT_TRUE(first.has_value()) << testing::repr(keys);
    EXPECT_TRUE(seen.insert(*first).second) << testing::repr(keys);
    for (Py_ssize_t j = 1; j < PyList_GET_SIZE(keys); ++j) {
      EXPECT_EQ(hash_of(PyList_GET_ITEM(keys, j)), first) << j << " of " << testing::repr(keys);
    }
  }
}

TEST(PortableHash, UnknownForOthers) {
  const Strong module = run(R"(
import decimal, fractions, datetime, enum
class Text(str):
    def __hash__(self): return 1
class Same(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
class Number(int):
    def __eq__(self, other): return False
    def __hash__(self): return 1
class Color(enum.Enum):
    RED = 1
keys = [
    object(), Text('a'), Same('a'), Number(1), Color.RED, decimal.Decimal(1), fractions.Fraction(1),
    datetime.date(2000, 1, 1), range(3), memoryview(b'a'), [], {}, set(), bytearray(), len, int, NotImplemented,
    (1, object()), (1, []), frozenset([1, object()]), slice(1),
]
)");
  PyObject* keys = PyDict_GetItemString(module.get(), "keys");
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); ++i) {
    EXPECT_EQ(hash_of(PyList_GET_ITEM(keys, i)), std::nullopt)
        << testing::repr(PyList_GET_ITEM(keys, i));
  }
}

TEST(PortableHash, DeepKeysHaveNone) {
  Strong key = evaluate("()");
  std::set<uint64_t> seen;
  size_t known = 0;
  for (int depth = 0; depth < 100'000; ++depth) {
    if (const auto hash = hash_of(key.get())) {
      ++known;
      EXPECT_TRUE(seen.insert(*hash).second);
    }
    key = Strong(PyTuple_Pack(1, key.get()));
  }
  EXPECT_EQ(known, 64u);
}

TEST(PortableHash, NearKeysAreSpread) {
  // As many different lower bits as chance has it, give or take: 1 - 1/e of all.
  for (const char* expression : {"i", "i * 1024", "i * 2.0**40", "i / 4096", "str(i)", "b'%d' % i",
                                 "(i,)", "(i % 64, i // 64)", "frozenset((i,))"}) {
    const Strong keys = evaluate(std::string("[") + expression + " for i in range(4096)]");
    std::set<uint64_t> low;
    std::set<uint64_t> high;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys.get()); ++i) {
      const uint64_t hash = *hash_of(PyList_GET_ITEM(keys.get(), i));
      low.insert(hash % 4096);
      high.insert(hash >> 52);
    }
    EXPECT_NEAR(static_cast<double>(low.size()), 2589, 150) << expression;
    EXPECT_NEAR(static_cast<double>(high.size()), 2589, 150) << expression;
  }
}

TEST(PortableHash, LeavesNoReference) {
  const Strong keys = evaluate(
      "['a', b'a', 1, 10**50, 1.5, 1j, None, (1, ('a', b'c')), frozenset(['a', (1, 2)]), object(), "
      "(1, object()), frozenset([object()])]");
  testing::expect_no_leak([&] {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys.get()); ++i) {
      hash_of(PyList_GET_ITEM(keys.get(), i));
    }
  });
}

TEST(PortableHash, WithoutMemory) {
  const Strong key = evaluate("frozenset(['a', (1, 2)])");
  const std::optional<uint64_t> hash = hash_of(key.get());
  for (long n = 0; n < 3; ++n) {
    std::optional<uint64_t> got;
    {
      const testing::FailingMemory failing(n);
      uint64_t value = 0;
      if (portable_hash(key.get(), value)) got = value;
    }
    EXPECT_TRUE(!got.has_value() || got == hash);
  }
}

}  // namespace
}  // namespace tenure::graph
