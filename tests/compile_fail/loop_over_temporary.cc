#include "tenure/handles/list.h"

tenure::Owned<tenure::List> make();

// The list is gone before the loop begins.
void f() {
  for (tenure::Borrowed<> item : make().unsafe_borrowed()) Py_IncRef(item.get());
}
