// Sees every single write to some pages: makes them read-only, and for each instruction that writes
// to one opens the page for that instruction alone.
//
// A debug aid: a write costs two signals and two changes of a page's protection. What it does not
// see: writes by the kernel (a read() into such a page fails with EFAULT), and those of a thread to
// a page that is open for an instruction of another at that moment. A forked child goes on
// watching, into its own copy of the records.
//
// Not for: guarding pages (sealing.h), or for use under a debugger or emulator that keeps the
// processor's trap flag to itself: start() refuses where stepping does not work.
//
// Thread safety: one watch a process. start() and stop() by one thread at a time; writes of all
// threads are seen.
#ifndef TENURE_IMMORTAL_IMAGE_WRITE_WATCH_H_
#define TENURE_IMMORTAL_IMAGE_WRITE_WATCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tenure::image {

// Whole pages, mapped privately, readable and writable or read-only.
struct WatchedArea {
  std::byte* begin;
  size_t bytes;
};

// What one instruction wrote to one address, however often.
struct WriteRecord {
  static constexpr size_t kWindowBytes = 64;

  uint64_t address;      // 0: an empty record
  uint64_t instruction;  // where it is
  uint64_t count;
  uint64_t window;  // the address of what is shown, at or right before `address`
  // The bytes there before the first of these writes and after the last one. Zero beyond the area.
  std::array<std::byte, kWindowBytes> before;
  std::array<std::byte, kWindowBytes> after;
};

class WriteWatch {
 public:
  struct Result {
    std::vector<WriteRecord>
        writes;               // the oldest first, as far as they are by different instructions
    uint64_t unrecorded = 0;  // writes for which no record was left
  };

  static constexpr size_t kRecords = 1 << 16;

  // Protects the areas and records writes to them. Null, or why it cannot be done, as the end of a
  // sentence; the areas are writable then. Requires: no watch is on. Thread state: any.
  [[nodiscard]] static const char* start(std::span<const WatchedArea> areas,
                                         size_t records = kRecords);

  // Makes the areas writable and answers what was written. Requires: a watch is on.
  static Result stop();

  static bool is_on();

  // True if a watch is on and sees writes to that address. For signal handlers, too.
  static bool sees(const void* address);
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_WRITE_WATCH_H_
