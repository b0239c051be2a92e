// Lines of C++ in Python tracebacks:
//
//   Result<Str> find(const Object& polygons, const Str& name) {
//     Owned<> found = TENURE_TRY_TRACED(polygons.getitem(name));
//     ...
//
//   Traceback (most recent call last):
//     File "map.py", line 4, in draw
//     File "polygon.cc", line 12, in find
//   KeyError: 'square'
//
// Costs nothing while nothing fails.
//
// Not for: errors that are part of normal work, such as the end of an iteration; each line is a
// code object and a frame.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_TRACEBACK_H_
#define TENURE_HANDLES_TRACEBACK_H_

#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "tenure/handles/result.h"

namespace tenure {

// Adds a place to the traceback of the error that is set; a line that cannot be made, for want of
// memory, is left out. The file is named as the compiler was told. Requires: an error is set.
[[gnu::cold]] Failed add_traceback(std::source_location place = std::source_location::current());

namespace internal {
// "Result<> tenure::find(const Str&) [with ...]" is find to whoever reads a traceback.
std::string short_function_name(std::string_view signature);
}  // namespace internal

}  // namespace tenure

// TENURE_TRY, and on an error a line of the traceback.
#define TENURE_TRY_TRACED(expression)   \
  __extension__({                       \
    auto tenure_result = (expression);  \
    if (!tenure_result) [[unlikely]]    \
      return ::tenure::add_traceback(); \
    std::move(tenure_result).take();    \
  })

#endif  // TENURE_HANDLES_TRACEBACK_H_
