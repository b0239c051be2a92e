#include "tenure/tests/stress/probe.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tenure/core/abi/thread.h"
#include "tenure/core/attach.h"
#include "tenure/core/decref_queue.h"

namespace tenure::stress {

namespace {

struct Probe {
  PyObject_HEAD
  PyInterpreterState* home;
  uint32_t is_alive;
  Deed deed;
};

const pid_t first_process = getpid();

[[noreturn]] void give_up(const char* what) {
  if (PyErr_Occurred() != nullptr) PyErr_Print();
  std::fprintf(stderr, "stress: %s failed\n", what);
  std::abort();
}

void do_deed(Deed deed, PyTypeObject* type) {
  DecrefQueue* queue = DecrefQueue::current();
  if (queue == nullptr) give_up("DecrefQueue::current");
  auto* as_object = reinterpret_cast<PyObject*>(type);
  switch (deed) {
    case Deed::kNothing:
      return;
    case Deed::kPush:
      queue->defer(new_probe(as_object, Deed::kNothing));
      return;
    case Deed::kDrain:
      queue->drain();
      queue->flush();
      return;
    case Deed::kRaise:
      // Free-threaded, a destructor runs wherever the thread that made the object happens to be,
      // and what it leaves set is an error of whatever that was doing.
#ifndef Py_DEBUG  // where the interpreter itself ends the process for it
      if (!abi::kFreeThreaded) PyErr_SetString(PyExc_ValueError, "left by a destructor");
#endif
      return;
    case Deed::kLetGo: {
      const Detach detach;
      std::this_thread::yield();
      return;
    }
    case Deed::kThread: {
      PyObject* other = new_probe(as_object, Deed::kNothing);
      const Detach detach;
      std::thread([&] { queue->defer(other); }).join();
      return;
    }
    case Deed::kCollect:
      PyGC_Collect();
      return;
    case Deed::kAttach: {
      PyObject* other = new_probe(as_object, Deed::kNothing);
      const Detach detach;
      std::thread([&] {
        DrainingAttach attach(*queue);
        queue->drop(other);
      }).join();
      return;
    }
    case Deed::kFork:
      if (queue->gate().is_main()) fork_and_check();
      return;
  }
}

void dealloc(PyObject* self) {
  auto* probe = reinterpret_cast<Probe*>(self);
  PyTypeObject* type = Py_TYPE(self);
  if (probe->is_alive != 1 || probe->home != PyInterpreterState_Get()) {
    tally().wrong.fetch_add(1);
    return;
  }
  probe->is_alive = 0;
  tally().destroyed.fetch_add(1);
  const Deed deed = probe->deed;
  type->tp_free(self);
  do_deed(deed, type);
  Py_DECREF(type);
}

}  // namespace

Tally& tally() {
  static constinit Tally all;
  return all;
}

Strong make_probe_type() {
  static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)}, {0, nullptr}};
  static PyType_Spec spec = {"stress.Probe", sizeof(Probe), 0, Py_TPFLAGS_DEFAULT, slots};
  Strong type = PyType_FromSpec(&spec);
  if (!type) give_up("making a type");
  return type;
}

PyObject* new_probe(PyObject* type, Deed deed) {
  auto* as_type = reinterpret_cast<PyTypeObject*>(type);
  PyObject* object = as_type->tp_alloc(as_type, 0);
  if (object == nullptr) give_up("making a probe");
  auto* probe = reinterpret_cast<Probe*>(object);
  probe->home = PyInterpreterState_Get();
  probe->is_alive = 1;
  probe->deed = deed;
  tally().made.fetch_add(1);
  return object;
}

bool child_is_sound() {
  DecrefQueue& queue = *DecrefQueue::main();
  std::thread([&] { queue.defer(Py_None); }).join();
  queue.flush();
  const DeferStats stats = queue.stats();
  if (stats.pushed != stats.drained + stats.pending + stats.leaked) {
    std::fprintf(stderr, "child: pushed %lu, drained %lu, pending %lu, leaked %lu\n", stats.pushed,
                 stats.drained, stats.pending, stats.leaked);
    return false;
  }
  for (DecrefQueue* other = DecrefQueue::newest(); other != nullptr; other = other->next()) {
    if (!other->gate().is_main() && !other->is_finished()) {
      std::fprintf(stderr, "child: a queue of a freed interpreter is not finished\n");
      return false;
    }
  }
  if (tally().wrong.load() != 0) std::fprintf(stderr, "child: destroyed twice\n");
  return tally().wrong.load() == 0;
}

void fork_and_check() {
#ifndef __SANITIZE_THREAD__
  // Forks are slow; this many say all that there is to say.
  // Nor in children: their own destructors would fork on, each waiting for the next.
  if (getpid() != first_process || tally().subinterpreters.load() > 0 ||
      tally().forks.fetch_add(1) > 200)
    return;
  PyOS_BeforeFork();
  const pid_t child = fork();
  if (child == 0) {
    PyOS_AfterFork_Child();
    _exit(child_is_sound() ? 0 : 1);
  }
  PyOS_AfterFork_Parent();
  int status = -1;
  const Detach detach;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    std::fprintf(stderr, "child %d ended with status %d\n", child, status);
    tally().bad_children.fetch_add(1);
  }
#endif
}

}  // namespace tenure::stress
