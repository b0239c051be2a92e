#include "tenure/immortal/image/image.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/immortal.h"
#include "tenure/immortal/image/verify.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::code_in;
using testing::describe;
using testing::Editor;
using testing::evaluate;
using testing::image_of;
using testing::load_bytes;
using testing::load_good;
using testing::sample_sources;

// An image of content that no other has: its preferred address is free.
std::vector<std::byte> new_image() {
  static int number = 0;
  auto sources = sample_sources();
  sources.push_back({"unique", "number = " + std::to_string(1'000'000 + ++number) + "\n"});
  return image_of(sources);
}

std::unique_ptr<Image> load_moved(const std::vector<std::byte>& file) {
  static std::vector<std::unique_ptr<Image>> in_the_way;
  in_the_way.push_back(load_good(file));
  return load_good(file);
}

// Runs the sample's modules, and checks what they do.
void expect_works(Image& image) {
  const Strong first = testing::execute(code_in(image, "first"));
  const Strong names = testing::execute(code_in(image, "second.part"));
  PyDict_Merge(names.get(), first.get(), 1);
  const Strong result = PyRun_String(R"((
      numbers == (0, 1, 255, 257, -6, 10 ** 30, -(10 ** 25), 0.5, -0.0, 0.0, 2.5j, True, None, ...)
      and repr(numbers[8:10]) == '(-0.0, 0.0)'
      and texts == ('', 'a', 'identifier', 'not an identifier', '\xe9t\xe9', '\u20ac uro',
                    '\U0001f40d')
      and raw == (b'', b'x', b'some bytes', b'\0' * 100)
      and nested == ((), ((1000, (2000, (3000,))), 'shared text of both'))
      and [member(x) for x in ('red', 77777, 'pink', None)] == [True, True, False, False]
      and slices(list(range(3000)))[:2] == [10, 13]
      and Sample().method(1, 2) == [987654321, 1975308642]
      and (lambda step: (step(5), step(7)))(closure(100)) == (105, 112)
      and shared(1) == (1, 'shared text of both', 10 ** 30, 123456.789, b'some bytes')
      and [total(n) for n in (0, 10, 5000)] == [0, 45, 12497500]))",
                                     Py_eval_input, names.get(), names.get());
  if (!result) PyErr_Print();
  EXPECT_EQ(result.get(), Py_True);
}

TEST(Image, IsUsedAsItIsAtItsAddress) {
  const auto file = new_image();
  auto image = load_good(file);
  EXPECT_TRUE(image->is_prelinked());
  EXPECT_EQ(reinterpret_cast<uint64_t>(image->mapping().base()),
            image->view().header().preferred_base);
  expect_works(*image);
  EXPECT_EQ(image->stats().slots_relocated, 0u);
  EXPECT_EQ(image->first_code_version(), image->view().header().first_code_version);
}

TEST(Image, IsRelocatedWhenItsAddressIsTaken) {
  const auto file = new_image();
  auto image = load_moved(file);
  EXPECT_FALSE(image->is_prelinked());
  EXPECT_NE(reinterpret_cast<uint64_t>(image->mapping().base()),
            image->view().header().preferred_base);
  expect_works(*image);
  EXPECT_GT(image->stats().slots_relocated, 100u);
  Verified verified;
  Problem problem;
  EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
}

// What another build of the same version would find: no address of the interpreter holds.
TEST(Image, FindsTheInterpretersObjectsByTheirPaths) {
  Editor editor(new_image());
  editor.binding().build_id[0] ^= 0xff;
  for (ExternalEntry& external : editor.table<ExternalEntry>(Kind::kExternals)) {
    external.address ^= 0x1000;
  }
  editor.fix();
  auto image = load_good(editor.file());
  EXPECT_FALSE(image->is_prelinked());
  expect_works(*image);
  Verified verified;
  Problem problem;
  EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
}

