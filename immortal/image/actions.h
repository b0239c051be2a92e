// Objects that are made anew at every load, because their bytes depend on the process.
#ifndef TENURE_IMMORTAL_IMAGE_ACTIONS_H_
#define TENURE_IMMORTAL_IMAGE_ACTIONS_H_

#include <optional>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/format.h"

namespace tenure::image {

// Which action rebuilds an object of that type; nothing if none does. Requires: attached.
std::optional<Action> action_for(PyObject* object);

// The argument from which `action` rebuilds an equal object: a new tuple. The order of a
// frozenset's elements in it depends on nothing but the elements. Null with a Python error set.
// Requires: attached; action is action_for(object). New reference.
PyObject* action_argument(Action action, PyObject* object);

// Rebuilds. Null with a Python error set; null without one if the action is unknown or the argument
// does not fit it. Requires: attached; argument is a tuple. New reference.
PyObject* run_action(Action action, PyObject* argument);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_ACTIONS_H_
