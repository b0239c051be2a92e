#include "tenure/immortal/image/output.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/tests/support/images.h"

namespace tenure::image {
namespace {

using testing::read_bytes;
using testing::TemporaryFolder;
using testing::write_bytes;
using Names = std::vector<std::string>;

std::vector<std::byte> some_bytes(size_t count, int mark) {
  return std::vector<std::byte>(count, static_cast<std::byte>(mark));
}

TEST(WriteFile, WritesAllOfIt) {
  const TemporaryFolder folder;
  for (size_t count : {0u, 1u, 4096u, 3'000'000u}) {
    const auto bytes = some_bytes(count, 0x42);
    ASSERT_EQ(write_file(folder / "image", bytes), 0);
    EXPECT_EQ(read_bytes(folder / "image"), bytes);
  }
  EXPECT_EQ(folder.names(), Names{"image"});
}

TEST(WriteFile, ReplacesAFileAndLeavesTheOldOneToWhoeverHasIt) {
  const TemporaryFolder folder;
  const std::string path = folder / "image";
  const auto old_bytes = some_bytes(100, 1);
  write_bytes(path, old_bytes);
  ASSERT_EQ(link(path.c_str(), (folder / "old").c_str()), 0);
  ASSERT_EQ(write_file(path, some_bytes(50, 2)), 0);
  EXPECT_EQ(read_bytes(path), some_bytes(50, 2));
  EXPECT_EQ(read_bytes(folder / "old"), old_bytes) << "renamed over, never written into";
}

TEST(WriteFile, FollowsTheMaskOfTheProcess) {
  const TemporaryFolder folder;
  const mode_t before = umask(027);
  EXPECT_EQ(write_file(folder / "image", some_bytes(1, 1)), 0);
  umask(before);
  struct stat status;
  ASSERT_EQ(stat((folder / "image").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(WriteFile, SaysWhereItCannotWrite) {
  const TemporaryFolder folder;
  EXPECT_EQ(write_file(folder / "absent/image", some_bytes(1, 1)), ENOENT);
  write_bytes(folder / "file", some_bytes(1, 1));
  EXPECT_EQ(write_file(folder / "file/image", some_bytes(1, 1)), ENOTDIR);
  EXPECT_EQ(write_file(folder.path(), some_bytes(1, 1)), EISDIR);
  EXPECT_EQ(write_file(folder / std::string(300, 'x'), some_bytes(1, 1)), ENAMETOOLONG);
  EXPECT_EQ(folder.names(), Names{"file"});
}

// A device would be replaced by a file, or half an image be written into it.
TEST(WriteFile, RefusesWhatIsNoRegularFile) {
  for (const char* device : {"/dev/full", "/dev/null"}) {
    EXPECT_EQ(write_file(device, some_bytes(1, 1)), EEXIST) << device;
    struct stat status;
    ASSERT_EQ(stat(device, &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode)) << device;
  }
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0666), 0);
  EXPECT_EQ(write_file(folder / "pipe", some_bytes(1, 1)), EEXIST);
  EXPECT_EQ(folder.names(), Names{"pipe"});
}

// Root may write anywhere, so the folder is one that nobody may.
TEST(WriteFile, FailsInAFolderNobodyMayWriteTo) {
  EXPECT_NE(write_file("/proc/tenure-image", some_bytes(1, 1)), 0);
}

// While it lives, files of this process cannot grow beyond `bytes`: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(WriteFile, LeavesNothingBehindWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  for (rlim_t room : {0u, 1u, 4096u, 99'999u}) {
    int error;
    {
      const FullDisk disk(room);
      error = write_file(folder / "image", some_bytes(100'000, 7));
    }
    EXPECT_EQ(error, EFBIG) << room;
    EXPECT_EQ(folder.names(), Names{}) << room;
  }
}

TEST(WriteFile, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const auto old_bytes = some_bytes(1000, 1);
  write_bytes(folder / "image", old_bytes);
  int error;
  {
    const FullDisk disk(50'000);
    error = write_file(folder / "image", some_bytes(100'000, 7));
  }
  EXPECT_EQ(error, EFBIG);
  EXPECT_EQ(read_bytes(folder / "image"), old_bytes);
  EXPECT_EQ(folder.names(), Names{"image"});
}

TEST(WriteFile, WorksAgainWhenThereIsRoom) {
  const TemporaryFolder folder;
  {
    const FullDisk disk(10);
    EXPECT_EQ(write_file(folder / "image", some_bytes(100, 7)), EFBIG);
  }
  EXPECT_EQ(write_file(folder / "image", some_bytes(100, 7)), 0);
  EXPECT_EQ(read_bytes(folder / "image"), some_bytes(100, 7));
}

}  // namespace
}  // namespace tenure::image
