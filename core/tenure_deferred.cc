#include "tenure/core/tenure_deferred.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"

namespace {

using tenure::DecrefQueue;

DecrefQueue& queue_of(tenure_queue* queue) { return *reinterpret_cast<DecrefQueue*>(queue); }
const DecrefQueue& queue_of(const tenure_queue* queue) {
  return *reinterpret_cast<const DecrefQueue*>(queue);
}

constexpr tenure_deferred_api kApi = {
    sizeof(tenure_deferred_api), &tenure_queue_current,
    &tenure_defer_decref,        &tenure_queue_defer_decref,
    &tenure_queue_has_pending,   &tenure_queue_drain,
    &tenure_queue_flush,         &tenure_queue_release_incrementally,
    &tenure_queue_count,         &tenure_deferred_set_bound,
    &tenure_deferred_get_bound,
};

}  // namespace

tenure_queue* tenure_queue_current() {
  return reinterpret_cast<tenure_queue*>(DecrefQueue::current());
}

void tenure_defer_decref(PyObject* object) {
  if (tenure::is_attached()) {
    Py_DECREF(object);
  } else if (DecrefQueue* queue = DecrefQueue::main(); queue != nullptr) {
    queue->defer(object);
  } else {
    DecrefQueue::count_lost_without_queue();
  }
}

void tenure_queue_defer_decref(tenure_queue* queue, PyObject* object) {
  queue_of(queue).drop(object);
}

int tenure_queue_has_pending(const tenure_queue* queue) {
  return queue_of(queue).has_pending() ? 1 : 0;
}

size_t tenure_queue_drain(tenure_queue* queue, size_t objects, int64_t nanoseconds, int* more) {
  const tenure::Drained drained =
      queue_of(queue).drain({.objects = objects, .time = std::chrono::nanoseconds(nanoseconds)});
  if (more != nullptr) *more = drained.more ? 1 : 0;
  return drained.objects;
}

size_t tenure_queue_flush(tenure_queue* queue) { return queue_of(queue).flush(); }

void tenure_queue_release_incrementally(tenure_queue* queue, PyObject* object) {
  queue_of(queue).release_incrementally(object);
}

void tenure_queue_count(const tenure_queue* queue, tenure_queue_counts* counts, size_t size) {
  const tenure::DeferStats stats = queue_of(queue).stats();
  const tenure_queue_counts all = {
      .pushed = stats.pushed,
      .drained = stats.drained,
      .leaked = stats.leaked,
      .pending = stats.pending,
      .high_water = stats.high_water,
      .drains = stats.drains,
      .longest_drain_ns = stats.longest_drain_ns,
      .pending_calls = stats.pending_calls,
      .reaper_drains = stats.reaper_drains,
      .dismantling = stats.dismantling,
      .lanes = stats.lanes,
  };
  std::memcpy(counts, &all, std::min(size, sizeof(all)));
}

void tenure_deferred_set_bound(int64_t nanoseconds) {
  DecrefQueue::set_bound(std::chrono::nanoseconds(nanoseconds));
}

int64_t tenure_deferred_get_bound() { return DecrefQueue::bound().count(); }

const tenure_deferred_api* tenure_deferred_get_api() { return &kApi; }
