// Images that are part of a binary: here a file that is mapped as the loader of programs maps one.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/immortal/image/image.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/memory.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::Editor;
using testing::equal;
using testing::evaluate;

constexpr const char* kValue =
    "{'list': [1, 1000, 'a', 'text', '\\u20ac', b'bytes', 2.5], 'dict': {'x': None, 'y': True}}";

std::vector<std::byte> image_of(const std::string& expression, DataGraph::Options options = {}) {
  const Strong roots = evaluate("{'root': " + expression + "}");
  return testing::data_image_of(roots.get(), std::move(options));
}

// What lies mapped in a binary, read-only; unmapped with the scope.
class Section {
 public:
  explicit Section(std::span<const std::byte> bytes, uint64_t address = 0) {
    testing::write_bytes(path_, bytes);
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    void* const wanted = reinterpret_cast<void*>(address);
    const int fixed = address != 0 ? MAP_FIXED_NOREPLACE : 0;
    base_ = mmap(wanted, bytes.size(), PROT_READ, MAP_PRIVATE | fixed, fd, 0);
    close(fd);
    bytes_ = bytes.size();
    EXPECT_NE(base_, MAP_FAILED);
  }
  ~Section() { munmap(base_, bytes_); }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(base_), bytes_};
  }
  const std::string& path() const { return path_; }

 private:
  testing::TemporaryFolder folder_;
  const std::string path_ = folder_ / "binary";
  void* base_ = nullptr;
  size_t bytes_ = 0;
};

// Debug interpreters want every str marked at load.
bool marks_strings() { return abi::identity().debug; }

std::unique_ptr<Image> load(const Section& section) {
  Problem problem;
  auto image = Image::load_linked("sample", section.bytes(), problem);
  EXPECT_NE(image, nullptr) << testing::describe(problem);
  return image;
}

PyObject* root(const Image& image) { return image.root(image.view().roots()[0]); }

// kValue as it comes back.
Strong thawed() {
  return evaluate(
      "{'list': (1, 1000, 'a', 'text', '\\u20ac', b'bytes', 2.5), 'dict': {'x': None, 'y': True}}");
}

// Has hashes written into the objects.
void hash_all(const Image& image) {
  const Strong key = evaluate("'list'");
  const Strong items = PyObject_GetItem(root(image), key.get());
  const Strong set = PyFrozenSet_New(items.get());
  ASSERT_TRUE(set) << testing::take_error();
  EXPECT_TRUE(equal(set.get(), evaluate("{1, 1000, 'a', 'text', '\\u20ac', b'bytes', 2.5}").get()));
}

std::string refusal(const Section& section) {
  Problem problem;
  return Image::load_linked("sample", section.bytes(), problem) ? "" : testing::describe(problem);
}

TEST(LinkedImage, IsMappedOnceMoreWhereItWasMadeFor) {
  const std::vector<std::byte> bytes = image_of(kValue);
  const Section section(bytes);
  const auto image = load(section);
  EXPECT_EQ(reinterpret_cast<uint64_t>(image->mapping().base()),
            Editor(bytes).header().preferred_base);
  EXPECT_NE(image->mapping().base(), section.bytes().data());
  EXPECT_TRUE(image->is_prelinked());
  EXPECT_EQ(image->stats().slots_relocated, 0u);
  EXPECT_EQ(testing::area_of(image->mapping().base()).own_bytes != 0, marks_strings())
      << "nothing is copied";
  EXPECT_TRUE(equal(root(*image), thawed().get()));
  hash_all(*image);
  EXPECT_EQ(std::memcmp(section.bytes().data(), bytes.data(), bytes.size()), 0)
      << "what is written is written to the second mapping";
}

TEST(LinkedImage, IsRelocatedWhereThatIsTaken) {
  const std::vector<std::byte> bytes = image_of(kValue);
  const Section section(bytes);
  const auto first = load(section);
  const auto second = load(section);
  EXPECT_NE(first->mapping().base(), second->mapping().base());
  EXPECT_FALSE(second->is_prelinked());
  EXPECT_NE(second->stats().slots_relocated, 0u);
  EXPECT_TRUE(equal(root(*first), root(*second)));
}

TEST(LinkedImage, IsThatOfTheRunningBinaryWhateverBecameOfItsFile) {
  const std::vector<std::byte> bytes = image_of(kValue);
  const Section section(bytes);
  // As installers do it: another file of the same name.
  ASSERT_EQ(unlink(section.path().c_str()), 0);
  std::vector<std::byte> other = bytes;
  std::ranges::fill(std::span(other).subspan(kPageBytes), std::byte{0x5a});
  testing::write_bytes(section.path(), other);
  const auto image = load(section);
  EXPECT_TRUE(image->is_prelinked());
  EXPECT_TRUE(equal(root(*image), thawed().get()));
}

