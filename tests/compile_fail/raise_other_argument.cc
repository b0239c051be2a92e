#include "tenure/handles/raise.h"

// An object is no text.
tenure::Failed f(const tenure::Object& object) {
  return tenure::raise_type_error("not %s", object);
}
