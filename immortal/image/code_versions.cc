#include "tenure/immortal/image/code_versions.h"

#include <map>
#include <mutex>
#include <utility>

#include "tenure/core/abi/code.h"

namespace tenure::image {
namespace {

using Ranges = std::map<uint64_t, uint64_t>;  // first -> end; they do not overlap

struct Table {
  std::mutex mutex;
  std::map<int64_t, Ranges> by_interpreter;  // guarded by mutex
};

// Never destroyed: interpreters may still load images while static objects are being destroyed.
Table& table() {
  static Table* const table = new Table;
  return *table;
}

bool is_free(const Ranges& ranges, uint64_t first, uint64_t end) {
  auto after = ranges.lower_bound(first);
  if (after != ranges.end() && after->first < end) return false;
  return after == ranges.begin() || std::prev(after)->second <= first;
}

}  // namespace

std::optional<uint32_t> take_code_versions(int64_t interpreter, uint32_t wanted, uint32_t count) {
  constexpr uint64_t kEnd = uint64_t{1} << 32;
  const std::lock_guard lock(table().mutex);
  Ranges& ranges = table().by_interpreter[interpreter];
  uint64_t first = wanted;
  if (!is_free(ranges, first, first + count)) {
    first = abi::kFirstImageVersion;
    for (const auto& [taken, end] : ranges) {
      if (first + count <= taken) break;
      first = end;
    }
    if (first + count > kEnd) return std::nullopt;
  }
  ranges[first] = first + count;
  return static_cast<uint32_t>(first);
}

void release_code_versions(int64_t interpreter, uint32_t first) {
  const std::lock_guard lock(table().mutex);
  table().by_interpreter[interpreter].erase(first);
}

}  // namespace tenure::image
