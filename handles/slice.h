// Slice: views of Python's slice objects, what x[1:9:2] hands to __getitem__.
//
//   Result<SliceIndices> range = slice.indices(size());
//   for (Py_ssize_t n = 0, i = range->start; n < range->count; ++n, i += range->step) ...
//
// Not for: slicing a list or tuple; they have slice().
//
// Thread safety: attached for everything. A slice never changes.
#ifndef TENURE_HANDLES_SLICE_H_
#define TENURE_HANDLES_SLICE_H_

#include "tenure/handles/object.h"

namespace tenure {

// Which items of a sequence a slice means: `count` of them, from `start` on, `step` apart.
struct SliceIndices {
  Py_ssize_t start;
  Py_ssize_t stop;
  Py_ssize_t step;
  Py_ssize_t count;
};

class Slice : public Object {
 public:
  static constexpr const char* kName = "slice";
  static bool check(PyObject* object) { return PySlice_Check(object); }

  // New references, or MemoryError.
  static Result<Slice> make(const Object& start, const Object& stop, const Object& step) {
    return PySlice_New(start.get(), stop.get(), step.get());
  }
  static Result<Slice> make(Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step = 1);

  // Of a sequence of that length; all that is out of bounds is left out. ValueError if the step is
  // 0, TypeError if something is neither None nor an index. May run Python code (__index__), so ask
  // for the length behind it if that may change the sequence: unpack(), then adjust().
  Result<SliceIndices> indices(Py_ssize_t length) const {
    Result<SliceIndices> range = unpack();
    if (range) adjust(*range, length);
    return range;
  }

  // The numbers as they are, `count` unknown. Errors as indices().
  Result<SliceIndices> unpack() const {
    SliceIndices range{};
    if (PySlice_Unpack(get(), &range.start, &range.stop, &range.step) < 0) return Failed{};
    return range;
  }
  // Fits them into a sequence of that length, and answers how many items that are.
  static Py_ssize_t adjust(SliceIndices& range, Py_ssize_t length) {
    range.count = PySlice_AdjustIndices(length, &range.start, &range.stop, range.step);
    return range.count;
  }

 protected:
  using Object::Object;
  Slice(const Slice&) = default;
  Slice& operator=(const Slice&) = default;
};

inline Result<Slice> Slice::make(Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step) {
  const Result<> numbers[] = {PyLong_FromSsize_t(start), PyLong_FromSsize_t(stop),
                              PyLong_FromSsize_t(step)};
  for (const Result<>& number : numbers) {
    if (!number) return Failed{};
  }
  return make(*numbers[0], *numbers[1], *numbers[2]);
}

}  // namespace tenure

#endif  // TENURE_HANDLES_SLICE_H_
