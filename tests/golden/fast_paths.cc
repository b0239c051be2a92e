// What the headers' fast paths compile to when they are inlined, a function each; see
// fast_paths_test.py.

#include <utility>

#include "tenure/core/abi/python.h"
#include "tenure/core/decref_queue.h"
#include "tenure/handles/owned.h"
#include "tenure/handles/sendable.h"
#include "tenure/handles/shared.h"

namespace tenure {

namespace {

// Needs the value in a register and says nothing about memory.
void use(PyObject* object) { asm volatile("" : : "r"(object)); }

}  // namespace

extern "C" {

bool golden_has_pending(const DecrefQueue* queue) { return queue->has_pending(); }

bool golden_is_attached(const Gate* gate) { return gate->is_attached(); }

void golden_owned(PyObject* object) {
  const auto reference = Owned<>::steal(Py_NewRef(object));
  use(reference.get());
}

// The same in the C API.
void golden_owned_in_c(PyObject* object) {
  PyObject* reference = Py_NewRef(object);
  use(reference);
  Py_DECREF(reference);
}

void golden_owned_drop(Owned<>* owner) { owner->~Owned(); }

void golden_sendable_drop(Sendable<>* handle) { handle->~Sendable(); }

void golden_sendable_move(Sendable<>* to, Sendable<>* from) {
  new (to) Sendable<>(std::move(*from));
}

void golden_shared_copy(Shared<>* to, const Shared<>* from) { new (to) Shared<>(*from); }

}  // extern "C"

}  // namespace tenure
