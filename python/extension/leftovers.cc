#include "tenure/python/extension/leftovers.h"

#include <algorithm>

#include "tenure/core/abi/ending.h"
#include "tenure/core/abi/thread.h"
#include "tenure/core/abi/tracked.h"
#include "tenure/core/decref.h"
#include "tenure/python/extension/lookup.h"

namespace tenure::extension {

namespace {

struct Name {
  const char* module;
  const char* type;
  bool is_closed;  // else finalized
};

// Classes of the standard library that change files, or wait for a process, when they go.
constexpr Name kKnown[] = {
    {"zipfile", "ZipFile", false},
    {"tarfile", "_Stream", false},
    {"tempfile", "_TemporaryFileCloser", false},
    {"wave", "Wave_write", false},
    {"shelve", "Shelf", false},
    {"fileinput", "FileInput", false},
    {"dbm.dumb", "_Database", false},
    {"multiprocessing.resource_tracker", "ResourceTracker", false},
    {"sqlite3", "Connection", true},
    {"_gdbm", "gdbm", true},
    {"_dbm", "dbm", true},
};

constexpr const char* kBuffered[] = {"BufferedReader", "BufferedWriter", "BufferedRandom"};
constexpr const char* kReading[] = {"FileIO", "BytesIO", "StringIO", "BufferedReader"};

constexpr const char* kStreams[] = {"stdin",     "stdout",     "stderr",
                                    "__stdin__", "__stdout__", "__stderr__"};

// How far a reference from one to another is followed through objects in between.
constexpr int kMostSteps = 3;
// What holds more than this between two of them is not looked through.
constexpr Py_ssize_t kMostItems = 1000;

size_t hash_of(const void* pointer) {
  const auto bits = reinterpret_cast<uintptr_t>(pointer);
  return (bits >> 4) ^ (bits >> 14);
}

}  // namespace

Leftovers::~Leftovers() {
  for (const Found& found : found_) Py_DECREF(found.object);
  for (PyObject* object : spared_) Py_DECREF(object);
  for (const Known& known : known_) Py_DECREF(known.type);
}

void Leftovers::learn() {
  const Strong io = imported("_io");
  if (!io) return;
  base_ = attribute(io.get(), "_IOBase");
  text_ = attribute(io.get(), "TextIOWrapper");
  const auto types = [&](const auto& type_names, std::vector<PyTypeObject*>& found) {
    for (const char* name : type_names) {
      Strong type = attribute(io.get(), name);
      if (!type || !PyType_Check(type.get())) continue;
      found.push_back(reinterpret_cast<PyTypeObject*>(type.get()));
      spared_.push_back(std::move(type).release());
    }
  };
  types(kBuffered, buffered_);
  types(kReading, reading_);
  for (const Name& name : kKnown) {
    const Strong module = imported(name.module);
    if (!module) continue;
    Strong type = attribute(module.get(), name.type);
    if (!type || !PyType_Check(type.get())) continue;
    known_.push_back({std::move(type).release(), name.is_closed ? How::kClose : How::kFinalize});
  }
}

void Leftovers::spare_standard_streams() {
  for (const char* name : kStreams) {
    PyObject* stream = PySys_GetObject(name);
    if (stream == nullptr || stream == Py_None) continue;
    Strong text = Py_NewRef(stream);
    // Nothing but io's own type is asked: others may do anything when they are.
    if (!text_ || !Py_IS_TYPE(text.get(), reinterpret_cast<PyTypeObject*>(text_.get()))) {
      spared_.push_back(std::move(text).release());
      continue;
    }
    Strong buffer = attribute(text.get(), "buffer");
    Strong raw = buffer ? attribute(buffer.get(), "raw") : Strong();
    spared_.push_back(std::move(text).release());
    if (buffer) spared_.push_back(std::move(buffer).release());
    if (raw) spared_.push_back(std::move(raw).release());
  }
}

Leftovers::How Leftovers::decide(PyTypeObject* type) const {
  const bool has_finalizer = type->tp_finalize != nullptr;
  for (const Known& known : known_) {
    if (!has_finalizer && known.how == How::kFinalize) continue;
    if (PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(known.type)) != 0) return known.how;
  }
  // All of io's types have one.
  if (!has_finalizer) return How::kLeave;
  if (std::find(reading_.begin(), reading_.end(), type) != reading_.end()) {
    return type == reading_.back() ? How::kWatch : How::kLeave;
  }
  if (PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(base_.get())) != 0) {
    return How::kFinalize;
  }
  if (!lists_others_) return How::kLeave;
  // Written in Python: what extension modules do there is their own affair.
  PyObject* mro = type->tp_mro;
  for (Py_ssize_t i = 0; mro != nullptr && i < PyTuple_GET_SIZE(mro); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro, i));
    if (base->tp_dict == nullptr) continue;
    PyObject* del = PyDict_GetItemString(base->tp_dict, "__del__");
    if (del != nullptr) return PyFunction_Check(del) ? How::kOther : How::kLeave;
  }
  return How::kLeave;
}

