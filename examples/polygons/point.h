// Point: two numbers, read from an array of Python's.
//
// Thread safety: a value; reading one, attached.
#ifndef TENURE_EXAMPLES_POLYGONS_POINT_H_
#define TENURE_EXAMPLES_POLYGONS_POINT_H_

#include <cmath>

#include "tenure/handles/bind/convert.h"
#include "tenure/handles/buffer.h"

namespace polygons {

struct Point {
  double x = 0;
  double y = 0;

  [[nodiscard]] double distance(Point other) const {
    const double dx = x - other.x;
    const double dy = y - other.y;
    return std::sqrt(dx * dx + dy * dy);
  }
};

// Of an array of two float64, wherever its elements are; a NumPy array is one. TypeError, or
// ValueError for another number of them.
inline tenure::Result<Point> read_point(const tenure::Object& array) {
  const auto numbers = TENURE_TRY(tenure::Buffer<const double>::from(array));
  if (numbers.size() != 2) {
    return tenure::raise_value_error("a point has two elements, not %zd", numbers.size());
  }
  return Point{numbers[0], numbers[1]};
}

}  // namespace polygons

// So that functions can say that they take a Point, and never see the array.
template <>
struct tenure::FromPython<polygons::Point> {
  static constexpr const char* kExpected = "an array of two float64";
  static constexpr const char* kAnnotation = "numpy.ndarray";

  bool load(PyObject* object) {
    Result<polygons::Point> read = polygons::read_point(Borrowed<>(object));
    if (!read) return false;
    point = *read;
    return true;
  }
  polygons::Point get() { return point; }

  polygons::Point point;
};

#endif  // TENURE_EXAMPLES_POLYGONS_POINT_H_
