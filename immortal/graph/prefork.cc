#include "tenure/immortal/graph/prefork.h"

#include <vector>

#include "tenure/core/abi/immortal.h"
#include "tenure/core/abi/owned.h"
#include "tenure/core/abi/pools.h"
#include "tenure/core/abi/thread.h"
#include "tenure/immortal/graph/heap.h"
#include "tenure/immortal/graph/walk.h"

namespace tenure::graph {
namespace {

// Finds all that is alive and may be immortal.
class Living {
 public:
  explicit Living(Prefork& done) : done_(done) {
    leave_out_own_dicts();
    PyUnstable_GC_VisitObjects(
        [](PyObject* object, void* living) {
          static_cast<Living*>(living)->consider(object);
          return 1;
        },
        this);
    for (size_t i = 0; i < walk_.objects().size(); ++i) {
      abi::visit_owned(
          walk_.objects()[i],
          [](PyObject* owned, void* living) {
            if (may_be_unfinished(owned)) static_cast<Living*>(living)->held_.insert(owned);
            static_cast<Living*>(living)->consider(owned);
            return 0;
          },
          this);
    }
  }

  // Those that are to be made immortal.
  [[nodiscard]] std::vector<PyObject*> objects() {
    std::vector<PyObject*> objects;
    objects.reserve(walk_.objects().size());
    for (PyObject* object : walk_.objects()) {
      if (may_be_unfinished(object) && !held_.contains(object)) {
        ++done_.skipped[static_cast<size_t>(MustEnd::kUnfinished)];
      } else {
        objects.push_back(object);
      }
    }
    return objects;
  }

 private:
  // They go when a thread or the interpreter does, and what is in them is to go with them.
  void leave_out_own_dicts() {
    PyInterpreterState* interpreter = PyInterpreterState_Get();
    if (PyObject* dict = PyInterpreterState_GetDict(interpreter)) walk_.leave_out(dict);
    PyErr_Clear();
    for (PyThreadState* state = PyInterpreterState_ThreadHead(interpreter); state != nullptr;
         state = PyThreadState_Next(state)) {
      if (PyObject* dict = abi::dict_of(state)) walk_.leave_out(dict);
    }
  }

  // A tuple that only a thread's C code refers to: all of it may be filled, and yet it is to be
  // resized when there are more items.
  static bool may_be_unfinished(PyObject* object) {
    return PyTuple_CheckExact(object) && Py_REFCNT(object) == 1;
  }

  void consider(PyObject* object) {
    if (abi::is_immortal(object)) return;
    const MustEnd kind = must_end(object);
    if (kind == MustEnd::kNo) {
      walk_.add(object, Walk::kNone);
    } else if (walk_.leave_out(object)) {
      ++done_.skipped[static_cast<size_t>(kind)];
    }
  }

  Prefork& done_;
  Walk walk_{/*ways=*/false};
  // What may be unfinished, but that another object refers to it.
  AddressSet held_;
};

// The hash of a tuple needs those of the tuples in it, which as a rule were found after it.
size_t fill_hashes(const std::vector<PyObject*>& objects) {
  size_t filled = 0;
  for (size_t i = objects.size(); i-- > 0;) filled += abi::fill_hash(objects[i]) ? 1 : 0;
  return filled;
}

void fill_versions(const std::vector<PyObject*>& objects) {
  for (PyObject* object : objects) {
    if (PyType_Check(object)) abi::fill_version(reinterpret_cast<PyTypeObject*>(object));
    abi::fill_version(Py_TYPE(object));
  }
}

}  // namespace

bool prefork(const PreforkOptions& options, Prefork& done) {
  {
    const std::vector<PyObject*> objects = Living(done).objects();
    if (options.utf8) {
      for (PyObject* object : objects) done.utf8 += abi::fill_utf8(object) ? 1 : 0;
    }
    done.hashes = fill_hashes(objects);
    fill_versions(objects);
    if (!immortalize_all(objects, done.immortal)) return false;
  }
  // Last: whatever allocates after this begins new memory.
  if (options.fresh_memory) {
    done.bytes_left_behind = leave_free_chunks();
    done.bytes_left_behind += abi::leave_used_pools();
  }
  return true;
}

}  // namespace tenure::graph
