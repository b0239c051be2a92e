#include "tenure/pool/arena.h"

// What was allocated in its room would stay behind.
tenure::pool::Arena f() {
  tenure::pool::InlineArena<64> arena;
  return tenure::pool::Arena(std::move(arena));
}