TEST(LinkedImage, OfAnotherBuildIsRelocated) {
  Editor editor(image_of(kValue));
  editor.binding().witness ^= 1;
  for (ExternalEntry& external : editor.table<ExternalEntry>(Kind::kExternals)) {
    if ((external.flags & kFixed) != 0) external.address += 0x1000;
  }
  const Section section(editor.file());
  const auto image = load(section);
  EXPECT_FALSE(image->is_prelinked());
  EXPECT_NE(image->stats().slots_relocated, 0u);
  EXPECT_TRUE(equal(root(*image), thawed().get()));
}

TEST(LinkedImage, IsUsedWhereItLiesIfItWasLinkedForThatPlace) {
  const std::vector<std::byte> bytes = image_of(kValue);
  const uint64_t home = Editor(bytes).header().preferred_base;
  const Section section(bytes, home);
  const auto image = load(section);
  EXPECT_EQ(image->mapping().base(), section.bytes().data());
  EXPECT_TRUE(image->is_prelinked());
  EXPECT_EQ(testing::area_of(section.bytes().data() + kPageBytes).own_bytes != 0, marks_strings());
  EXPECT_TRUE(equal(root(*image), thawed().get()));
  hash_all(*image);
}

// The binding is that of whoever has frozen it.
TEST(LinkedImage, InPlaceNeedsNoRelocationIfTheLinkerKnewAllAddresses) {
  Editor editor(image_of(kValue));
  editor.binding().witness ^= 1;
  const Section section(editor.file(), editor.header().preferred_base);
  const auto image = load(section);
  EXPECT_TRUE(image->is_prelinked());
  EXPECT_EQ(image->stats().slots_relocated, 0u);
}

TEST(LinkedImage, InPlaceOfAnotherBuildIsRelocatedInPlace) {
  Editor editor(image_of(kValue));
  editor.binding().witness ^= 1;
  for (ExternalEntry& external : editor.table<ExternalEntry>(Kind::kExternals)) {
    if ((external.flags & kFixed) != 0) external.address += 0x1000;
  }
  const Section section(editor.file(), editor.header().preferred_base);
  // Two interpreters may come to it at once.
  const auto first = load(section);
  const auto second = load(section);
  EXPECT_EQ(first->mapping().base(), section.bytes().data());
  EXPECT_EQ(second->mapping().base(), section.bytes().data());
  EXPECT_TRUE(equal(root(*second), thawed().get()));
}

TEST(LinkedImage, MakesWhatIsMadeAnewForEach) {
  const Section section(image_of("[1, {'x': [2]}]", testing::keep_all()));
  const auto first = load(section);
  const auto second = load(section);
  EXPECT_NE(root(*first), root(*second));
  EXPECT_EQ(PyList_Append(root(*first), Py_None), 0);
  EXPECT_EQ(testing::repr(root(*first)), "[1, {'x': [2]}, None]");
  EXPECT_EQ(testing::repr(root(*second)), "[1, {'x': [2]}]");
}

TEST(LinkedImage, IsRefusedWithTheReason) {
  const std::vector<std::byte> bytes = image_of(kValue);
  auto changed = [&bytes](const std::function<void(Editor&)>& change) {
    Editor editor(bytes);
    change(editor);
    const Section section(editor.file());
    return refusal(section);
  };
  EXPECT_EQ(changed([](Editor&) {}), "");
  EXPECT_EQ(changed([](Editor& e) {
              e.binding().python_version = 0x030c01f0;
            }).find("header was made by CPython 3.12.1, this is CPython 3."),
            0u);
  EXPECT_EQ(changed([](Editor& e) {
              ++e.binding().layout_fingerprint;
            }).find("header was made by CPython 3."),
            0u);
  EXPECT_EQ(changed([](Editor& e) { ++e.binding().optimization; }), "") << "it has no code";
  EXPECT_EQ(changed([](Editor& e) { e.header().magic[0] = 'X'; }),
            "header is not that of a Tenure image");
  EXPECT_EQ(changed([](Editor& e) {
              e.file().resize(e.file().size() - kPageBytes);
            }).find("file is truncated"),
            0u);
  if (abi::can_copy_code()) {
    const Section code(testing::image_of({{"sample", "x = 1000\n"}}));
    EXPECT_EQ(refusal(code),
              "header holds modules, and only data can be linked in; load it as a file");
  }
  const std::vector<std::byte> lists = image_of("[1]", testing::keep_all());
  const Section kept(lists, Editor(lists).header().preferred_base);
  EXPECT_EQ(refusal(kept),
            "header is for one place, and has objects that each interpreter makes anew");
}

}  // namespace
}  // namespace tenure::image
