// Uses mimalloc in its constructor, while the loader has its lock.

#include "tenure/pool/mimalloc.h"

namespace {

void* first_block = [] {
  const tenure::pool::Mimalloc& mi = tenure::pool::mimalloc();
  return mi.heap_malloc(mi.heap_main(), 100);
}();

}  // namespace

extern "C" [[gnu::visibility("default")]] bool tenure_eager_has_a_block() {
  return first_block != nullptr && tenure::pool::mimalloc().usable_size(first_block) >= 100;
}
