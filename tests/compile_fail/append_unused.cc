#include "tenure/handles/list.h"

// Nobody looks at the error.
void f(const tenure::List& list, const tenure::Object& item) { list.append(item); }
