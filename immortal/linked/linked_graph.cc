#include "tenure/immortal/linked/linked_graph.h"

#include <algorithm>
#include <memory>
#include <string>

#include "tenure/core/strong.h"
#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/sealing.h"

namespace tenure {

struct LinkedGraph::Loaded {
  std::unique_ptr<image::Image> image;
  bool has_frozen_dicts;  // their type has to be ready in each interpreter
};

namespace {

constexpr char kCapsule[] = "tenure.LinkedGraph";

bool seal_if_asked_to(image::Image& image, image::Problem& problem) {
  const auto policy = static_cast<image::HashPolicy>(image.view().header().hash_policy);
  return policy != image::HashPolicy::kSealed || image::seal(image, problem);
}

bool names_own_objects(const image::View& view) {
  return std::ranges::any_of(view.externals(), [](const image::ExternalEntry& external) {
    return (external.flags & image::kOwn) != 0;
  });
}

void raise_import_error(const char* name, const image::Problem& problem) {
  if (problem.python_error) return;
  const Strong message =
      PyUnicode_FromFormat("the graph '%s' of this binary cannot be used: its %s %s", name,
                           problem.where.c_str(), problem.what.c_str());
  const Strong text = message ? Strong(PyUnicode_FromString(name)) : Strong();
  if (text) PyErr_SetImportError(message.get(), text.get(), nullptr);
}

}  // namespace

PyObject* LinkedGraph::root(size_t number) {
  const Loaded* graph = loaded();
  if (graph == nullptr) return nullptr;
  const image::Image& image = *graph->image;
  return image.root(image.view().roots()[number]);
}

const image::Image* LinkedGraph::image() {
  const Loaded* graph = loaded();
  return graph != nullptr ? graph->image.get() : nullptr;
}

const LinkedGraph::Loaded* LinkedGraph::loaded() {
  if (const Loaded* shared = shared_.load(std::memory_order_acquire)) {
    if (shared->has_frozen_dicts && !graph::ready_frozen_dict()) return nullptr;
    return shared;
  }
  const Strong key = PyUnicode_FromFormat("%s at %p", kCapsule, static_cast<const void*>(this));
  return key ? load_for_interpreter(key.get()) : nullptr;
}

// What the interpreter has for itself stands in its own dict, and ends with it.
const LinkedGraph::Loaded* LinkedGraph::load_for_interpreter(PyObject* key) {
  PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr) {
    if (PyErr_Occurred() == nullptr) PyErr_NoMemory();
    return nullptr;
  }
  PyObject* kept = nullptr;
  if (PyDict_GetItemRef(dict, key, &kept) < 0) return nullptr;
  if (kept == nullptr) {
    std::unique_ptr<Loaded> graph(load());
    if (graph == nullptr) return nullptr;
    if (graph->image->is_for_all_interpreters()) {
      const Loaded* other = nullptr;
      // Release publishes the image; acquire, for one that another interpreter has shared.
      if (!shared_.compare_exchange_strong(other, graph.get(), std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
        return other;
      }
      graph->image->keep_for_ever();
      return graph.release();
    }
    Loaded* const made = graph.release();
    const Strong capsule = PyCapsule_New(made, kCapsule, [](PyObject* ended) {
      delete static_cast<Loaded*>(PyCapsule_GetPointer(ended, kCapsule));
    });
    if (!capsule) {
      delete made;
      return nullptr;
    }
    // Another thread may have been faster.
    if (PyDict_SetDefaultRef(dict, key, capsule.get(), &kept) < 0) return nullptr;
  }
  // The dict keeps it.
  const Strong capsule = kept;
  return static_cast<const Loaded*>(PyCapsule_GetPointer(capsule.get(), kCapsule));
}

LinkedGraph::Loaded* LinkedGraph::load() {
  image::Problem problem;
  image::View view;
  std::unique_ptr<Loaded> graph(new Loaded);
  if (image::View::parse(section(), view, problem, image::Source::kBinary)) {
    graph->has_frozen_dicts = names_own_objects(view);
    if (graph->has_frozen_dicts && !graph::ready_frozen_dict()) return nullptr;
    graph->image = image::Image::load_linked(name_, section(), problem);
  }
  if (graph->image != nullptr && seal_if_asked_to(*graph->image, problem)) return graph.release();
  raise_import_error(name_, problem);
  return nullptr;
}

}  // namespace tenure
