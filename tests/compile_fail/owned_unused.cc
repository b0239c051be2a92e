#include "tenure/handles/owned.h"

// The reference is made and given back at once.
void f(const tenure::Owned<>& owner) { owner.new_ref(); }
