#include "tenure/handles/result.h"

tenure::Result<> f(const tenure::Result<>& result) {
  tenure::Result<> copy = result;
  return copy;
}
