// Every member of these templates compiles for free-threaded CPython, whichever version is built
// for. Nothing of it is run: an interpreter with the GIL could not.
#ifndef Py_GIL_DISABLED
#define Py_GIL_DISABLED 1
#endif

#include "tenure/core/attach.h"
#include "tenure/core/strong.h"
#include "tenure/handles/handles.h"
#include "tenure/immortal/literal.h"

template class tenure::Borrowed<>;
template class tenure::Borrowed<tenure::Str>;
template class tenure::Owned<>;
template class tenure::Owned<tenure::Str>;
template class tenure::Result<>;
template class tenure::Result<tenure::Str>;

PyObject* use(PyObject* object) {
  tenure::Strong strong = Py_NewRef(object);
  {
    const tenure::Detach detached;
  }
  return std::move(strong).release();
}

// Loops differ most.
tenure::Result<tenure::Int> walk(const tenure::Tuple& tuple, const tenure::List& list,
                                 const tenure::Dict& dict, const tenure::Object& object) {
  int count = 0;
  for (tenure::Borrowed<> item : tuple) count += item.is_none();
  for (tenure::Owned<> item : list) count += item.is_none();
  for (tenure::Borrowed<> item : list.unsafe_borrowed()) count += item.is_none();
  for (tenure::Result<tenure::DictItem> step : dict) {
    auto [key, value] = TENURE_TRY(std::move(step));
    count += *TENURE_TRY(tenure::Int::make(1)).to<int>();
  }
  for (auto [key, value] : dict.unsafe_borrowed()) count += value.is_none();
  for (tenure::Result<> step : object.each()) {
    const tenure::Owned<> item = TENURE_TRY(std::move(step));
    const tenure::Owned<> found = TENURE_TRY(object.call(item, item));
    count += found.is_none();
  }
  return tenure::Int::make(count);
}

constinit PyObject* literals[] = {
    tenure::literal::object<tenure::literal::tuple<1, 1.5, tenure::literal::bytes("xy")>>(),
    tenure::literal::object<tenure::literal::str("10 \u20ac")>(),
    tenure::literal::object<tenure::literal::complex(1, 2)>(),
};
PyObject* name() { return tenure::literal::Name<"name">::get(); }
