#include "tenure/immortal/graph/immortalize.h"

#include "tenure/core/abi/immortal.h"
#include "tenure/core/abi/owned.h"
#include "tenure/core/abi/thread.h"
#include "tenure/immortal/graph/lifetime.h"
#include "tenure/immortal/graph/path.h"
#include "tenure/immortal/graph/walk.h"

namespace tenure::graph {
namespace {

std::string object_of_type(PyObject* object) {
  return std::string("object of type ") + Py_TYPE(object)->tp_name + " ";
}

// Finds out what is to become immortal and what must not be, and changes nothing.
class Check {
 public:
  Check(const Options& options, Immortalized& done, Refusal& refusal)
      : options_(options), done_(done), refusal_(refusal) {
    if (abi::has_other_interpreters()) {
      is_alone_ = false;
      PyUnstable_GC_VisitObjects(
          [](PyObject* object, void* own) {
            static_cast<AddressSet*>(own)->insert(object);
            return 1;
          },
          &own_);
    }
  }

  bool run(PyObject* root) {
    if (abi::is_immortal(root)) return true;
    walk_.add(root, Walk::kNone);
    for (at_ = 0; at_ < walk_.objects().size(); ++at_) {
      PyObject* object = walk_.objects()[at_];
      if (!is_allowed(object)) return false;
      abi::visit_owned(
          object,
          [](PyObject* owned, void* check) {
            static_cast<Check*>(check)->consider(owned);
            return 0;
          },
          this);
    }
    return true;
  }

  [[nodiscard]] const Walk& walk() const { return walk_; }

 private:
  bool is_allowed(PyObject* object) {
    const MustEnd kind = must_end(object);
    if (kind == MustEnd::kNo && is_at_work(object)) {
      return refuse(object, "is in use: it is a lock that is held or a thread that runs");
    }
    if (kind == MustEnd::kNo || (kind == MustEnd::kFinalizer && options_.finalizers)) return true;
    return refuse(object, reason_of(kind));
  }

  bool refuse(PyObject* object, const char* reason) {
    refusal_.path = path_text(walk_.way_to(at_));
    refusal_.reason = object_of_type(object) + reason;
    return false;
  }

  void consider(PyObject* owned) {
    if (abi::is_immortal(owned) || walk_.knows(owned)) return;
    size_t* left = boundary(owned);
    if (left == nullptr) {
      walk_.add(owned, at_);
    } else if (left_alone_.insert(owned)) {
      ++*left;
    }
  }

  // What counts objects that are left alone as this one is; null if it is not.
  size_t* boundary(PyObject* owned) {
    if (!options_.types && PyType_Check(owned)) return &done_.types;
    if (!options_.modules &&
        (PyModule_Check(owned) || abi::is_namespace_of(walk_.objects()[at_], owned))) {
      return &done_.modules;
    }
    if (!is_alone_ && PyObject_IS_GC(owned) && PyObject_GC_IsTracked(owned) &&
        !own_.contains(owned)) {
      return &done_.foreign;
    }
    return nullptr;
  }

  const Options& options_;
  Immortalized& done_;
  Refusal& refusal_;
  Walk walk_{/*ways=*/true};
  size_t at_ = 0;
  AddressSet left_alone_;
  // What the collector of this interpreter knows; empty if there is no other interpreter.
  AddressSet own_;
  bool is_alone_ = true;
};

}  // namespace

bool immortalize_all(const std::vector<PyObject*>& objects, Immortalized& done) {
  for (PyObject* object : objects) {
    const size_t bytes = abi::bytes_of(object);
    if (!abi::make_live_immortal(object)) return false;
    if (!abi::is_immortal(object)) continue;
    ++done.objects;
    done.bytes += bytes;
  }
  return true;
}

bool immortalize(PyObject* root, const Options& options, Immortalized& done, Refusal& refusal) {
  Check check(options, done, refusal);
  if (!check.run(root)) return false;
  if (immortalize_all(check.walk().objects(), done)) return true;
  refusal.python_error = true;
  return false;
}

}  // namespace tenure::graph
