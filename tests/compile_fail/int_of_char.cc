#include "tenure/handles/int.h"

// A character is no number; which one would be meant?
tenure::Result<tenure::Int> f(char letter) { return tenure::Int::make(letter); }
