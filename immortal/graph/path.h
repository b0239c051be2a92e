// How messages name an object by the way to it: $.a[3].b, where $ is where the way begins.
//
// Thread safety: needs an attached thread. No Python code runs.
#ifndef TENURE_IMMORTAL_GRAPH_PATH_H_
#define TENURE_IMMORTAL_GRAPH_PATH_H_

#include <string>
#include <vector>

#include "tenure/core/abi/python.h"

namespace tenure::graph {

// The path along `way`, each of which the one before refers to: .name of attributes, [index] of
// sequences, ["key"] or [key] of dicts, {} of sets. The middle of a long way is left out. Borrows.
std::string path_text(const std::vector<PyObject*>& way);

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_PATH_H_
