#include "tenure/pool/chunks.h"

#include <pthread.h>

#include <utility>

#include "tenure/pool/mimalloc.h"
#include "tenure/pool/poison.h"

namespace tenure::pool::internal {
namespace {

// Trivially destructible, so that it can be used for as long as the thread runs any code.
constinit thread_local void* kept = nullptr;
constinit thread_local bool ends_noticed = false;

void at_thread_exit(void* /*value*/) {
  // What is kept after this is noticed again.
  ends_noticed = false;
  drop_kept_chunk();
}

pthread_once_t once = PTHREAD_ONCE_INIT;
pthread_key_t exit_key;
bool has_exit_key = false;

// Whether this thread's end will give back what it keeps.
bool notice_end() noexcept {
  if (ends_noticed) return true;
  pthread_once(&once, [] { has_exit_key = pthread_key_create(&exit_key, &at_thread_exit) == 0; });
  ends_noticed = has_exit_key && pthread_setspecific(exit_key, &kept) == 0;
  return ends_noticed;
}

}  // namespace

void* take_chunk(size_t size) noexcept {
  if (size == kSmallChunk && kept != nullptr) {
    unpoison(kept, size);
    return std::exchange(kept, nullptr);
  }
  const Mimalloc& mi = mimalloc();
  return mi.heap_malloc(mi.heap_main(), size);
}

void give_chunk_back(void* chunk, size_t size) noexcept {
  if (size == kSmallChunk && kept == nullptr && notice_end()) {
    poison(chunk, size);
    kept = chunk;
  } else {
    mimalloc().free(chunk);
  }
}

void drop_kept_chunk() noexcept {
  if (kept == nullptr) return;
  unpoison(kept, kSmallChunk);
  mimalloc().free(std::exchange(kept, nullptr));
}

}  // namespace tenure::pool::internal
