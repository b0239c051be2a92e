#include "tenure/immortal/image/stamp.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/strong.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/output.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

class StampTest : public ::testing::Test {
 protected:
  StampTest() {
    const Strong roots = testing::evaluate("{'r': ['some', 'text', {'and': 'more'}]}");
    bytes_ = testing::data_image_of(roots.get());
    const std::span<const std::byte> whole = bytes_;
    EXPECT_EQ(write_file(path_, {&whole, 1}, Stamped::kYes), 0);
  }

  bool was_checked() {
    Mapping mapping;
    Problem problem;
    EXPECT_TRUE(Mapping::map(path_, mapping, problem)) << testing::describe(problem);
    return mapping.was_checked(reinterpret_cast<const Header*>(mapping.base())->header_checksum);
  }

  // Damages an object in place, where only the checksum of its group tells.
  void damage() {
    const uint64_t at = testing::Editor(bytes_).entry(Kind::kTextSegment).offset + 60;
    const std::byte other = ~bytes_[at];
    const int fd = open(path_.c_str(), O_WRONLY);
    ASSERT_EQ(pwrite(fd, &other, 1, static_cast<off_t>(at)), 1);
    close(fd);
  }

  std::string loaded() {
    Problem problem;
    return Image::load(path_, Check::kLazy, problem) ? "" : testing::describe(problem);
  }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_ / "image.tenure";
  std::vector<std::byte> bytes_;
};

TEST_F(StampTest, IsPutOnWhatIsWritten) { EXPECT_TRUE(was_checked()); }

TEST_F(StampTest, IsNotPutOnOtherFiles) {
  ASSERT_EQ(write_file(path_, bytes_), 0);
  EXPECT_FALSE(was_checked());
}

// Also right after the file was written and marked, within one tick of the clock of files.
TEST_F(StampTest, DoesNotFitAChangedFile) {
  damage();
  EXPECT_FALSE(was_checked());
  EXPECT_NE(loaded().find("is damaged in the text segment"), std::string::npos) << loaded();
}

TEST_F(StampTest, DoesNotFitACopy) {
  const std::string copy = folder_ / "copy";
  ASSERT_EQ(system(("cp --preserve=all " + path_ + " " + copy).c_str()), 0);
  path_ = copy;
  EXPECT_FALSE(was_checked());
}

TEST_F(StampTest, DoesNotFitAnotherHeader) {
  Mapping mapping;
  Problem problem;
  ASSERT_TRUE(Mapping::map(path_, mapping, problem));
  EXPECT_FALSE(mapping.was_checked(1));
}

TEST_F(StampTest, IsPutOnWhatWasCheckedWhenItWasLoaded) {
  ASSERT_EQ(write_file(path_, bytes_), 0);
  usleep(50'000);  // what is younger may still be written to
  EXPECT_EQ(loaded(), "");
  EXPECT_TRUE(was_checked());
}

TEST_F(StampTest, IsNotPutOnWhatIsDamaged) {
  ASSERT_EQ(write_file(path_, bytes_), 0);
  damage();
  usleep(50'000);
  EXPECT_NE(loaded(), "");
  EXPECT_FALSE(was_checked());
}

TEST_F(StampTest, IsNotPutOnWhatMayStillBeWritten) {
  ASSERT_EQ(write_file(path_, bytes_), 0);
  const int fd = open(path_.c_str(), O_RDONLY);
  auto age = [fd] {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct stat status;
    fstat(fd, &status);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec - file_id(status).modified_ns;
  };
  // On a machine that is busy it may be old before it is looked at; then once more.
  for (int attempt = 0; attempt < 100; ++attempt) {
    ASSERT_EQ(futimens(fd, nullptr), 0);
    write_stamp(fd, 1, false);
    if (age() > 15'000'000) {
      fremovexattr(fd, "user.tenure.checked");
      continue;
    }
    EXPECT_EQ(read_stamp(fd), Stamp{});
    break;
  }
  write_stamp(fd, 1, true);
  EXPECT_NE(read_stamp(fd), Stamp{});
  close(fd);
}

TEST_F(StampTest, KeepsFullChecksFull) {
  damage();
  Problem problem;
  EXPECT_EQ(Image::load(path_, Check::kFull, problem), nullptr);
}

}  // namespace
}  // namespace tenure::image