TEST(Image, OfAnotherInterpreterIsNotPrelinked) {
  for (int what = 0; what < 4; ++what) {
    Editor editor(new_image());
    if (what == 0) editor.binding().load_bias += kPageBytes;
    if (what == 1) editor.binding().witness ^= 1;
    if (what == 2) editor.binding().build_id_bytes = 0;
    if (what == 3) editor.binding().python_version ^= 0x100;
    editor.fix();
    auto image = load_good(editor.file());
    EXPECT_FALSE(image->is_prelinked()) << what;
    expect_works(*image);
  }
}

TEST(Image, PreparesWhatIsAskedForAndNoMore) {
  auto image = load_good(new_image());
  EXPECT_EQ(image->stats().groups_prepared, 0u);
  const uint32_t first = image->view().find_module("first")->group;
  const uint32_t second = image->view().find_module("second.part")->group;
  Problem problem;
  ASSERT_TRUE(image->prepare(first, problem));
  EXPECT_TRUE(image->is_prepared(first));
  EXPECT_TRUE(image->is_prepared(kCommonGroup)) << "what it shares with others comes before it";
  EXPECT_FALSE(image->is_prepared(second));
  EXPECT_EQ(image->stats().groups_prepared, 2u);
}

TEST(Image, PreparesEachGroupOnce) {
  for (const bool moved : {false, true}) {
    const auto file = new_image();
    auto image = moved ? load_moved(file) : load_good(file);
    Problem problem;
    ASSERT_TRUE(image->prepare_all(problem));
    const Image::Stats stats = image->stats();
    const std::vector<std::byte> before(image->mapping().bytes().begin(),
                                        image->mapping().bytes().end());
    ASSERT_TRUE(image->prepare_all(problem));
    EXPECT_EQ(std::memcmp(&stats, &image->stats(), sizeof stats), 0);
    EXPECT_TRUE(std::equal(before.begin(), before.end(), image->mapping().bytes().begin()));
  }
}

TEST(Image, ChecksEverythingAtOnceIfAsked) {
  const auto good = new_image();
  Problem problem;
  auto image = load_bytes(good, problem, Check::kFull);
  ASSERT_NE(image, nullptr) << describe(problem);
  expect_works(*image);
  Editor editor(good);
  const ExtentEntry extent = editor.extent(editor.group_of("second.part"), Kind::kCodeSegment);
  *editor.at<char>(extent.offset + 100) ^= 1;
  EXPECT_EQ(load_bytes(editor.file(), problem, Check::kFull), nullptr);
  EXPECT_EQ(describe(problem).find("module 'second.part' is damaged in the code segment"), 0u);
  EXPECT_NE(load_bytes(editor.file(), problem, Check::kLazy), nullptr);
}

TEST(Image, RefusesADamagedGroupForGoodAndServesTheOthers) {
  Editor editor(new_image());
  const uint32_t second = editor.group_of("second.part");
  *editor.at<char>(editor.extent(second, Kind::kCodeSegment).offset + 100) ^= 1;
  auto image = load_good(editor.file());
  Problem problem;
  EXPECT_FALSE(image->prepare(second, problem));
  const std::string why = describe(problem);
  EXPECT_EQ(why.find("module 'second.part' is damaged in the code segment"), 0u) << why;
  // Even if the bytes were right by now.
  *reinterpret_cast<char*>(image->mapping().base() +
                           editor.extent(second, Kind::kCodeSegment).offset + 100) ^= 1;
  Problem again;
  EXPECT_FALSE(image->prepare(second, again));
  EXPECT_EQ(describe(again), why);
  EXPECT_FALSE(image->prepare_all(again));
  EXPECT_FALSE(image->is_prepared(second));
  const Strong names = testing::execute(code_in(*image, "first"));
  EXPECT_NE(PyDict_GetItemString(names.get(), "Sample"), nullptr);
}

TEST(Image, WithADamagedCommonGroupServesNobody) {
  Editor editor(new_image());
  *editor.at<char>(editor.extent(kCommonGroup, Kind::kConstSegment).offset + 50) ^= 1;
  auto image = load_good(editor.file());
  for (uint32_t group = 0; group < image->view().groups().size(); ++group) {
    Problem problem;
    EXPECT_FALSE(image->prepare(group, problem));
    EXPECT_EQ(describe(problem).find("common group is damaged in the const segment"), 0u);
  }
}

