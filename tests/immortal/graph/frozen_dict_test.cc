#include "tenure/immortal/graph/frozen_dict.h"

#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/immortal/graph/frozen_lookup.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure::graph {
namespace {

using ::tenure::testing::equal;
using ::tenure::testing::evaluate;
using ::tenure::testing::FailingMemory;
using ::tenure::testing::repr;
using ::tenure::testing::run;
using ::tenure::testing::take_error;

class FrozenDict : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(ready_frozen_dict()); }
};

Strong frozen(const std::string& expression) {
  Strong made = new_frozen_dict(evaluate(expression).get());
  EXPECT_TRUE(made);
  return made;
}

constexpr const char* kManyItems =
    "{**{f'key {i}': i for i in range(100)}, 1: 'one', (1, 'a'): [2], None: 0}";

// As an image holds one: no memory of the interpreter's, immortal, never written to. Its place is
// never another's.
class InImage {
 public:
  explicit InImage(PyObject* original)
      : memory_(*new std::vector<std::byte>(
            kHead + abi::frozen_dict_bytes(abi::entry_count(abi::as_frozen_dict(original))))) {
    std::memcpy(memory_.data() + kHead, original, memory_.size() - kHead);
    abi::FrozenDictObject* copy = dict();
    copy->head.ob_base = *Py_None;
    copy->head.ob_base.ob_type = abi::frozen_dict_type();
    copy->hash = -1;
    copy->fallback = nullptr;
    copy->flags &= ~abi::kOnHeap;
    original_ = Strong(Py_NewRef(original));
  }

  PyObject* get() { return reinterpret_cast<PyObject*>(dict()); }
  const std::vector<std::byte>& bytes() const { return memory_; }

 private:
  static constexpr size_t kHead = 16;

  abi::FrozenDictObject* dict() {
    return reinterpret_cast<abi::FrozenDictObject*>(memory_.data() + kHead);
  }

  std::vector<std::byte>& memory_;
  Strong original_;
};

TEST_F(FrozenDict, LiesWhereImagesExpectIt) {
  EXPECT_EQ(reinterpret_cast<uintptr_t>(abi::frozen_dict_type()), abi::kFrozenDictTypeAddress);
  const Strong made = frozen("{'a': 1, 'b': 2}");
  EXPECT_TRUE(abi::is_frozen_dict(made.get()));
  const abi::FrozenDictObject* dict = abi::as_frozen_dict(made.get());
  EXPECT_EQ(abi::entry_count(dict), 2u);
  EXPECT_EQ(repr(abi::entries_of(dict)[1].key), "'b'");
  EXPECT_EQ(repr(abi::entries_of(dict)[1].value), "2");
  EXPECT_EQ(dict->hash, -1);
  EXPECT_EQ(dict->fallback, nullptr);
}

TEST_F(FrozenDict, ToAndFromDict) {
  for (const char* expression : {"{}", "{'a': 1}", kManyItems}) {
    const Strong dict = evaluate(expression);
    const Strong made = new_frozen_dict(dict.get());
    const Strong back = dict_of(made.get());
    EXPECT_TRUE(equal(back.get(), dict.get()));
    EXPECT_EQ(repr(back.get()), repr(dict.get()));
  }
}

TEST_F(FrozenDict, ReadyTwice) {
  PyTypeObject* type = abi::frozen_dict_type();
  EXPECT_TRUE(ready_frozen_dict());
  EXPECT_EQ(abi::frozen_dict_type(), type);
  testing::expect_no_leak([] { EXPECT_TRUE(ready_frozen_dict()); });
}

constexpr const char* kUseAll = R"(
import copy, pickle, decimal
def use(FrozenDict):
    for items in ({}, {'a': 1}, {**{f'key {i}': i for i in range(100)}, 1: 'one', (1, 'a'): 2, None: 0}):
        d = FrozenDict(items)
        for key in [*items, 'x', 5, decimal.Decimal(1), ('a', 2), b'x']:
            d.get(key), key in d
            try: d[key]
            except KeyError: pass
        try: d[[]]
        except TypeError: pass
        assert d == items and items == d and not d != items and d == FrozenDict(items) and not d == 1
        hash(d), repr(d), len(d), bool(d)
        d | {'y': 1}, {'y': 1} | d, d | d, dict(d), FrozenDict(d), FrozenDict(d, z=1), FrozenDict(items.items())
        for view in d.keys(), d.values(), d.items():
            list(view), list(reversed(view)), len(view), repr(view), 5 in view, view.mapping
            for element in view: pass
        d.keys() & {'a'}, {'a'} | d.keys(), d.items() - d.items(), d.keys() ^ 'ab', d.keys() == set(items), d.items() <= d.items()
        d.keys().isdisjoint('xyz')
        list(d), list(reversed(d)), d.copy(), copy.copy(d), copy.deepcopy(d), FrozenDict.fromkeys('ab', 1)
        FrozenDict[str, int], d.__sizeof__(), d.__reduce__(), iter(d.items()).__reduce__(), iter(d).__length_hint__()
        around = []
        f = FrozenDict(a=around)
        around.append(f)
        copy.deepcopy(f), repr(f)
        around.clear()
    for wrong in (1, [1], [([], 1)]):
        try: FrozenDict(wrong)
        except TypeError: pass
    try: hash(FrozenDict(a=[]))
    except TypeError: pass
)";

TEST_F(FrozenDict, LeavesNoReference) {
  const Strong module = run(kUseAll);
  PyObject* use = PyDict_GetItemString(module.get(), "use");
  testing::expect_no_leak([&] {
    EXPECT_TRUE(
        Strong(PyObject_CallOneArg(use, reinterpret_cast<PyObject*>(abi::frozen_dict_type()))));
  });
}

