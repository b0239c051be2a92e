#include "tenure/immortal/graph/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace tenure::graph {
namespace {

// Flags in the word in front of what malloc() answers: the chunk's size and, in its low bits,
// these.
constexpr size_t kIsMapped = 2;
constexpr size_t kIsNotOfMainHeap = 4;
constexpr size_t kFlags = 7;

// Chunks of these sizes are given back in the end: they share few pages with others. Smaller than
// what malloc() maps, or it would map more from then on.
constexpr std::array kLarge = {size_t{64} << 10, size_t{32} << 10, size_t{16} << 10,
                               size_t{8} << 10};

// Up to here each size has a list of its own, which no request of another size is served from.
constexpr size_t kLargestListed = 1032;
constexpr size_t kSmallest = 24;
constexpr size_t kStep = 16;

// More than is kept in lists for each thread, which are counted as in use.
constexpr size_t kProbe = 5000;

// The compiler is not to know that the memory came from malloc(): around it is what it forbids to
// look at.
size_t word_at(const char* address) {
  asm("" : "+r"(address));
  return *reinterpret_cast<const size_t*>(address);
}

size_t size_word(void* memory) { return word_at(static_cast<char*>(memory) - sizeof(size_t)); }

// False if another allocator is loaded in front of the C library's: then the C library does not
// count what malloc() answers. Its address says nothing, it may be that of a jump in the
// executable.
bool is_malloc_of_c_library() {
  // Other threads' calls are counted too.
  constexpr int kTries = 10;
  for (int tried = 0; tried < kTries; ++tried) {
    const size_t before = mallinfo2().uordblks;
    void* memory = malloc(kProbe);
    if (memory == nullptr) return false;
    const size_t counted = mallinfo2().uordblks - before;
    const bool is_counted = counted == malloc_usable_size(memory) + sizeof(size_t);
    free(memory);
    if (is_counted) return true;
  }
  return false;
}

// True if the chunk was cut from what the heap ends with, so that nothing that was freed fitted.
bool is_new(void* memory) {
  if ((size_word(memory) & kIsMapped) != 0) return true;
  // The size word of the next chunk stands 8 bytes behind its beginning.
  const char* next = static_cast<char*>(memory) + malloc_usable_size(memory);
  return next - sizeof(size_t) + (word_at(next) & ~kFlags) == sbrk(0);
}

// Takes all free chunks that serve a request of that size; into `taken` if it is not null.
size_t take(size_t bytes, std::vector<void*>* taken) {
  size_t sum = 0;
  while (void* memory = malloc(bytes)) {
    if (is_new(memory)) {
      free(memory);
      break;
    }
    if (taken != nullptr) {
      taken->push_back(memory);
    } else {
      sum += malloc_usable_size(memory);
    }
  }
  return sum;
}

bool is_main_heap() {
  void* memory = malloc(kSmallest);
  if (memory == nullptr) return false;
  const bool is_main = (size_word(memory) & (kIsMapped | kIsNotOfMainHeap)) == 0;
  free(memory);
  return is_main;
}

}  // namespace

size_t leave_free_chunks() {
  if (!is_malloc_of_c_library() || !is_main_heap()) return 0;
  malloc_trim(0);
  std::vector<void*> large;
  // Its own memory is not to come from between.
  large.reserve(4096);
  for (const size_t bytes : kLarge) take(bytes, &large);
  size_t left = take(4096, nullptr) + take(2048, nullptr);
  for (size_t bytes = kLargestListed; bytes >= kSmallest; bytes -= kStep) {
    left += take(bytes, nullptr);
  }
  for (void* memory : large) free(memory);
  return left;
}

}  // namespace tenure::graph
