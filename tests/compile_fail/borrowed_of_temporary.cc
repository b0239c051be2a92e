#include "tenure/handles/owned.h"

tenure::Owned<> make();

// The owner is gone at the semicolon.
void f() {
  tenure::Borrowed<> borrowed = make();
  Py_IncRef(borrowed.get());
}