// Each of them fails at every allocation that it makes, and then succeeds.
TEST_F(FrozenDict, WithoutMemory) {
  const Strong dict = evaluate(kManyItems);
  const Strong hashable = frozen("{f'key {i}': i for i in range(20)}");
  const Strong made = new_frozen_dict(dict.get());
  const Strong decimal = run("import decimal; one = decimal.Decimal(1)");
  PyObject* one = PyDict_GetItemString(decimal.get(), "one");
  const auto method = [&](const char* name) {
    return [&made, name] { return Strong(PyObject_CallMethod(made.get(), name, nullptr)); };
  };
  const std::vector<std::function<Strong()>> calls = {
      [&] { return Strong(new_frozen_dict(dict.get())); },
      [&] { return Strong(dict_of(made.get())); },
      [&] { return Strong(PyObject_Repr(made.get())); },
      [&] { return Strong(PyObject_GetIter(made.get())); },
      [&] { return Strong(PyNumber_Or(made.get(), dict.get())); },
      [&] { return Strong(PyNumber_Or(dict.get(), made.get())); },
      [&] { return Strong(PyObject_GetItem(made.get(), one)); },
      [&] { return PyObject_Hash(hashable.get()) == -1 ? Strong() : Strong(Py_NewRef(Py_None)); },
      method("items"),
      method("keys"),
      method("__reversed__"),
      method("__reduce__"),
      [&] {
        return Strong(
            PySequence_List(Strong(PyObject_CallMethod(made.get(), "items", nullptr)).get()));
      },
  };
  for (size_t i = 0; i < calls.size(); ++i) {
    int failed = 0;
    for (long n = 0;; ++n) {
      ASSERT_LT(n, 10'000);
      bool done;
      {
        const FailingMemory failing(n);
        done = static_cast<bool>(calls[i]());
      }
      if (done) break;
      ASSERT_EQ(take_error(), "MemoryError") << "call " << i << ", allocation " << n;
      ++failed;
    }
    EXPECT_GT(failed, 0) << "call " << i;
  }
}

TEST_F(FrozenDict, FallbackThatTheCollectorEmptied) {
  const Strong made = frozen("{**{str(i): i for i in range(50)}, int: 'type'}");
  const Strong missing = evaluate("'x'");
  PyObject* key = reinterpret_cast<PyObject*>(&PyLong_Type);
  EXPECT_EQ(find(made.get(), key), 50);
  EXPECT_EQ(find(made.get(), missing.get()), kNotFound);
  PyDict_Clear(abi::as_frozen_dict(made.get())->fallback);
  EXPECT_EQ(find(made.get(), key), 50);
  EXPECT_EQ(find(made.get(), missing.get()), kNotFound);
}

TEST_F(FrozenDict, InImages) {
  const Strong original = frozen(kManyItems);
  InImage image(original.get());
  const std::vector<std::byte> before = image.bytes();
  EXPECT_TRUE(equal(image.get(), original.get()));
  EXPECT_EQ(repr(image.get()), repr(original.get()));
  EXPECT_EQ(find(image.get(), evaluate("'key 7'").get()), 7);
  const Strong decimal = run("import decimal; one, two = decimal.Decimal(1), decimal.Decimal(2)");
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(find(image.get(), PyDict_GetItemString(decimal.get(), "one")), 100);
    EXPECT_EQ(find(image.get(), PyDict_GetItemString(decimal.get(), "two")), kNotFound);
  }
  // Nothing of that is kept in the object.
  EXPECT_EQ(image.bytes(), before);
  EXPECT_EQ(PyObject_Hash(image.get()), -1);
  EXPECT_EQ(take_error(), "TypeError");
}

TEST_F(FrozenDict, InImagesThatInterpretersShare) {
  // Refers to nothing that belongs to an interpreter.
  const Strong original = frozen("{**dict.fromkeys(range(200)), int: True}");
  InImage image(original.get());
  const auto look = [&] {
    EXPECT_TRUE(ready_frozen_dict());
    EXPECT_EQ(find(image.get(), reinterpret_cast<PyObject*>(&PyLong_Type)), 200);
    EXPECT_EQ(find(image.get(), reinterpret_cast<PyObject*>(&PyUnicode_Type)), kNotFound);
    const Strong decimal = run("import decimal; seven = decimal.Decimal(7)");
    EXPECT_EQ(find(image.get(), PyDict_GetItemString(decimal.get(), "seven")), 7);
    EXPECT_EQ(Strong(PySequence_List(image.get())) ? 201 : 0, PyObject_Size(image.get()));
  };
  look();
  for (const testing::Gil gil : {testing::Gil::kShared, testing::Gil::kOwn}) {
    testing::Subinterpreter other(gil);
    other.run(look);
  }
  look();
}

TEST_F(FrozenDict, ReadByManyThreads) {
  const Strong made = frozen("{**{i: str(i) for i in range(1000)}, int: 'type'}");
  std::vector<std::thread> threads;
  PyThreadState* state = PyEval_SaveThread();
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const PyGILState_STATE gil = PyGILState_Ensure();
      for (int turn = 0; turn < 200; ++turn) {
        EXPECT_EQ(find(made.get(), reinterpret_cast<PyObject*>(&PyLong_Type)), 1000);
        EXPECT_EQ(find(made.get(), reinterpret_cast<PyObject*>(&PyList_Type)), kNotFound);
        EXPECT_NE(PyObject_Hash(made.get()), -1);
        EXPECT_TRUE(Strong(PySequence_List(made.get())));
      }
      PyGILState_Release(gil);
    });
  }
  for (std::thread& thread : threads) thread.join();
  PyEval_RestoreThread(state);
}

}  // namespace
}  // namespace tenure::graph