Leftovers::How Leftovers::how_of(PyTypeObject* type) {
  size_t place = hash_of(type) % kSeen;
  Seen& first = seen_[place];
  if (first.type == type) return first.how;
  const How how = decide(type);
  first = {type, how};
  return how;
}

// Called for each object that the collector knows, with everybody else stopped: makes no object.
void Leftovers::visit(PyObject* object, void* self) {
  PyTypeObject* type = Py_TYPE(object);
  // Most objects are of types that the interpreter has in its binary; none of those is meant.
  if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) return;
  auto& me = *static_cast<Leftovers*>(self);
  const How how = me.how_of(type);
  if (how == How::kLeave) return;
  if (how == How::kOther) {
    auto& others = me.others_;
    auto of_type = std::find_if(others.begin(), others.end(),
                                [type](const auto& other) { return other.first == type; });
    if (of_type == others.end()) {
      others.emplace_back(type, 1);
    } else {
      ++of_type->second;
    }
    return;
  }
  if (std::find(me.spared_.begin(), me.spared_.end(), object) == me.spared_.end()) {
    me.found_.push_back({Py_NewRef(object), how});
  }
}

// A text wrapper around something that cannot write.
bool Leftovers::has_nothing_to_write(PyObject* object) const {
  if (!text_ || !Py_IS_TYPE(object, reinterpret_cast<PyTypeObject*>(text_.get()))) return false;
  Strong buffer = attribute(object, "buffer");
  return buffer &&
         std::find(reading_.begin(), reading_.end(), Py_TYPE(buffer.get())) != reading_.end();
}

void Leftovers::drop_those_that_only_read() {
  size_t kept = 0;
  for (const Found& found : found_) {
    if (has_nothing_to_write(found.object)) {
      Py_DECREF(found.object);
    } else {
      found_[kept++] = found;
    }
  }
  found_.resize(kept);
}

void Leftovers::find(bool lists_others) {
  lists_others_ = lists_others;
  learn();
  if (!base_) return;
  spare_standard_streams();
  if constexpr (abi::kFreeThreaded) {
    // There, frozen objects are not shown.
    const Strong gc = imported("gc");
    const Strong done = gc ? PyObject_CallMethod(gc.get(), "unfreeze", nullptr) : nullptr;
    PyErr_Clear();
  }
  abi::for_each_tracked(&Leftovers::visit, this);
  drop_those_that_only_read();
}

// Looks for the others that one refers to.
struct Leftovers::Search {
  const std::vector<std::pair<PyObject*, size_t>>& places;  // by address
  std::vector<Reference>& references;
  size_t from;
  int steps;
};

int Leftovers::visit_reference(PyObject* object, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  PyTypeObject* type = Py_TYPE(object);
  if (!PyType_HasFeature(type, Py_TPFLAGS_HAVE_GC)) return 0;
  const std::pair<PyObject*, size_t> wanted{object, 0};
  const auto place = std::lower_bound(search.places.begin(), search.places.end(), wanted);
  if (place != search.places.end() && place->first == object) {
    if (place->second != search.from) search.references.push_back({search.from, place->second});
    return 0;
  }
  if (search.steps == 0) return 0;
  const bool is_small = (PyDict_CheckExact(object) && PyDict_GET_SIZE(object) <= kMostItems) ||
                        (PyList_CheckExact(object) && PyList_GET_SIZE(object) <= kMostItems) ||
                        (PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) <= kMostItems) ||
                        // An object of a class, but no module, type or function.
                        (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && !PyType_Check(object));
  if (!is_small || type->tp_traverse == nullptr) return 0;
  --search.steps;
  type->tp_traverse(object, &Leftovers::visit_reference, argument);
  ++search.steps;
  return 0;
}

