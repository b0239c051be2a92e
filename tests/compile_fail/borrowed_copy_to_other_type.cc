#include "tenure/handles/owned.h"

struct Text {};
struct Number {};

tenure::Borrowed<Number> f(const tenure::Owned<Text>& text) { return text; }
