#include "tenure/immortal/image/mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/immortal/image/format.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::Editor;
using testing::TemporaryFolder;

// True if something is mapped there.
bool is_mapped(uint64_t address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream in(line);
    uint64_t begin = 0;
    uint64_t end = 0;
    char dash = 0;
    in >> std::hex >> begin >> dash >> end;
    if (address >= begin && address < end) return true;
  }
  return false;
}

class MappingTest : public ::testing::Test {
 protected:
  MappingTest() : bytes_(testing::data_image_of(testing::evaluate("{'x': 1000}").get())) {
    testing::write_bytes(path_, bytes_);
  }

  uint64_t preferred() { return Editor(bytes_).header().preferred_base; }

  TemporaryFolder folder_;
  std::vector<std::byte> bytes_;
  std::string path_ = folder_ / "sample.tenure";
  Problem problem_;
};

TEST_F(MappingTest, GoesToThePreferredAddress) {
  Mapping mapping;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem_)) << testing::describe(problem_);
  EXPECT_EQ(reinterpret_cast<uint64_t>(mapping.base()), preferred());
  ASSERT_EQ(mapping.bytes().size(), bytes_.size());
  EXPECT_EQ(std::memcmp(mapping.base(), bytes_.data(), bytes_.size()), 0);
}

TEST_F(MappingTest, GoesElsewhereIfThatIsTaken) {
  Mapping first;
  Mapping second;
  ASSERT_TRUE(Mapping::map(path_, first, problem_));
  ASSERT_TRUE(Mapping::map(path_, second, problem_));
  EXPECT_NE(first.base(), second.base());
  EXPECT_EQ(reinterpret_cast<uint64_t>(second.base()) % kPageBytes, 0u);
  EXPECT_EQ(std::memcmp(second.base(), bytes_.data(), bytes_.size()), 0);
}

// One page in the way is enough: nobody's memory is ever replaced.
TEST_F(MappingTest, ReplacesNothing) {
  const uint64_t last = preferred() + bytes_.size() - kPageBytes;
  void* other = mmap(reinterpret_cast<void*>(last), kPageBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(reinterpret_cast<uint64_t>(other), last);
  std::memset(other, 0x5a, kPageBytes);
  Mapping mapping;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
  EXPECT_NE(reinterpret_cast<uint64_t>(mapping.base()), preferred());
  EXPECT_EQ(static_cast<const char*>(other)[0], 0x5a);
  munmap(other, kPageBytes);
}

TEST_F(MappingTest, WritesReachNobodyElse) {
  Mapping first;
  Mapping second;
  ASSERT_TRUE(Mapping::map(path_, first, problem_));
  ASSERT_TRUE(Mapping::map(path_, second, problem_));
  first.base()[kPageBytes] ^= std::byte{0xff};
  EXPECT_EQ(second.base()[kPageBytes], bytes_[kPageBytes]);
  EXPECT_EQ(testing::read_bytes(path_), bytes_);
}

TEST_F(MappingTest, EndsWithItsOwner) {
  {
    Mapping mapping;
    ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
    EXPECT_TRUE(is_mapped(preferred()));
  }
  EXPECT_FALSE(is_mapped(preferred()));
}

TEST_F(MappingTest, StaysIfItIsToStay) {
  const uint64_t base = preferred();
  {
    Mapping mapping;
    ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
    mapping.keep_for_ever();
  }
  EXPECT_TRUE(is_mapped(base));
  munmap(reinterpret_cast<void*>(base), bytes_.size());
}

TEST_F(MappingTest, MovesWithItsOwner) {
  Mapping mapping;
  {
    Mapping first;
    ASSERT_TRUE(Mapping::map(path_, first, problem_));
    mapping = std::move(first);
  }
  EXPECT_TRUE(is_mapped(preferred()));
  const Mapping moved(std::move(mapping));
  EXPECT_EQ(reinterpret_cast<uint64_t>(moved.base()), preferred());
  EXPECT_EQ(mapping.base(), nullptr);  // NOLINT(bugprone-use-after-move): that is what is tested
}

TEST_F(MappingTest, OutlivesTheNameOfItsFile) {
  Mapping mapping;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
  unlink(path_.c_str());
  EXPECT_EQ(std::memcmp(mapping.base(), bytes_.data(), bytes_.size()), 0);
}

TEST_F(MappingTest, ExpectingWritesChangesNoByte) {
  Mapping mapping;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
  for (uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{5000}, bytes_.size() - 1}) {
    for (uint64_t count : {uint64_t{0}, uint64_t{1}, uint64_t{9000}, uint64_t{bytes_.size()}}) {
      mapping.expect_writes(offset, std::min<uint64_t>(count, bytes_.size() - offset));
    }
  }
  EXPECT_EQ(std::memcmp(mapping.base(), bytes_.data(), bytes_.size()), 0);
}

