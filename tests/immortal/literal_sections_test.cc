// Where literals land: compiled position-independent and linked as such, and compiled and linked at
// fixed addresses.

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/literal_layout.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/literal.h"

namespace tenure {
namespace {

using literal::object;

enum class Place {
  kNowhere,
  kReadOnly,   // as the file has it: .rodata
  kRelocated,  // written by the dynamic linker, then read-only: .data.rel.ro
  kWritable,   // .data
};

// Of an address in this program, by its program headers.
Place place_of(const void* object) {
  struct Search {
    uintptr_t address;
    Place place = Place::kNowhere;
  } search{reinterpret_cast<uintptr_t>(object)};
  const auto look = [](dl_phdr_info* info, size_t, void* data) {
    auto& found = *static_cast<Search*>(data);
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const ElfW(Phdr) & header = info->dlpi_phdr[i];
      const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
      if (found.address < begin || found.address >= begin + header.p_memsz) continue;
      if (header.p_type == PT_GNU_RELRO) found.place = Place::kRelocated;
      if (header.p_type == PT_LOAD && found.place == Place::kNowhere) {
        found.place = (header.p_flags & PF_W) != 0 ? Place::kWritable : Place::kReadOnly;
      }
    }
    return 1;  // the first is the program
  };
  dl_iterate_phdr(look, &search);
  return search.place;
}

#ifdef __PIC__
constexpr Place kConstant = Place::kRelocated;
#else
constexpr Place kConstant = Place::kReadOnly;
#endif

// Whether the page of an object can be written to in this process now.
bool is_protected(const void* object) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t dash = line.find('-');
    const size_t space = line.find(' ');
    const uintptr_t begin = std::stoul(line, nullptr, 16);
    const uintptr_t end = std::stoul(line.substr(dash + 1), nullptr, 16);
    const auto address = reinterpret_cast<uintptr_t>(object);
    if (address >= begin && address < end) return line[space + 2] != 'w';
  }
  return false;
}

PyObject* constants[] = {
    object<1'000'000>(),
    object<literal::integer("-123456789012345678901234567890")>(),
    object<1.5>(),
    object<literal::complex(1, 2)>(),
};

PyObject* hashed[] = {
    object<literal::str("text")>(),      object<literal::str("\u00e9t\u00e9")>(),
    object<literal::str("10 \u20ac")>(), object<literal::str("\U0001f40d")>(),
    object<literal::bytes("bytes")>(),
};

PyObject* tuples[] = {
    object<literal::tuple<1'000'000, 1.5>>(),
    object<literal::tuple<literal::str("text"), literal::tuple<literal::none, true>>>(),
    object<literal::tuple<1>>(),
};

TEST(LiteralSections, ThePlacesAreTold) {
  static const int read_only = 1;
  static int writable = 1;
  EXPECT_EQ(place_of(&read_only), Place::kReadOnly);
  EXPECT_EQ(place_of(&writable), Place::kWritable);
  EXPECT_EQ(place_of(nullptr), Place::kNowhere);
  EXPECT_TRUE(is_protected(&read_only));
  EXPECT_FALSE(is_protected(&writable));
}

TEST(LiteralSections, WhatIsNeverWrittenIsConstant) {
  for (const PyObject* one : constants) {
    EXPECT_EQ(place_of(one), kConstant);
    EXPECT_TRUE(is_protected(one));
  }
}

TEST(LiteralSections, WhatKeepsItsHashIsWritable) {
  for (const PyObject* one : hashed) {
    EXPECT_EQ(place_of(one), Place::kWritable);
    EXPECT_FALSE(is_protected(one));
  }
}

TEST(LiteralSections, TuplesAreConstantWhereTheyKeepNoHash) {
  for (const PyObject* one : tuples) {
    EXPECT_EQ(place_of(one), abi::kTupleIsWritten ? Place::kWritable : kConstant);
  }
}

TEST(LiteralSections, TheUtf8OfAStrIsReadOnly) {
  for (PyObject* str : {hashed[1], hashed[2], hashed[3]}) {
    EXPECT_EQ(place_of(PyUnicode_AsUTF8(str)), Place::kReadOnly);
  }
}

// The pages are protected: whoever writes to an object ends the program.
TEST(LiteralSections, NothingIsWrittenToConstants) {
  const char* const source = R"(
import copy, decimal, fractions, gc, json, marshal, math, operator, pickle, random, struct
for _ in range(3):
    for x in objects:
        hash(x), repr(x), str(x), bool(x), x == x, x is x, {x: x}[x], [x] * 100, (x,) * 100
        copy.deepcopy(x), pickle.loads(pickle.dumps(x)), marshal.loads(marshal.dumps(x))
        gc.is_tracked(x), gc.get_referrers(x), gc.get_referents(x), gc.collect()
        gc.freeze(), gc.unfreeze(), id(x), type(x), x.__reduce_ex__(4), dir(x), f"{x}"
        [x for _ in range(100)], operator.itemgetter(0)([x]), sorted([1, 2, 3], key=lambda _: 1)
        if isinstance(x, tuple):
            list(x), x + x, x[:1], x * 2, len(x), x < x + x, json.dumps(x[:0]), max([x])
            struct.pack, set(x), dict.fromkeys(x), [*x], zip(x, x), reversed(x), iter(x)
        else:
            x + x, x * x, x - x, -x, x / 3, x ** 2, complex(x), x != 1
            random.Random(x.real)
        if isinstance(x, int):
            x // 3, x % 7, x << 3, x >> 1, x & 7, x.to_bytes(40, "big", signed=True), math.gcd(x, 6)
            decimal.Decimal(x), fractions.Fraction(x, 3), json.dumps(x), range(x)[1:1]
            for i in range(x, x + 300): i + x
)";
  const Strong objects = PyList_New(0);
  for (PyObject* one : constants) PyList_Append(objects.get(), one);
  for (PyObject* one : tuples) PyList_Append(objects.get(), one);
  const Strong globals = PyDict_New();
  PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins());
  PyDict_SetItemString(globals.get(), "objects", objects.get());
  const Strong done = PyRun_String(source, Py_file_input, globals.get(), globals.get());
  if (!done) PyErr_Print();
  EXPECT_TRUE(done);
}

// Also of those that could be written to: whatever else is in them stays as the compiler made it.
TEST(LiteralSections, NothingButTheHashIsEverWritten) {
  // In both types the hash comes after the size.
  constexpr size_t kHash = offsetof(PyASCIIObject, hash) / sizeof(Py_ssize_t);
  const auto words = [](const PyObject* one) {
    std::vector<Py_ssize_t> copy(kHash + 2);
    std::memcpy(copy.data(), one, copy.size() * sizeof(Py_ssize_t));
    return copy;
  };
  PyObject* const fresh[] = {object<literal::str("not hashed yet")>(),
                             object<literal::bytes("not hashed yet")>()};
  for (PyObject* one : fresh) {
    const auto before = words(one);
    ASSERT_EQ(before[kHash], -1);
    const Py_hash_t hash = PyObject_Hash(one);
    PyObject* interned = Py_NewRef(one);
    if (PyUnicode_Check(one)) PyUnicode_InternInPlace(&interned);
    Py_DECREF(interned);
    auto after = words(one);
    EXPECT_EQ(after[kHash], hash);
    after[kHash] = -1;
    EXPECT_EQ(before, after);
  }
}

}  // namespace
}  // namespace tenure
