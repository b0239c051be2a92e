// What an interpreter has for FrozenDicts: whether their type is ready in it, the types of their
// views and iterators, and the dicts by which keys without a portable hash are found.
//
// A record is one for all copies of this library in the interpreter, and is found by a name in the
// interpreter's own dict, with which it ends.
//
// Thread safety: attached.
#ifndef TENURE_IMMORTAL_GRAPH_INTERPRETER_RECORD_H_
#define TENURE_IMMORTAL_GRAPH_INTERPRETER_RECORD_H_

#include <cstddef>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/graph/type_page.h"

namespace tenure::graph {

// What views and iterators give; numbers of the arrays below.
enum class What : unsigned char { kKeys, kValues, kItems };
inline constexpr size_t kWhats = 3;

// Shared by copies of the library: see TypePage on changes.
struct InterpreterRecord {
  PyInterpreterState* interpreter = nullptr;
  TypePage* page = nullptr;
  bool is_type_ready = false;
  bool is_registered = false;  // as a collections.abc.Mapping
  // Null until one is needed; release by who makes it, acquire by who looks.
  PyTypeObject* views[kWhats] = {};
  PyTypeObject* iterators[kWhats] = {};
  PyTypeObject* reverse_iterators[kWhats] = {};
  PyObject* fallbacks = nullptr;  // dict: address of a FrozenDict -> its fallback
};

// The page of this copy, which type_page() answered before.
TypePage* the_page();
void set_page(TypePage* page);

// The current interpreter's record for that page, made if there is none. Null with a Python error.
InterpreterRecord* make_record(TypePage* page);

// The same for the_page(). Null with a Python error set where FrozenDict was not made ready.
InterpreterRecord* current_record();

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_INTERPRETER_RECORD_H_