TEST_F(MappingTest, SaysWhyAFileCannotBeOpened) {
  Mapping mapping;
  EXPECT_FALSE(Mapping::map(folder_ / "absent", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file cannot be opened: No such file or directory");
  EXPECT_FALSE(Mapping::map(folder_.path(), mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file is not a regular file");
  EXPECT_FALSE(Mapping::map("/dev/null", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file is not a regular file");
  EXPECT_FALSE(Mapping::map("", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file cannot be opened: No such file or directory");
}

TEST_F(MappingTest, RefusesWhatIsNoImage) {
  Mapping mapping;
  testing::write_bytes(folder_ / "empty", {});
  EXPECT_FALSE(Mapping::map(folder_ / "empty", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file is empty");
  const std::string text(10'000, 'x');
  testing::write_bytes(folder_ / "text", std::as_bytes(std::span(text)));
  EXPECT_FALSE(Mapping::map(folder_ / "text", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "header is not that of a Tenure image");
  EXPECT_EQ(mapping.base(), nullptr);
}

// ThreadSanitizer ends a process that maps something where it does not want it.
#ifndef __SANITIZE_THREAD__
// The address is the file's wish and no more: what it must not have, it is not given.
TEST_F(MappingTest, SurvivesWishesForImpossibleAddresses) {
  for (uint64_t base : {uint64_t{0}, uint64_t{1}, uint64_t{kPageBytes}, preferred() + 1,
                        uint64_t{1} << 47, ~uint64_t{0}, ~uint64_t{0} << 12}) {
    Editor editor(bytes_);
    editor.header().preferred_base = base;
    editor.fix();
    testing::write_bytes(folder_ / "wish", editor.file());
    Mapping mapping;
    if (!Mapping::map(folder_ / "wish", mapping, problem_)) continue;
    EXPECT_NE(mapping.base(), nullptr) << base;
    mapping = Mapping();
  }
  EXPECT_FALSE(is_mapped(0));
}
#endif

TEST_F(MappingTest, ForReadingTakesDamagedFiles) {
  const std::string text(10'000, 'x');
  testing::write_bytes(folder_ / "text", std::as_bytes(std::span(text)));
  Mapping mapping;
  ASSERT_TRUE(Mapping::map_for_reading(folder_ / "text", mapping, problem_));
  EXPECT_EQ(mapping.bytes().size(), text.size());
  EXPECT_EQ(std::memcmp(mapping.base(), text.data(), text.size()), 0);
}

TEST_F(MappingTest, ForReadingRefusesWhatCannotBeMapped) {
  Mapping mapping;
  testing::write_bytes(folder_ / "empty", {});
  EXPECT_FALSE(Mapping::map_for_reading(folder_ / "empty", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file is empty");
  EXPECT_FALSE(Mapping::map_for_reading("/dev/zero", mapping, problem_));
  EXPECT_EQ(testing::describe(problem_), "file is not a regular file");
}

TEST_F(MappingTest, IdentifiesFilesNotNames) {
  FileId file;
  FileId same;
  ASSERT_TRUE(identify(path_, file, problem_));
  ASSERT_EQ(link(path_.c_str(), (folder_ / "link").c_str()), 0);
  ASSERT_TRUE(identify(folder_ / "link", same, problem_));
  EXPECT_EQ(file, same);
  Mapping mapping;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem_));
  EXPECT_EQ(mapping.file(), file);
  testing::write_bytes(folder_ / "copy", bytes_);
  FileId copy;
  ASSERT_TRUE(identify(folder_ / "copy", copy, problem_));
  EXPECT_FALSE(copy == file);
  EXPECT_FALSE(identify(folder_ / "absent", copy, problem_));
}

}  // namespace
}  // namespace tenure::image
