#include "tenure/immortal/image/shared_images.h"

#include <atomic>
#include <utility>

namespace tenure::image {
namespace {

struct Entry {
  const std::shared_ptr<Image> image;
  const Entry* next;  // constant once the entry is published
};

// Entries are never destroyed: interpreters may still use images while static objects are
// destroyed.
std::atomic<const Entry*> newest{nullptr};

const Entry* find(const Entry* from, const FileId& file) {
  while (from != nullptr && from->image->mapping().file() != file) from = from->next;
  return from;
}

}  // namespace

std::shared_ptr<Image> find_shared(const FileId& file) {
  // Acquire: pairs with the release in share().
  const Entry* found = find(newest.load(std::memory_order_acquire), file);
  return found != nullptr ? found->image : nullptr;
}

std::shared_ptr<Image> share(std::unique_ptr<Image> image) {
  if (!image->is_for_all_interpreters()) return image;
  auto* entry = new Entry{std::move(image), newest.load(std::memory_order_acquire)};
  do {
    if (const Entry* other = find(entry->next, entry->image->mapping().file())) {
      std::shared_ptr<Image> theirs = other->image;
      delete entry;
      return theirs;
    }
    // Release publishes the entry and its image; acquire, for the entries that came in between.
  } while (!newest.compare_exchange_weak(entry->next, entry, std::memory_order_acq_rel,
                                         std::memory_order_acquire));
  entry->image->keep_for_ever();
  return entry->image;
}

}  // namespace tenure::image