TEST(Image, SharesItsStringsWithTheInterpreter) {
  const Strong known = evaluate("sys.intern('known_before_' + 'the_image')");
  auto image = load_good(image_of(
      {{"sample",
        "known_before_the_image = 1\ndef f(only_in_the_image): return known_before_the_image\n"}}));
  const Strong names = testing::execute(code_in(*image, "sample"));
  EXPECT_GE(image->stats().strings_replaced, 1u);
  EXPECT_GE(image->stats().strings_interned, 1u);
  EXPECT_GE(image->stats().slots_replaced, 1u);
  const auto substitutes = image->substitutes();
  EXPECT_NE(std::find(substitutes.begin(), substitutes.end(), known.get()), substitutes.end());
  EXPECT_TRUE(abi::is_immortal(known.get()));
  const Strong code = testing::attribute(PyDict_GetItemString(names.get(), "f"), "__code__");
  const Strong globals = testing::attribute(code.get(), "co_names");
  EXPECT_EQ(PyTuple_GET_ITEM(globals.get(), 0), known.get());
  // And the other way round: what the image brought is what others get.
  const Strong variables = testing::attribute(code.get(), "co_varnames");
  const Strong later = evaluate("sys.intern('only_in_' + 'the_image')");
  EXPECT_EQ(PyTuple_GET_ITEM(variables.get(), 0), later.get());
}

TEST(Image, RebuildsSetsAndSlices) {
  auto image =
      load_good(image_of({{"sample", "def f(x): return x in {'red', 'green', 10 ** 9}\n"}}));
  const Strong names = testing::execute(code_in(*image, "sample"));
  EXPECT_EQ(image->stats().objects_rebuilt, 1u);
  bool found = false;
  for (PyObject* object : image->substitutes()) {
    if (!PyFrozenSet_CheckExact(object)) continue;
    found = true;
    EXPECT_TRUE(abi::is_immortal(object));
    EXPECT_FALSE(PyObject_GC_IsTracked(object));
    const Strong expected = evaluate("frozenset({'red', 'green', 10 ** 9})");
    EXPECT_TRUE(testing::equal(object, expected.get()));
  }
  EXPECT_TRUE(found);
}

std::set<uint32_t> versions_of(Image& image) {
  std::set<uint32_t> versions;
  for (const ModuleEntry& module : image.view().modules()) {
    versions.insert(abi::code_version(code_in(image, std::string(image.view().text(module.name)))));
  }
  return versions;
}

TEST(Image, SharesNoCodeVersionWithAnother) {
  const auto file = new_image();
  auto first = load_good(file);
  auto second = load_good(file);
  auto third = load_good(file);
  std::set<uint32_t> all;
  size_t count = 0;
  for (Image* image : {first.get(), second.get(), third.get()}) {
    const auto versions = versions_of(*image);
    count += versions.size();
    all.insert(versions.begin(), versions.end());
    for (uint32_t version : versions) {
      EXPECT_GE(version - image->first_code_version(), 0u);
      EXPECT_LT(version - image->first_code_version(), image->view().header().code_version_count);
    }
    Verified verified;
    Problem problem;
    EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
  }
  EXPECT_EQ(all.size(), count);
}

// Only the versions are taken: the image is where it wants to be, but not as it is.
TEST(Image, MovesItsCodeVersionsWhenOthersHaveThem) {
  const auto file = new_image();
  auto in_the_way = load_good(file);
  Editor editor(new_image());
  editor.header().first_code_version = in_the_way->first_code_version();
  editor.fix();
  auto image = load_good(editor.file());
  EXPECT_NE(image->first_code_version(), in_the_way->first_code_version());
  EXPECT_EQ(reinterpret_cast<uint64_t>(image->mapping().base()),
            image->view().header().preferred_base);
  expect_works(*image);
}

