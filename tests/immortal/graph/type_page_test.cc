#include "tenure/immortal/graph/type_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tenure::graph {
namespace {

// Addresses for this program alone; a page that was made stays.
uintptr_t next_address() {
  static uintptr_t next = abi::kFrozenDictTypePage + (uintptr_t{1} << 36);
  return next += uintptr_t{1} << 30;
}

std::atomic<int> built{0};

void build(PyTypeObject* type) {
  ++built;
  type->tp_name = "tested";
}

void never(PyTypeObject*) { ADD_FAILURE() << "there is a type already"; }

void* take(uintptr_t address, int protection) {
  void* got = mmap(reinterpret_cast<void*>(address), sizeof(TypePage), protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  EXPECT_EQ(got, reinterpret_cast<void*>(address));
  return got;
}

TEST(TypePage, FirstBuildsOthersAdopt) {
  const uintptr_t address = next_address();
  TypePage* page = claim_or_adopt(address, build);
  ASSERT_EQ(page, reinterpret_cast<TypePage*>(address));
  EXPECT_STREQ(page->type.tp_name, "tested");
  EXPECT_EQ(claim_or_adopt(address, never), page);
}

TEST(TypePage, ManyAtOnce) {
  for (int turn = 0; turn < 20; ++turn) {
    const uintptr_t address = next_address();
    built = 0;
    std::vector<std::thread> threads;
    std::atomic<int> same{0};
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        TypePage* page = claim_or_adopt(address, build);
        if (page != nullptr && std::strcmp(page->type.tp_name, "tested") == 0) ++same;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(same, 8);
    EXPECT_EQ(built, 1);
  }
}

TEST(TypePage, MemoryOfOthers) {
  for (const int protection : {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE}) {
    // Zeros may become a page of ours, but do not.
    const uintptr_t address = next_address();
    take(address, protection);
    EXPECT_EQ(claim_or_adopt(address, never), nullptr);
  }
  const uintptr_t address = next_address();
  std::strcpy(static_cast<char*>(take(address, PROT_READ | PROT_WRITE)), "a text");
  EXPECT_EQ(claim_or_adopt(address, never), nullptr);
}

TEST(TypePage, OtherVersion) {
  const uintptr_t address = next_address();
  TypePage* page = claim_or_adopt(address, build);
  ASSERT_NE(page, nullptr);
  ++page->head.version;
  EXPECT_EQ(claim_or_adopt(address, never), nullptr);
  --page->head.version;
  ++page->head.bytes;
  EXPECT_EQ(claim_or_adopt(address, never), nullptr);
  --page->head.bytes;
  EXPECT_EQ(claim_or_adopt(address, never), page);
}

TEST(TypePage, NeverBuilt) {
  const uintptr_t address = next_address();
  TypePage* page = claim_or_adopt(address, build);
  ASSERT_NE(page, nullptr);
  page->head.state = 0;
  EXPECT_EQ(claim_or_adopt(address, never), nullptr);
}

// A file that ends before the page does: reading it would be SIGBUS.
TEST(TypePage, FileThatIsTooShort) {
  const uintptr_t address = next_address();
  const int file = memfd_create("short", MFD_CLOEXEC);
  ASSERT_GE(file, 0);
  void* got = mmap(reinterpret_cast<void*>(address), 4096, PROT_READ,
                   MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, 0);
  ASSERT_EQ(got, reinterpret_cast<void*>(address));
  EXPECT_EQ(claim_or_adopt(address, never), nullptr);
  close(file);
}

TEST(TypePage, AddressNobodyCanHave) {
  EXPECT_EQ(claim_or_adopt(uintptr_t{1} << 60, never), nullptr);
}

}  // namespace
}  // namespace tenure::graph
