/* Dropping Python references on any thread, from C: what other binding libraries use.
 *
 * A stable interface in plain C. It can be had in two ways:
 *
 * - linked: depend on //:deferred, and the functions below are part of your module, with a queue of
 *   its own;
 * - through the tenure package, without linking anything: define TENURE_DEFERRED_IMPORT before this
 *   file is included, and call tenure_deferred_import() once in each interpreter, when your module
 * is initialised. All modules that do so share the package's queue.
 *
 * From one version to the next functions and fields are added at the end, never changed.
 *
 * Not for: C++ code of one's own, which says more with handles/sendable.h.
 */
#ifndef TENURE_CORE_TENURE_DEFERRED_H_
#define TENURE_CORE_TENURE_DEFERRED_H_

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The deferred decrefs of one interpreter. Never freed. */
typedef struct tenure_queue tenure_queue;

/* Counts since the queue was made; see core/decref_queue.h for each. */
typedef struct tenure_queue_counts {
  uint64_t pushed;
  uint64_t drained;
  uint64_t leaked;
  uint64_t pending;
  uint64_t high_water;
  uint64_t drains;
  uint64_t longest_drain_ns;
  uint64_t pending_calls;
  uint64_t reaper_drains;
  uint64_t dismantling;
  uint64_t lanes;
} tenure_queue_counts;

/* What the functions below are in a table; tenure_deferred_import() gets it. */
typedef struct tenure_deferred_api {
  size_t size; /* of the table that is there; it grows at its end */
  tenure_queue* (*queue_current)(void);
  void (*defer_decref)(PyObject* object);
  void (*queue_defer_decref)(tenure_queue* queue, PyObject* object);
  int (*queue_has_pending)(const tenure_queue* queue);
  size_t (*queue_drain)(tenure_queue* queue, size_t objects, int64_t nanoseconds, int* more);
  size_t (*queue_flush)(tenure_queue* queue);
  void (*queue_release_incrementally)(tenure_queue* queue, PyObject* object);
  void (*queue_count)(const tenure_queue* queue, tenure_queue_counts* counts, size_t size);
  void (*set_bound)(int64_t nanoseconds);
  int64_t (*get_bound)(void);
} tenure_deferred_api;

#define TENURE_DEFERRED_CAPSULE "tenure._tenure._deferred_api"

#ifdef TENURE_DEFERRED_IMPORT

/* Written by every interpreter that imports the module, always with the same. */
static const tenure_deferred_api* tenure_deferred_table;

/* Makes the functions below usable in this file, and the queue of this interpreter. Returns 0, or
 * -1 with an ImportError or MemoryError set. Requires: attached. */
static inline int tenure_deferred_import(void) {
  const tenure_deferred_api* table =
      (const tenure_deferred_api*)PyCapsule_Import(TENURE_DEFERRED_CAPSULE, 0);
  if (!table && !PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
  if (!table || table->size < sizeof(tenure_deferred_api)) {
    PyErr_SetString(PyExc_ImportError,
                    "this module needs a newer tenure package than the one installed: upgrade it");
    return -1;
  }
  __atomic_store_n(&tenure_deferred_table, table, __ATOMIC_RELEASE);
  return table->queue_current() ? 0 : -1;
}

static inline const tenure_deferred_api* tenure_deferred_functions(void) {
  return __atomic_load_n(&tenure_deferred_table, __ATOMIC_ACQUIRE);
}

static inline tenure_queue* tenure_queue_current(void) {
  return tenure_deferred_functions()->queue_current();
}
static inline void tenure_defer_decref(PyObject* object) {
  tenure_deferred_functions()->defer_decref(object);
}
static inline void tenure_queue_defer_decref(tenure_queue* queue, PyObject* object) {
  tenure_deferred_functions()->queue_defer_decref(queue, object);
}
static inline int tenure_queue_has_pending(const tenure_queue* queue) {
  return tenure_deferred_functions()->queue_has_pending(queue);
}
static inline size_t tenure_queue_drain(tenure_queue* queue, size_t objects, int64_t nanoseconds,
                                        int* more) {
  return tenure_deferred_functions()->queue_drain(queue, objects, nanoseconds, more);
}
static inline size_t tenure_queue_flush(tenure_queue* queue) {
  return tenure_deferred_functions()->queue_flush(queue);
}
static inline void tenure_queue_release_incrementally(tenure_queue* queue, PyObject* object) {
  tenure_deferred_functions()->queue_release_incrementally(queue, object);
}
static inline void tenure_queue_count(const tenure_queue* queue, tenure_queue_counts* counts,
                                      size_t size) {
  tenure_deferred_functions()->queue_count(queue, counts, size);
}
static inline void tenure_deferred_set_bound(int64_t nanoseconds) {
  tenure_deferred_functions()->set_bound(nanoseconds);
}
static inline int64_t tenure_deferred_get_bound(void) {
  return tenure_deferred_functions()->get_bound();
}

#else

#define TENURE_EXPORT __attribute__((visibility("default")))

/* The queue of the interpreter this thread is attached to, made at its first use; a module asks for
 * it once when it is initialised. NULL with a Python error set if it cannot be made. Requires:
 * attached. */
TENURE_EXPORT tenure_queue* tenure_queue_current(void);

/* Drops a reference on any thread: at once if this thread is attached to an interpreter, else
 * later, by a thread that is attached to the main one. Steals. Requires: the object belongs to the
 * interpreter this thread is attached to or, if it is not, to the main interpreter. Never fails;
 * what cannot be kept until then is leaked, and counted. */
TENURE_EXPORT void tenure_defer_decref(PyObject* object);

/* The same for objects of the queue's interpreter, whatever this thread is attached to. */
TENURE_EXPORT void tenure_queue_defer_decref(tenure_queue* queue, PyObject* object);

/* Whether there may be something to drain. Any thread; as cheap as a load. */
TENURE_EXPORT int tenure_queue_has_pending(const tenure_queue* queue);

/* Does deferred decrefs, at most this many and for about this long. Returns how many; `more`, if
 * not NULL, tells whether some are left. Need not be called: they are done within 100 ms anyway.
 * Requires: attached to the queue's interpreter. */
TENURE_EXPORT size_t tenure_queue_drain(tenure_queue* queue, size_t objects, int64_t nanoseconds,
                                        int* more);

/* Does all of them, and those their destructors defer. Requires: as tenure_queue_drain(). */
TENURE_EXPORT size_t tenure_queue_flush(tenure_queue* queue);

/* Drops a huge list, tuple, dict or set a little at a time. Steals. Requires: attached to the
 * queue's interpreter. */
TENURE_EXPORT void tenure_queue_release_incrementally(tenure_queue* queue, PyObject* object);

/* Fills in the first `size` bytes of `counts`: pass sizeof(tenure_queue_counts). Any thread. */
TENURE_EXPORT void tenure_queue_count(const tenure_queue* queue, tenure_queue_counts* counts,
                                      size_t size);

/* How long a deferred decref waits at most while its interpreter runs; at least a millisecond. For
 * all queues of this copy. Any thread. */
TENURE_EXPORT void tenure_deferred_set_bound(int64_t nanoseconds);
TENURE_EXPORT int64_t tenure_deferred_get_bound(void);

/* All of them in a table. Any thread. */
TENURE_EXPORT const tenure_deferred_api* tenure_deferred_get_api(void);

#endif

#ifdef __cplusplus
}
#endif

#endif /* TENURE_CORE_TENURE_DEFERRED_H_ */
