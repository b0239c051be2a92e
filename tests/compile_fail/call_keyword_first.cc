#include "tenure/handles/str.h"

tenure::Result<> f(const tenure::Object& function, const tenure::Str& name) {
  return function.call(tenure::kw(name, name), name);
}
