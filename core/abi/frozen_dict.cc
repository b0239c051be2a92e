#include "tenure/core/abi/frozen_dict.h"

#include <atomic>

namespace tenure::abi {
namespace {

// Release and acquire: whoever sees the type sees all of it.
std::atomic<PyTypeObject*> the_type{nullptr};

}  // namespace

PyTypeObject* frozen_dict_type() { return the_type.load(std::memory_order_acquire); }

void set_frozen_dict_type(PyTypeObject* type) { the_type.store(type, std::memory_order_release); }

}  // namespace tenure::abi
