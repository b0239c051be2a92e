#include "tenure/handles/sendable.h"

// The reference would have two owners.
tenure::Owned<> f(tenure::Sendable<>& sendable, tenure::Attached attached) {
  return sendable.into_owned(attached);
}
