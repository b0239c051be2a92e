// Objects that are made anew at every load, because their bytes depend on the process.
#ifndef TENURE_IMMORTAL_IMAGE_ACTIONS_H_
#define TENURE_IMMORTAL_IMAGE_ACTIONS_H_

#include <optional>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/format.h"

namespace tenure::image {

// Which action rebuilds an object of that type; nothing if none does, with a Python error if that
// could not be found out. Lists, dicts and sets are rebuilt only if they are to stay what they are,
// which is for the caller to say. Requires: attached.
std::optional<Action> action_for(PyObject* object);

// True if the action makes an empty object, which fill_later() fills when all others are made: only
// so can it be part of itself.
bool is_filled_later(Action action);

// The argument from which `action` rebuilds an equal object: a new tuple. The order of a set's
// elements in it depends on nothing but the elements. Null with a Python error set.
// Requires: attached; `object` is one that the action makes. New reference.
PyObject* action_argument(Action action, PyObject* object);

// Imports what an action needs. After it, run_action() and fill_later() run no Python code in this
// thread but what hashes and compares the argument's items. False with a Python error set.
// Requires: attached.
[[nodiscard]] bool expect_action(Action action);

// Rebuilds. Null with a Python error set; null without one if the action is unknown or the argument
// does not fit it. Requires: attached; argument is a tuple. New reference.
PyObject* run_action(Action action, PyObject* argument);

// Fills what run_action() made empty. False with a Python error set. Requires: attached;
// is_filled_later(action); argument is a tuple.
[[nodiscard]] bool fill_later(Action action, PyObject* object, PyObject* argument);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_ACTIONS_H_
