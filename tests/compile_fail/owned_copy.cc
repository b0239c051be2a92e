#include "tenure/handles/owned.h"

// A second reference is made in the open, with new_ref().
tenure::Owned<> f(const tenure::Owned<>& owner) {
  tenure::Owned<> copy = owner;
  return copy;
}
