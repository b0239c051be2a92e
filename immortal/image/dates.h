// Objects of the datetime module in images: made anew at every load, by actions. See actions.h.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_DATES_H_
#define TENURE_IMMORTAL_IMAGE_DATES_H_

#include <optional>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/format.h"

namespace tenure::image {

bool is_date_action(Action action);

// Imports the module; at once if this thread has done it before. False with a Python error set.
[[nodiscard]] bool import_datetime();

// Which action makes an object of exactly that type of datetime; nothing, with a Python error if
// the module cannot be imported.
std::optional<Action> date_action_for(PyObject* object);

// As action_argument(). Requires: action is date_action_for(object).
PyObject* date_argument(Action action, PyObject* object);

// As run_action(), for these actions and any others, which it does not know.
PyObject* make_date(Action action, PyObject* argument);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_DATES_H_