std::vector<Leftovers::Reference> Leftovers::references() const {
  const size_t count = found_.size();
  std::vector<std::pair<PyObject*, size_t>> places;
  places.reserve(count);
  for (size_t i = 0; i < count; ++i) places.emplace_back(found_[i].object, i);
  std::sort(places.begin(), places.end());

  std::vector<Reference> result;
  for (size_t i = 0; i < count; ++i) {
    Search search{places, result, i, kMostSteps};
    const traverseproc traverse = Py_TYPE(found_[i].object)->tp_traverse;
    if (traverse != nullptr) traverse(found_[i].object, &Leftovers::visit_reference, &search);
  }
  const auto both = [](const Reference& one) { return std::pair(one.from, one.to); };
  std::sort(result.begin(), result.end(),
            [&](const auto& a, const auto& b) { return both(a) < both(b); });
  result.erase(std::unique(result.begin(), result.end(),
                           [&](const auto& a, const auto& b) { return both(a) == both(b); }),
               result.end());
  return result;
}

bool Leftovers::is_held(PyObject* object) const {
  for (PyTypeObject* type : buffered_) {
    if (PyType_IsSubtype(Py_TYPE(object), type) != 0) return abi::is_held_by_other(object, type);
  }
  return false;
}

// Those that wait for a thread that is stopped, and those that refer to them: to finish one of them
// would be to wait for it, too.
std::vector<bool> Leftovers::held(const std::vector<Reference>& references) const {
  std::vector<bool> result(found_.size(), false);
  bool has_any = false;
  for (size_t i = 0; i < found_.size(); ++i) {
    result[i] = is_held(found_[i].object);
    has_any = has_any || result[i];
  }
  for (bool changes = has_any; changes;) {
    changes = false;
    for (const Reference& reference : references) {
      if (result[reference.from] || !result[reference.to]) continue;
      result[reference.from] = true;
      changes = true;
    }
  }
  return result;
}

// Who refers to another comes before it; where they refer to each other, who was found first.
std::vector<size_t> Leftovers::order(const std::vector<Reference>& references) const {
  const size_t count = found_.size();
  std::vector<size_t> referrers(count, 0);
  std::vector<size_t> first(count + 1, 0);  // of an object's, in references
  for (const Reference& reference : references) {
    ++referrers[reference.to];
    ++first[reference.from + 1];
  }
  for (size_t i = 0; i < count; ++i) first[i + 1] += first[i];

  std::vector<size_t> result;
  result.reserve(count);
  std::vector<bool> is_in(count, false);
  const auto add = [&](size_t i) {
    if (is_in[i]) return;
    is_in[i] = true;
    result.push_back(i);
  };
  for (size_t i = 0; i < count; ++i) {
    if (referrers[i] == 0) add(i);
  }
  size_t done = 0;
  for (size_t unseen = 0;;) {
    for (; done < result.size(); ++done) {
      const size_t from = result[done];
      for (size_t i = first[from]; i < first[from + 1]; ++i) {
        if (--referrers[references[i].to] == 0) add(references[i].to);
      }
    }
    while (unseen < count && is_in[unseen]) ++unseen;
    if (unseen == count) return result;
    add(unseen);
  }
}

void Leftovers::finish() {
  PyThreadState* const state = PyThreadState_Get();
  const std::vector<Reference> between = references();
  const std::vector<bool> is_held = held(between);
  for (const size_t i : order(between)) {
    const Found& found = found_[i];
    if (found.how == How::kWatch || is_held[i]) continue;
    if (found.how == How::kClose) {
      // As its destruction, which has nobody to complain to either.
      const Strong done = PyObject_CallMethod(found.object, "close", nullptr);
      if (!done) PyErr_Clear();
    } else {
      PyObject_CallFinalizer(found.object);
    }
    if (abi::has_error(state)) PyErr_WriteUnraisable(nullptr);
  }
}

PyObject* Leftovers::others() const {
  Strong dict = PyDict_New();
  if (!dict) return nullptr;
  for (const auto& [type, count] : others_) {
    const Strong name = PyType_GetFullyQualifiedName(type);
    const Strong number = PyLong_FromSize_t(count);
    if (!name || !number || PyDict_SetItem(dict.get(), name.get(), number.get()) < 0) {
      return nullptr;
    }
  }
  return std::move(dict).release();
}

}  // namespace tenure::extension
