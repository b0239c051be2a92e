#include "tenure/handles/result.h"

tenure::Result<> call();

// Nobody looks at the error.
void f() { call(); }
