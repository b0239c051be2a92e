#include "tenure/immortal/graph/frozen_table.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

using ::tenure::testing::evaluate;

// A table that is no Python object: keys without values, in a buffer.
class Table {
 public:
  explicit Table(Strong keys) : keys_(std::move(keys)) {
    const auto count = static_cast<size_t>(PyList_GET_SIZE(keys_.get()));
    memory_.resize(abi::frozen_dict_bytes(count) / sizeof(uint64_t) + 1);
    dict()->head.ob_size = static_cast<Py_ssize_t>(count);
    dict()->index_bits = abi::frozen_index_bits(count);
    for (size_t i = 0; i < count; ++i) {
      PyObject* key = PyList_GET_ITEM(keys_.get(), static_cast<Py_ssize_t>(i));
      abi::entries_of(dict())[i].key = key;
      hashes_.push_back(key_hash(key));
    }
    dict()->flags = lay_out_index(hashes_, abi::index_of(dict()));
  }

  abi::FrozenDictObject* dict() { return reinterpret_cast<abi::FrozenDictObject*>(memory_.data()); }
  size_t size() const { return hashes_.size(); }
  PyObject* key(size_t i) { return abi::entries_of(dict())[i].key; }
  std::vector<KeyHash>& hashes() { return hashes_; }

  Py_ssize_t find(PyObject* key) {
    const KeyHash hash = key_hash(key);
    EXPECT_TRUE(hash.portable);
    return find_indexed(dict(), key, hash.hash);
  }

 private:
  Strong keys_;
  std::vector<uint64_t> memory_;
  std::vector<KeyHash> hashes_;
};

std::string list_of(const char* expression, size_t count) {
  return std::string("[") + expression + " for i in range(" + std::to_string(count) + ")]";
}

TEST(FrozenTable, Sizes) {
  EXPECT_EQ(abi::frozen_index_bits(0), 0u);
  EXPECT_EQ(abi::frozen_index_bits(8), 0u);
  EXPECT_EQ(abi::frozen_index_bits(9), 4u);
  EXPECT_EQ(abi::frozen_index_bits(10), 4u);
  EXPECT_EQ(abi::frozen_index_bits(11), 5u);
  EXPECT_EQ(abi::frozen_index_bits(abi::kMostFrozenEntries), abi::kMostIndexBits);
  EXPECT_EQ(abi::frozen_dict_bytes(3), sizeof(abi::FrozenDictObject) + 3 * 16 + 3 * 4);
  EXPECT_EQ(abi::frozen_dict_bytes(9), sizeof(abi::FrozenDictObject) + 9 * 16 + 16 * 4);
  for (size_t count = 9; count < 100'000; count = count * 5 / 4) {
    const size_t slots = abi::frozen_index_bytes(count) / 4;
    EXPECT_LE(count * 3, slots * 2);
    EXPECT_GT(count * 3, slots);
  }
}

TEST(FrozenTable, FindsEveryKeyAndNoOther) {
  for (const char* keys : {"i", "f'key {i}'", "b'%d' % i", "(i, str(i))", "i * 0.5"}) {
    for (const size_t count : {0, 1, 2, 7, 8, 9, 10, 11, 100, 1000, 20'000}) {
      Table table(evaluate(list_of(keys, count)));
      EXPECT_EQ(table.dict()->flags, 0u);
      // Keys that are equal but other objects.
      Table others(evaluate(list_of(keys, count + 100)));
      for (size_t i = 0; i < others.size(); ++i) {
        const Py_ssize_t expected = i < count ? static_cast<Py_ssize_t>(i) : kNotFound;
        ASSERT_EQ(table.find(others.key(i)), expected) << keys << " " << i << " of " << count;
        if (PyUnicode_Check(others.key(i))) {
          ASSERT_EQ(find_str(table.dict(), others.key(i)), expected);
        }
        if (i < count) {
          ASSERT_EQ(table.find(table.key(i)), expected);
        }
      }
    }
  }
}

TEST(FrozenTable, StringsOfEveryKind) {
  Table table(
      evaluate("['', 'a', '\\xe9', '\\u20ac', '\\U0001f600', 'a' * 500, '\\u20ac' * 500, b'a', "
               "type('S', (str,), {})('sub'), 1, None, ('a',)]"));
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table.find(table.key(i)), static_cast<Py_ssize_t>(i));
  }
  EXPECT_EQ(find_str(table.dict(), evaluate("'sub'").get()), 8);
  EXPECT_EQ(find_str(table.dict(), evaluate("'\\u20ac' * 500").get()), 6);
  EXPECT_EQ(find_str(table.dict(), evaluate("'\\u20ac' * 501").get()), kNotFound);
  EXPECT_EQ(find_str(table.dict(), evaluate("'b'").get()), kNotFound);
}

TEST(FrozenTable, OpaqueKeysAreNotInTheIndex) {
  for (const char* keys : {"['a', object(), 1]", "['a', object(), *range(10)]"}) {
    Table table(evaluate(keys));
    EXPECT_EQ(table.dict()->flags, abi::kOpaqueKeys);
    EXPECT_EQ(find_str(table.dict(), evaluate("'a'").get()), 0);
    EXPECT_EQ(find_str(table.dict(), evaluate("'b'").get()), kNotFound);
    // Not even where a hash points to it.
    EXPECT_EQ(find_indexed(table.dict(), table.key(1), 0), kNotFound);
  }
}

TEST(FrozenTable, SameBytesWhateverWasThere) {
  Table table(evaluate(list_of("f'key {i}'", 1000)));
  std::vector<uint32_t> index(abi::frozen_index_bytes(1000) / 4, 0xdeadbeef);
  EXPECT_EQ(lay_out_index(table.hashes(), index.data()), 0u);
  EXPECT_EQ(std::memcmp(index.data(), abi::index_of(table.dict()), index.size() * 4), 0);
}

TEST(FrozenTable, ManyAlikeAreNotIndexed) {
  // A hundred thousand keys that somebody chose to be alike.
  std::vector<KeyHash> hashes(100'000, KeyHash{0x1234567812345678, true});
  std::vector<uint32_t> index(abi::frozen_index_bytes(hashes.size()) / 4);
  EXPECT_EQ(lay_out_index(hashes, index.data()), abi::kOpaqueKeys);
  EXPECT_EQ(std::count(index.begin(), index.end(), 0u), static_cast<Py_ssize_t>(index.size()));
  // A few are no matter.
  for (size_t i = 100; i < hashes.size(); ++i) hashes[i].hash = i * 0x9e3779b97f4a7c15;
  EXPECT_EQ(lay_out_index(hashes, index.data()), 0u);
}

TEST(FrozenTable, NansAreFoundByIdentity) {
  for (const size_t count : {5, 30}) {
    Table table(evaluate(list_of("float('nan')", count)));
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(table.find(table.key(i)), static_cast<Py_ssize_t>(i));
    }
    EXPECT_EQ(table.find(evaluate("float('nan')").get()), kNotFound);
  }
}

}  // namespace
}  // namespace tenure::graph
