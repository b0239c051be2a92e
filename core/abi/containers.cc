#define Py_BUILD_CORE_MODULE 1
#include "tenure/core/abi/containers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>

namespace tenure::abi {

namespace {

// Memory is given back this much at a time: few enough system calls, none of them long.
constexpr uintptr_t kGivenBackAtOnce = uintptr_t{256} << 10;
constexpr uintptr_t kWorthGivingBack = 4 * kGivenBackAtOnce;

// So many empty slots of a table are passed over before somebody looks at the time.
constexpr int kMostLooks = 256;

// Tuples longer than the interpreter keeps for reuse.
constexpr Py_ssize_t kMoreThanKept = 64;

bool is_unique(PyObject* object) {
#ifdef Py_GIL_DISABLED
  return _PyObject_IsUniquelyReferenced(object);
#else
  return Py_REFCNT(object) == 1;
#endif
}

PyDictKeysObject* keys_of(PyObject* dict) { return reinterpret_cast<PyDictObject*>(dict)->ma_keys; }

PySetObject* as_set(PyObject* object) { return reinterpret_cast<PySetObject*>(object); }
PyListObject* as_list(PyObject* object) { return reinterpret_cast<PyListObject*>(object); }

// The pairs of a dict, as slots: two a pair, and one more where keys bring their hash along.
struct Pairs {
  PyObject** slots;
  Py_ssize_t stride;  // in pointers
  Py_ssize_t key;     // where the key stands in a pair; the value follows it
};

Pairs pairs_of(PyDictKeysObject* keys) {
  if (DK_IS_UNICODE(keys)) {
    static_assert(sizeof(PyDictUnicodeEntry) == 2 * sizeof(PyObject*));
    static_assert(offsetof(PyDictUnicodeEntry, me_key) == 0);
    return {reinterpret_cast<PyObject**>(DK_UNICODE_ENTRIES(keys)), 2, 0};
  }
  static_assert(sizeof(PyDictKeyEntry) == 3 * sizeof(PyObject*));
  static_assert(offsetof(PyDictKeyEntry, me_key) == sizeof(PyObject*));
  static_assert(offsetof(PyDictKeyEntry, me_value) == 2 * sizeof(PyObject*));
  return {reinterpret_cast<PyObject**>(DK_ENTRIES(keys)), 3, 1};
}

// [begin, end) of the slots of a container.
struct Storage {
  char* begin;
  char* end;
};

Storage storage_of(const OpenContainer& container) {
  PyObject* object = container.object;
  switch (container.kind) {
    case ContainerKind::kList: {
      PyListObject* list = as_list(object);
      return {reinterpret_cast<char*>(list->ob_item),
              reinterpret_cast<char*>(list->ob_item + list->allocated)};
    }
    case ContainerKind::kTuple: {
      PyObject** items = reinterpret_cast<PyTupleObject*>(object)->ob_item;
      return {reinterpret_cast<char*>(items), reinterpret_cast<char*>(items + Py_SIZE(object))};
    }
    case ContainerKind::kDict: {
      PyDictKeysObject* keys = keys_of(object);
      const Pairs pairs = pairs_of(keys);
      return {keys->dk_indices,
              reinterpret_cast<char*>(pairs.slots + keys->dk_nentries * pairs.stride)};
    }
    case ContainerKind::kSet: {
      PySetObject* set = as_set(object);
      return {reinterpret_cast<char*>(set->table),
              reinterpret_cast<char*>(set->table + set->mask + 1)};
    }
    case ContainerKind::kNone:
      break;
  }
  return {nullptr, nullptr};
}

// Whole pages from `from` up to what has been given back before.
void give_back_from(OpenContainer& container, char* from) {
  static const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(from) + page - 1) & ~(page - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(container.given_back) & ~(page - 1);
  if (begin >= end) return;
  // Nobody reads these slots again; where the system refuses, freeing takes longer and that is all.
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  container.given_back = from;
}

void slots_are_empty_from(OpenContainer& container, void* slot) {
  char* from = static_cast<char*>(slot);
  if (container.given_back != nullptr &&
      static_cast<uintptr_t>(container.given_back - from) >= kGivenBackAtOnce) {
    give_back_from(container, from);
  }
}

Py_ssize_t slots_of(PyObject* object, ContainerKind kind) {
  switch (kind) {
    case ContainerKind::kList:
    case ContainerKind::kTuple:
      return Py_SIZE(object);
    case ContainerKind::kDict:
      return keys_of(object)->dk_nentries;
    case ContainerKind::kSet:
      return as_set(object)->mask + 1;
    case ContainerKind::kNone:
      break;
  }
  return 0;
}

PyObject* take_from_dict(OpenContainer& container) {
  PyDictKeysObject* keys = keys_of(container.object);
  const Pairs pairs = pairs_of(keys);
  for (int looked = 0; looked < kMostLooks && container.end > 0; ++looked) {
    PyObject** pair = pairs.slots + (container.end - 1) * pairs.stride + pairs.key;
    for (PyObject** slot : {pair + 1, pair}) {
      PyObject* object = *slot;
      *slot = nullptr;
      if (object != nullptr) return object;
    }
    --container.end;
    keys->dk_nentries = container.end;
    slots_are_empty_from(container, pairs.slots + container.end * pairs.stride);
  }
  return nullptr;
}

PyObject* take_from_set(OpenContainer& container) {
  PySetObject* set = as_set(container.object);
  for (int looked = 0; looked < kMostLooks && container.end > 0; ++looked) {
    setentry& entry = set->table[--container.end];
    PyObject* key = entry.key;
    // The mark of a removed key is not a reference; no real hash is -1.
    const bool is_taken = key != nullptr && entry.hash != -1;
    entry.key = nullptr;
    slots_are_empty_from(container, &entry);
    if (is_taken) {
      --set->used;
      return key;
    }
  }
  return nullptr;
}

}  // namespace

ContainerKind container_kind(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  ContainerKind kind = ContainerKind::kNone;
  if (type == &PyList_Type) {
    kind = ContainerKind::kList;
  } else if (type == &PyTuple_Type) {
    kind = ContainerKind::kTuple;
  } else if (type == &PyDict_Type) {
    // The table of an instance's attributes belongs to its class as well.
    auto* dict = reinterpret_cast<PyDictObject*>(object);
    if (dict->ma_values != nullptr || dict->ma_keys->dk_refcnt != 1) return kind;
    kind = ContainerKind::kDict;
  } else if (type == &PySet_Type) {
    if (as_set(object)->weakreflist != nullptr) return kind;
    kind = ContainerKind::kSet;
  } else {
    return kind;
  }
  return is_unique(object) ? kind : ContainerKind::kNone;
}

Py_ssize_t container_slots(PyObject* object) { return slots_of(object, container_kind(object)); }

OpenContainer open_container(PyObject* object, ContainerKind kind) {
  // The collector's functions would show a half-empty tuple to anybody who asks.
  PyObject_GC_UnTrack(object);
  OpenContainer container{object, nullptr, slots_of(object, kind), nullptr, kind};
  if (kind == ContainerKind::kDict) reinterpret_cast<PyDictObject*>(object)->ma_used = 0;
  if (kind == ContainerKind::kList) container.items = as_list(object)->ob_item;
  if (kind == ContainerKind::kTuple) {
    container.items = reinterpret_cast<PyTupleObject*>(object)->ob_item;
  }
  const Storage storage = storage_of(container);
  if (static_cast<uintptr_t>(storage.end - storage.begin) >= kWorthGivingBack) {
    container.given_back = storage.end;
  }
  return container;
}

namespace {

// What comes next is as likely to be in no cache as this was.
void fetch_ahead(PyObject** items, Py_ssize_t end) {
  constexpr Py_ssize_t kAhead = 6;
  if (end > kAhead) __builtin_prefetch(items[end - kAhead]);
}

bool is_end_of_piece(PyObject** slot) {
  return reinterpret_cast<uintptr_t>(slot) % kGivenBackAtOnce == 0;
}

// The slot at the end of a list or tuple, which is empty from now on. Requires: end > 0.
PyObject** next_slot(OpenContainer& container) {
  PyObject** slot = container.items + --container.end;
  fetch_ahead(container.items, container.end);
  if (is_end_of_piece(slot + 1)) [[unlikely]] {
    slots_are_empty_from(container, slot + 1);
  }
  return slot;
}

bool is_plain(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  return type == &PyLong_Type || type == &PyFloat_Type || type == &PyUnicode_Type ||
         type == &PyBytes_Type;
}

}  // namespace

PyObject* take_from(OpenContainer& container) {
  if (container.kind == ContainerKind::kDict) return take_from_dict(container);
  if (container.kind == ContainerKind::kSet) return take_from_set(container);
  while (container.end > 0) {
    PyObject** slot = next_slot(container);
    PyObject* object = *slot;
    *slot = nullptr;
    if (object != nullptr) return object;
  }
  return nullptr;
}

size_t drop_plain_from(OpenContainer& container, size_t most) {
  PyObject** const items = container.items;
  if (items == nullptr) return 0;
  const Py_ssize_t begin = container.end;
  const Py_ssize_t stop = std::max<Py_ssize_t>(begin - static_cast<Py_ssize_t>(most), 0);
  // Kept in registers over the deallocators' calls, which the fields of `container` are not.
  Py_ssize_t end = begin;
  while (end > stop) {
    PyObject* object = items[end - 1];
    if (object == nullptr) break;
#ifdef Py_GIL_DISABLED
    if (!is_plain(object)) break;
#else
    if (Py_REFCNT(object) == 1 && !is_plain(object)) break;
#endif
    items[--end] = nullptr;
    fetch_ahead(items, end);
    Py_DECREF(object);
    if (is_end_of_piece(items + end + 1)) slots_are_empty_from(container, items + end + 1);
  }
  container.end = end;
  return static_cast<size_t>(begin - end);
}

bool give_back(OpenContainer& container) {
  // Deallocators look at every slot there is; tuples of some lengths are kept for reuse.
  PyObject* object = container.object;
  if (container.kind == ContainerKind::kList) Py_SET_SIZE(object, 0);
  if (container.kind == ContainerKind::kTuple && Py_SIZE(object) > kMoreThanKept) {
    Py_SET_SIZE(object, kMoreThanKept);
  }
  if (container.given_back == nullptr) return false;
  char* begin = storage_of(container).begin;
  if (container.given_back <= begin) return false;
  char* piece = container.given_back - begin > static_cast<ptrdiff_t>(kGivenBackAtOnce)
                    ? container.given_back - kGivenBackAtOnce
                    : begin;
  give_back_from(container, piece);
  container.given_back = piece;
  return piece != begin;
}

namespace {

struct Parts {
  PyObject** found;
  size_t count;
  size_t most;
};

int keep_part(PyObject* object, void* argument) {
  auto& parts = *static_cast<Parts*>(argument);
  if (!may_be_container(object) || !is_unique(object)) return 0;
  if (parts.count == parts.most) return 1;
  parts.found[parts.count++] = Py_NewRef(object);
  return 0;
}

}  // namespace

size_t keep_parts(PyObject* owner, PyObject** parts, size_t most) {
  const traverseproc traverse = Py_TYPE(owner)->tp_traverse;
  if (traverse == nullptr) return 0;
  Parts kept{parts, 0, most};
  traverse(owner, &keep_part, &kept);
  return kept.count;
}

bool is_only_reference(PyObject* object) { return is_unique(object); }

bool is_builtin_frozendict([[maybe_unused]] PyObject* object) {
#if PY_VERSION_HEX >= 0x030f0000
  return PyFrozenDict_CheckExact(object);
#else
  return false;
#endif
}

}  // namespace tenure::abi
