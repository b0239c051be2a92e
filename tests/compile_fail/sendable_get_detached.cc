#include "tenure/handles/sendable.h"

// Using the object takes being attached, and saying so.
PyObject* f(const tenure::Sendable<>& kept) { return kept.get().get(); }
