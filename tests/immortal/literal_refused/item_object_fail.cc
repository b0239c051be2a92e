#include "tenure/immortal/literal.h"

PyObject* pair() {
  return tenure::literal::object<
      tenure::literal::tuple<tenure::literal::object<tenure::literal::str("text")>()>>();
}
