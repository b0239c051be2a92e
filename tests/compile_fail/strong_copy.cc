#include "tenure/core/strong.h"

tenure::Strong f(const tenure::Strong& strong) {
  tenure::Strong copy = strong;
  return copy;
}
