#include "tenure/handles/object.h"

// A view is what handles are, not what is stored.
void f(tenure::Borrowed<> borrowed) { tenure::Object object = borrowed; }
