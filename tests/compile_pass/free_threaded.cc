// Every member of these templates compiles for free-threaded CPython, whichever version is built
// for. Nothing of it is run: an interpreter with the GIL could not.
#ifndef Py_GIL_DISABLED
#define Py_GIL_DISABLED 1
#endif

#include "tenure/core/attach.h"
#include "tenure/core/strong.h"
#include "tenure/handles/borrowed.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/result.h"

struct Text {};

template class tenure::Borrowed<>;
template class tenure::Borrowed<Text>;
template class tenure::Owned<>;
template class tenure::Owned<Text>;
template class tenure::Result<>;
template class tenure::Result<Text>;

PyObject* use(PyObject* object) {
  tenure::Strong strong = Py_NewRef(object);
  {
    const tenure::Detach detached;
  }
  return std::move(strong).release();
}
