#include "tenure/handles/str.h"

tenure::Owned<> make();

// A temporary gives its reference away, and what is given lasts until the semicolon.
void f() {
  tenure::Borrowed<tenure::Str> text = make().as<tenure::Str>().take();
  Py_IncRef(text.get());
}
