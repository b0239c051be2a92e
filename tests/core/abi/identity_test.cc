#include "tenure/core/abi/identity.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/shape.h"
#include "tenure/tests/support/python.h"

namespace tenure::abi {
namespace {

// A line of /proc/self/maps.
struct Mapped {
  uint64_t begin;
  uint64_t end;
  std::string path;
};

std::vector<Mapped> mapped_files() {
  std::vector<Mapped> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream in(line);
    Mapped one{};
    char dash;
    std::string ignored;
    in >> std::hex >> one.begin >> dash >> one.end >> ignored >> ignored >> ignored >> ignored >>
        one.path;
    found.push_back(one);
  }
  return found;
}

std::string file_at(const void* address) {
  for (const Mapped& one : mapped_files()) {
    const auto at = reinterpret_cast<uint64_t>(address);
    if (at >= one.begin && at < one.end) return one.path;
  }
  return "";
}

TEST(Identity, IsComputedOnce) { EXPECT_EQ(&identity(), &identity()); }

TEST(Identity, NamesTheRunningInterpreter) {
  const Strong hexversion = testing::evaluate("sys.hexversion");
  EXPECT_EQ(identity().python_version, PyLong_AsUnsignedLong(hexversion.get()));
  const Strong debug = testing::evaluate("hasattr(sys, 'gettotalrefcount')");
  EXPECT_EQ(identity().debug, debug.get() == Py_True);
  const Strong free_threaded =
      testing::evaluate("__import__('sysconfig').get_config_var('Py_GIL_DISABLED') == 1");
  EXPECT_EQ(identity().free_threaded, free_threaded.get() == Py_True);
  EXPECT_EQ(identity().layout_fingerprint, layout_fingerprint());
}

TEST(Identity, HasTheMagicNumberOfPycFiles) {
  const Strong magic = testing::evaluate(
      "int.from_bytes(__import__('_imp').pyc_magic_number_token.to_bytes(4, 'little'), 'little')"
      " if hasattr(__import__('_imp'), 'pyc_magic_number_token') else int.from_bytes("
      "__import__('_frozen_importlib_external').MAGIC_NUMBER, 'little')");
  EXPECT_EQ(identity().bytecode_magic, PyLong_AsUnsignedLong(magic.get()));
}

TEST(Identity, KnowsTheBinaryOfTheStaticObjects) {
  const Identity& self = identity();
  EXPECT_EQ(self.load_bias % 4096, 0u);
  EXPECT_LT(self.binary_begin, self.binary_end);
  const void* const statics[] = {&PyUnicode_Type, &PyCode_Type,
                                 Py_None,         Py_True,
                                 Py_Ellipsis,     reinterpret_cast<const void*>(&PyUnicode_New)};
  for (const void* object : statics) {
    const auto address = reinterpret_cast<uint64_t>(object);
    EXPECT_GE(address, self.binary_begin);
    EXPECT_LT(address, self.binary_end);
  }
  const int local = 0;
  const auto heap = std::make_unique<int>();
  for (const int* address : {&local, static_cast<const int*>(heap.get())}) {
    const auto at = reinterpret_cast<uint64_t>(address);
    EXPECT_TRUE(at < self.binary_begin || at >= self.binary_end);
  }
}

// The kernel's view of the same: all of the binary's segments lie in it, and nothing but them.
TEST(Identity, SpansTheWholeBinary) {
  const Identity& self = identity();
  const std::string path = file_at(&PyUnicode_Type);
  uint64_t first = ~uint64_t{0};
  uint64_t last = 0;
  for (const Mapped& one : mapped_files()) {
    if (one.path != path) continue;
    first = std::min(first, one.begin);
    last = std::max(last, one.end);
  }
  EXPECT_EQ(self.binary_begin, first);
  // Zeroed memory at the end has no file behind it, so the kernel names less.
  EXPECT_GT(self.binary_end + 4096, last);
}

TEST(Identity, HasTheBuildIdThatIsInTheFile) {
  const Identity& self = identity();
  ASSERT_GT(self.build_id_bytes, 0u);
  ASSERT_LE(self.build_id_bytes, self.build_id.size());
  // A note: sizes of name and content, the type of build ids, the name, the content.
  std::string note("\4\0\0\0", 4);
  note += static_cast<char>(self.build_id_bytes);
  note += std::string("\0\0\0\3\0\0\0GNU\0", 11);
  note.append(reinterpret_cast<const char*>(self.build_id.data()), self.build_id_bytes);
  std::ifstream in(file_at(&PyUnicode_Type), std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  EXPECT_NE(content.str().find(note), std::string::npos);
}

TEST(Identity, FitsTheWitnessToThisProcess) {
  // Addresses differ between processes of a shared library, and the witness with them.
  EXPECT_NE(identity().witness, 0u);
  EXPECT_NE(identity().witness, 0xcbf29ce484222325u);
}

TEST(VersionText, IsHowPeopleWriteVersions) {
  EXPECT_EQ(version_text(0x030e08f0), "3.14.8");
  EXPECT_EQ(version_text(0x030d0ff0), "3.13.15");
  EXPECT_EQ(version_text(0x030f00a1), "3.15.0");
  const Strong own = testing::evaluate("'%d.%d.%d' % sys.version_info[:3]");
  EXPECT_EQ(version_text(identity().python_version), PyUnicode_AsUTF8(own.get()));
}

}  // namespace
}  // namespace tenure::abi
