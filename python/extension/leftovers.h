// Leftovers: what is still open when the process leaves, and would write something when it goes.
//
// A full finalization destroys objects, and some of them write what they have kept back or put
// something right by it. Here these are found among all that the collector knows, and told to
// finish in their places: files of every kind (all of io's types and their subclasses, so also
// those of gzip, bz2, lzma, zstd) and the classes of the standard library that do visible work in
// __del__. Who writes into another goes before it.
//
// Not for: other objects with __del__; they are left alone, and can be counted. Nor for what only
// reads, sys.stdout and the like, which must stay usable to the end, and files that a daemon thread
// was in the middle of writing to, which keep it waiting for ever.
//
// Thread safety: attached. find() runs no Python code.
#ifndef TENURE_PYTHON_EXTENSION_LEFTOVERS_H_
#define TENURE_PYTHON_EXTENSION_LEFTOVERS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/core/strong.h"

namespace tenure::extension {

class Leftovers {
 public:
  Leftovers() = default;
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers();

  // Looks through all objects. With `lists_others`, also notes the classes of those whose __del__
  // is left alone.
  void find(bool lists_others);

  // Tells each to finish, once. What goes wrong is reported as unraisable, as in a finalization.
  void finish();

  size_t size() const { return found_.size(); }

  // A dict: the name of a class -> how many instances are left alone. Null with a Python error.
  PyObject* others() const;

 private:
  enum class How : uint8_t {
    kUnknown,
    kLeave,
    kFinalize,  // as its destruction would begin
    kClose,     // by its method close(): its destruction does that in C
    kWatch,     // nothing to finish, but others cannot be while a thread that is stopped uses it
    kOther,     // has a __del__ that is left alone
  };
  struct Found {
    PyObject* object;  // strong
    How how;
  };
  struct Known {
    PyObject* type;
    How how;
  };
  struct Seen {
    PyTypeObject* type;
    How how;
  };
  struct Reference {
    size_t from;
    size_t to;
  };
  struct Search;

  void learn();
  void spare_standard_streams();
  How how_of(PyTypeObject* type);
  How decide(PyTypeObject* type) const;
  bool has_nothing_to_write(PyObject* object) const;
  bool is_held(PyObject* object) const;
  void drop_those_that_only_read();
  std::vector<Reference> references() const;
  std::vector<bool> held(const std::vector<Reference>& references) const;
  std::vector<size_t> order(const std::vector<Reference>& references) const;
  static void visit(PyObject* object, void* self);
  static int visit_reference(PyObject* object, void* search);

  static constexpr size_t kSeen = 1024;

  Strong base_;  // io's _IOBase
  Strong text_;  // TextIOWrapper
  std::vector<Known> known_;
  std::vector<PyTypeObject*> buffered_;  // io's types with a lock; borrowed of io
  std::vector<PyTypeObject*> reading_;   // those that have nothing to write
  std::vector<PyObject*> spared_;        // strong
  std::vector<Seen> seen_{kSeen, {nullptr, How::kUnknown}};
  std::vector<Found> found_;
  std::vector<std::pair<PyTypeObject*, size_t>> others_;
  bool lists_others_ = false;
};

}  // namespace tenure::extension

#endif  // TENURE_PYTHON_EXTENSION_LEFTOVERS_H_
