/* A job queue in C whose threads drop Python objects without ever attaching to the interpreter.
 *
 * What it shows: submit(data) hands bytes-like objects to threads of this module. They compute a
 * checksum of each, without the GIL, and drop it as soon as they are done with it, by
 * tenure_queue_defer_decref() of tenure_deferred.h. Without that a thread would have to wait for
 * the GIL for each object, or keep them all until somebody calls collect().
 *
 *   import deferred_c
 *   numbers = [deferred_c.submit(data) for data in parts]
 *   checksums = deferred_c.collect()         # {number: checksum}
 *
 * The functions come from the tenure package, which has to be installed; nothing is linked.
 *
 * Built by Bazel:   ./dev bazel build //examples/deferred_c
 * Built by hand, in a clone of Tenure or with a copy of the one header:
 *
 *   mkdir -p include/tenure/core && cp core/tenure_deferred.h include/tenure/core/
 *   flags="-std=c11 -O2 -fPIC -fvisibility=hidden -Iinclude $(python3-config --includes)"
 *   module=deferred_c$(python3-config --extension-suffix)
 *   cc $flags -shared examples/deferred_c/deferred_c.c -o $module
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TENURE_DEFERRED_IMPORT
#include "tenure/core/tenure_deferred.h"

enum { kThreads = 4 };

typedef struct job {
  struct job* next;
  /* A memoryview, which keeps both the object and where its bytes are. A Py_buffer would do so too,
   * but can be released by attached threads only; this is released by the decref. */
  PyObject* view;
  const unsigned char* bytes;
  size_t size;
  uint64_t number;
  uint32_t checksum;
} job;

/* What the threads work on; one for each module object, so for each interpreter. Everything below
 * `lock` is guarded by it. Nobody waits for the GIL while holding it, so it may be waited for with
 * the GIL: that is what dropping references without the GIL makes simple. */
typedef struct pool {
  tenure_queue* queue;   /* where this interpreter's references go */
  _Atomic pid_t process; /* the one that has the threads, if there are any */
  pthread_mutex_t lock;
  pthread_cond_t has_work;
  pthread_cond_t is_done;
  job* waiting;
  job** waiting_end; /* where the next one is hung up */
  job* finished;
  size_t unfinished; /* waiting, or being worked on */
  uint64_t last_number;
  int is_stopping;
  size_t thread_count;
  pthread_t threads[kThreads];
} pool;

typedef struct state {
  pool* pool;
} state;