TEST(Image, LeavesNothingBehindWhenItIsRefused) {
  const auto good = new_image();
  Editor editor(good);
  // Everything is right until the very last step: an external of no interpreter.
  editor.binding().witness ^= 1;
  const auto program = editor.table<uint8_t>(Kind::kPrograms);
  program[1] = 0x7f;
  editor.fix();
  for (int i = 0; i < 3; ++i) {
    Problem problem;
    EXPECT_EQ(load_bytes(editor.file(), problem), nullptr);
    EXPECT_EQ(describe(problem).find("external 0 names an object"), 0u) << describe(problem);
  }
  auto image = load_good(good);
  EXPECT_TRUE(image->is_prelinked()) << "address and versions are free";
  EXPECT_EQ(image->first_code_version(), image->view().header().first_code_version);
}

TEST(Image, IsRefusedForAnotherVersionOfPython) {
  Editor editor(new_image());
  editor.binding().python_version = 0x030b01f0;
  editor.fix();
  Problem problem;
  EXPECT_EQ(load_bytes(editor.file(), problem), nullptr);
  EXPECT_EQ(describe(problem).find("header was made by CPython 3.11.1, this is CPython 3."), 0u);
}

TEST(Image, IsRefusedWithTheErrorWhenMemoryRunsOut) {
  Editor editor(new_image());
  editor.binding().witness ^= 1;
  editor.fix();
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder / "image", editor.file());
  Problem problem;
  std::unique_ptr<Image> image;
  {
    const testing::FailingMemory none(0);
    image = Image::load(folder / "image", Check::kLazy, problem);
  }
  if (image == nullptr) {
    EXPECT_TRUE(problem.python_error) << describe(problem);
    EXPECT_EQ(testing::take_error(), "MemoryError");
  }
}

TEST(Image, CanBeTriedAgainWhenMemoryRanOut) {
  for (long allocations = 0; allocations < 40; ++allocations) {
    auto image = load_good(new_image());
    const uint32_t first = image->view().find_module("first")->group;
    Problem problem;
    bool done;
    {
      const testing::FailingMemory failing(allocations);
      done = image->prepare(first, problem);
    }
    if (!done) {
      EXPECT_TRUE(problem.python_error);
      EXPECT_EQ(testing::take_error(), "MemoryError") << allocations;
    }
    expect_works(*image);
    Verified verified;
    EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
    if (done) return;
  }
  FAIL() << "preparing allocates more than was expected";
}

TEST(Image, OutlivesItsHandle) {
  PyObject* code;
  {
    auto image = load_good(new_image());
    code = code_in(*image, "first");
  }
  const Strong names = testing::execute(code);
  EXPECT_NE(PyDict_GetItemString(names.get(), "Sample"), nullptr);
}

// The code is still there, so its versions must not become those of others.
TEST(Image, KeepsTheVersionsOfCodeThatOutlivesIt) {
  const auto file = new_image();
  std::set<uint32_t> before;
  {
    auto image = load_good(file);
    before = versions_of(*image);
  }
  auto image = load_good(file);
  for (uint32_t version : versions_of(*image)) EXPECT_FALSE(before.contains(version)) << version;
}

TEST(Image, GivesBackVersionsThatNoCodeHas) {
  const auto file = new_image();
  const uint32_t first = load_good(file)->first_code_version();
  EXPECT_EQ(load_good(file)->first_code_version(), first);
}

TEST(Image, OutlivesItsFile) {
  // load_good() removes the file before this looks at anything.
  auto image = load_good(new_image());
  expect_works(*image);
}

TEST(Image, LetsTheInterpreterEndAndBeginAgain) {
  EXPECT_EXIT(
      {
        const auto file = new_image();
        {
          auto image = load_good(file);
          expect_works(*image);
          auto moved = load_good(file);
          expect_works(*moved);
          if (Py_FinalizeEx() != 0) _exit(1);
        }
        testing::start_python();
        {
          auto image = load_good(file);
          expect_works(*image);
          if (Py_FinalizeEx() != 0) _exit(2);
        }
        _exit(::testing::Test::HasFailure() ? 3 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(Image, LeaksNoReferences) {
  auto image = load_good(new_image());
  testing::expect_no_leak([&image] { expect_works(*image); });
}

}  // namespace
}  // namespace tenure::image
