// How messages name a place in data: "$.countries[3].name", from the root.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_DATA_PATH_H_
#define TENURE_IMMORTAL_IMAGE_DATA_PATH_H_

#include <cstddef>
#include <span>
#include <string>

#include "tenure/core/abi/python.h"

namespace tenure::image {

// From a container to what it holds.
struct PathStep {
  PyObject* key;  // of the dict; null: by number, or the key itself. Borrowed
  size_t index;   // of the item
  bool is_key;    // the key number `index` of a dict, not its value
};

// The middle of a very long path is left out. Keys that have no repr are shown by their type.
std::string path_text(std::span<const PathStep> steps);

// "str", or "decimal.Decimal".
std::string type_name(PyObject* object);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_DATA_PATH_H_