static uint32_t adler32(const unsigned char* bytes, size_t size) {
  uint32_t a = 1, b = 0;
  for (size_t i = 0; i < size; ++i) {
    a = (a + bytes[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

/* Requires: the lock. */
static job* take_waiting(pool* p) {
  job* taken = p->waiting;
  p->waiting = taken->next;
  if (p->waiting == NULL) p->waiting_end = &p->waiting;
  taken->next = NULL;
  return taken;
}

/* A thread of the pool. Never attached. */
static void* work(void* argument) {
  pool* p = argument;
  pthread_mutex_lock(&p->lock);
  for (;;) {
    while (p->waiting == NULL && !p->is_stopping) pthread_cond_wait(&p->has_work, &p->lock);
    if (p->is_stopping) break;
    job* mine = take_waiting(p);
    pthread_mutex_unlock(&p->lock);

    mine->checksum = adler32(mine->bytes, mine->size);
    /* The point of it all. Waits for nothing and nobody; an attached thread does the decref. In a
     * module for the main interpreter only, tenure_defer_decref(mine->view) would do. */
    tenure_queue_defer_decref(p->queue, mine->view);
    mine->view = NULL;

    pthread_mutex_lock(&p->lock);
    mine->next = p->finished;
    p->finished = mine;
    if (--p->unfinished == 0) pthread_cond_broadcast(&p->is_done);
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* NULL with a Python error. */
static pool* make_pool(void) {
  pool* p = calloc(1, sizeof(pool));
  if (p == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  p->queue = tenure_queue_current();
  if (p->queue == NULL) {
    free(p);
    return NULL;
  }
  p->waiting_end = &p->waiting;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->has_work, NULL);
  /* collect() waits by this clock. */
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&p->is_done, &attributes);
  pthread_condattr_destroy(&attributes);
  return p;
}

/* Threads do not come along into the child of a fork, and one of them may hold the lock there for
 * ever. */
static int is_of_parent_process(const pool* p) {
  const pid_t process = p->process;
  return process != 0 && process != getpid();
}

/* 0, or an error number if there is not one thread. Requires: the lock; not is_of_parent_process().
 */
static int start_threads(pool* p) {
  p->process = getpid();
  while (p->thread_count < kThreads) {
    const int error = pthread_create(&p->threads[p->thread_count], NULL, work, p);
    if (error != 0) return p->thread_count == 0 ? error : 0;
    ++p->thread_count;
  }
  return 0;
}

/* Waits for jobs that have begun; drops the others. Requires: attached. */
static void end_pool(pool* p) {
  /* In a child nobody would ever come to be joined. What it has of the pool is left alone. */
  if (is_of_parent_process(p)) return;
  Py_BEGIN_ALLOW_THREADS;
  pthread_mutex_lock(&p->lock);
  p->is_stopping = 1;
  pthread_cond_broadcast(&p->has_work);
  pthread_mutex_unlock(&p->lock);
  for (size_t i = 0; i < p->thread_count; ++i) pthread_join(p->threads[i], NULL);
  Py_END_ALLOW_THREADS;
  while (p->waiting != NULL) {
    job* mine = take_waiting(p);
    Py_DECREF(mine->view);
    free(mine);
  }
  while (p->finished != NULL) {
    job* next = p->finished->next;
    free(p->finished);
    p->finished = next;
  }
  pthread_cond_destroy(&p->is_done);
  pthread_cond_destroy(&p->has_work);
  pthread_mutex_destroy(&p->lock);
  free(p);
}

/* The pool of the module. NULL with a Python error in a child of the process that has it. */
static pool* usable_pool(PyObject* module) {
  pool* p = ((state*)PyModule_GetState(module))->pool;
  if (!is_of_parent_process(p)) return p;
  PyErr_SetString(PyExc_RuntimeError,
                  "the threads of deferred_c stayed behind in the process that this one was forked "
                  "from: fork before the first submit(), or import deferred_c in a new process");
  return NULL;
}

static PyObject* submit(PyObject* module, PyObject* data) {
  pool* p = usable_pool(module);
  if (p == NULL) return NULL;
  PyObject* view = PyMemoryView_FromObject(data);
  if (view == NULL) return NULL;
  const Py_buffer* buffer = PyMemoryView_GET_BUFFER(view);
  if (!PyBuffer_IsContiguous(buffer, 'C')) {
    PyErr_SetString(PyExc_BufferError, "submit() needs contiguous data: pass a copy, bytes(data)");
    Py_DECREF(view);
    return NULL;
  }
  job* mine = calloc(1, sizeof(job));
  if (mine == NULL) {
    Py_DECREF(view);
    return PyErr_NoMemory();
  }
  mine->view = view;
  mine->bytes = buffer->buf;
  mine->size = (size_t)buffer->len;

  pthread_mutex_lock(&p->lock);
  const int error = start_threads(p);
  uint64_t number = 0;
  if (error == 0) {
    number = mine->number = ++p->last_number;
    *p->waiting_end = mine;
    p->waiting_end = &mine->next;
    ++p->unfinished;
    pthread_cond_signal(&p->has_work);
  }
  pthread_mutex_unlock(&p->lock);
  if (error != 0) {
    Py_DECREF(view);
    free(mine);
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  /* From here on the job is the threads'. */
  return PyLong_FromUnsignedLongLong(number);
}

/* Whether everything is finished, within a moment or so. Requires: not attached. */
static int wait_a_moment(pool* p) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 100 * 1000 * 1000;
  if (until.tv_nsec >= 1000 * 1000 * 1000) {
    until.tv_nsec -= 1000 * 1000 * 1000;
    ++until.tv_sec;
  }
  pthread_mutex_lock(&p->lock);
  int error = 0;
  while (p->unfinished != 0 && error == 0) {
    error = pthread_cond_timedwait(&p->is_done, &p->lock, &until);
  }
  const int done = p->unfinished == 0;
  pthread_mutex_unlock(&p->lock);
  return done;
}

/* Adds one to the dict. -1 with a Python error. */
static int add_checksum(PyObject* checksums, const job* finished) {
  PyObject* number = PyLong_FromUnsignedLongLong(finished->number);
  PyObject* checksum = PyLong_FromUnsignedLong(finished->checksum);
  const int failed =
      number == NULL || checksum == NULL || PyDict_SetItem(checksums, number, checksum) < 0;
  Py_XDECREF(number);
  Py_XDECREF(checksum);
  return failed ? -1 : 0;
}

static PyObject* collect(PyObject* module, PyObject* unused) {
  pool* p = usable_pool(module);
  if (p == NULL) return NULL;
  for (int done = 0; !done;) {
    Py_BEGIN_ALLOW_THREADS;
    done = wait_a_moment(p);
    Py_END_ALLOW_THREADS;
    if (!done && PyErr_CheckSignals() < 0) return NULL;
  }
  PyObject* checksums = PyDict_New();
  if (checksums == NULL) return NULL;
  pthread_mutex_lock(&p->lock);
  job* finished = p->finished;
  p->finished = NULL;
  pthread_mutex_unlock(&p->lock);
  int failed = 0;
  while (finished != NULL) {
    job* next = finished->next;
    failed = failed || add_checksum(checksums, finished) < 0;
    free(finished);
    finished = next;
  }
  if (failed) Py_CLEAR(checksums);
  return checksums;
}

static int exec_module(PyObject* module) {
  /* Says which package is missing, or too old. */
  if (tenure_deferred_import() < 0) return -1;
  state* s = PyModule_GetState(module);
  s->pool = make_pool();
  return s->pool == NULL ? -1 : 0;
}

/* What waits keeps alive whatever it leads to. If that is this module, neither is freed, and the
 * threads go on when the interpreter has ended, which does no harm: they never needed it. (A
 * traverse function, for the garbage collector, must not show it what a thread may be about to
 * use.) */
static void free_module(void* module) {
  state* s = PyModule_GetState(module);
  if (s == NULL || s->pool == NULL) return;
  end_pool(s->pool);
  s->pool = NULL;
}

static PyMethodDef methods[] = {
    {"submit", submit, METH_O,
     "submit($module, data, /)\n--\n\n"
     "Have the Adler-32 checksum of a bytes-like object computed by another thread.\n\n"
     "Returns the number under which collect() will have it. The object is kept until then, and\n"
     "dropped by that thread. Raises TypeError or BufferError for what is not contiguous bytes,\n"
     "and RuntimeError in a child of the process that has the threads."},
    {"collect", collect, METH_NOARGS,
     "collect($module, /)\n--\n\n"
     "Wait for everything that was submitted; returns a dict of numbers and checksums.\n\n"
     "Each is returned once."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void*)exec_module},
    /* True because each interpreter has a pool of its own, and each pool its interpreter's queue.
     * With tenure_defer_decref(), which knows of the main interpreter only, this would have to be
     * Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "deferred_c",
    .m_doc = "Checksums computed by threads that drop what they have read, in C.",
    .m_size = sizeof(state),
    .m_methods = methods,
    .m_slots = slots,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit_deferred_c(void) { return PyModuleDef_Init(&definition); }
