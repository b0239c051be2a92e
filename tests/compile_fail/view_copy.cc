#include "tenure/handles/str.h"

// It would say nothing about who keeps the str alive.
void f(const tenure::Str& text) { tenure::Str copy = text; }
