// All views of Python's own types, and the handles to them.
//
// Thread safety: see each header.
#ifndef TENURE_HANDLES_HANDLES_H_
#define TENURE_HANDLES_HANDLES_H_

#include "tenure/handles/bool.h"
#include "tenure/handles/borrowed.h"
#include "tenure/handles/bytes.h"
#include "tenure/handles/complex.h"
#include "tenure/handles/dict.h"
#include "tenure/handles/float.h"
#include "tenure/handles/int.h"
#include "tenure/handles/iterator.h"
#include "tenure/handles/list.h"
#include "tenure/handles/mapping.h"
#include "tenure/handles/module_view.h"
#include "tenure/handles/object.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/result.h"
#include "tenure/handles/sequence.h"
#include "tenure/handles/set.h"
#include "tenure/handles/slice.h"
#include "tenure/handles/str.h"
#include "tenure/handles/tuple.h"
#include "tenure/handles/type.h"
#include "tenure/handles/view.h"

#endif  // TENURE_HANDLES_HANDLES_H_
