// The work that is done through the handles of each library, and through the C API alone.
#ifndef TENURE_BENCH_CPP_HANDLES_SIDES_H_
#define TENURE_BENCH_CPP_HANDLES_SIDES_H_

#include <cstddef>
#include <string>

#include "tenure/core/abi/python.h"

namespace tenure::bench {

// What the work is done on, the same objects for all sides. As bench/pyo3/handles has it.
struct Subjects {
  PyObject* list;    // Of three items.
  PyObject* object;  // With an attribute `name`.
  PyObject* name;    // "name", interned.
  PyObject* room;    // A list with room for kBatch more items.
  PyObject* dict;    // Of some strs.
  PyObject* key;     // One of them.
};

inline constexpr size_t kBatch = 1000;

// Does one kind of work so many times, in a loop of its own. False with a Python error set.
// Requires: attached.
using Work = bool(const Subjects* subjects, size_t times);

struct Side {
  std::string label;  // With its version; none for Tenure's.
  Work* len;          // The size of `list`.
  Work* attribute;    // A new reference to the attribute, dropped.
  Work* append;       // None put to the end of `room`; at most kBatch times.
  Work* lookup;       // A new reference to what belongs to `key`, dropped.
  Work* temporaries;  // An int made, and the str of it; both dropped.
};

Side c_side();
Side tenure_side();
Side nanobind_side();
Side pybind11_side();
// From the library of bench/pyo3/handles. Ends the program when it cannot be loaded.
Side pyo3_side(const char* path);

// Makes them once. Null with a Python error set. Requires: attached.
const Subjects* make_subjects();

// Makes `room` empty again, but keeps what it has room for: its items are immortal.
void make_room(const Subjects& subjects);

// Numbers that are made are larger than those Python keeps.
inline constexpr size_t kFirstNumber = 1'000'000;

// The same pointer, of which the compiler knows nothing: it looks again at what it points to.
inline PyObject* fresh(PyObject* object) {
  asm volatile("" : "+r"(object));
  return object;
}

// As benchmark::DoNotOptimize() for a value in a register, without telling the compiler that all of
// memory changes: a handle would have to live there.
template <typename T>
void use(T value) {
  asm volatile("" : : "r"(value));
}

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_HANDLES_SIDES_H_
