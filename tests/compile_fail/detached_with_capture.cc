#include "tenure/handles/detached.h"

void run(tenure::Borrowed<> object) {
  tenure::detached([object] { return object.is_none(); });
}
