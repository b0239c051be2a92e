#include "tenure/immortal/literal.h"

PyObject* text(const char (&text)[4]) {
  return tenure::literal::object<tenure::literal::str(text)>();
}
