#include "tenure/handles/str.h"

tenure::Owned<tenure::Str> make();

// The str is gone at the semicolon, and with it the text.
std::string_view f() { return make().utf8().take(); }
