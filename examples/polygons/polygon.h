// Polygon: the class of the second and third step.
//
// Python code makes one of two arrays, which are copied, and reads new arrays from it. It may be
// subclassed there: area() is not its business.
//
// Thread safety: as a value; what takes or answers handles, attached.
#ifndef TENURE_EXAMPLES_POLYGONS_POLYGON_H_
#define TENURE_EXAMPLES_POLYGONS_POLYGON_H_

#include <numeric>
#include <stdexcept>
#include <vector>

#include "tenure/examples/polygons/point.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"

namespace polygons {

// A new array.
inline tenure::Result<> to_numpy(const std::vector<double>& numbers) {
  using namespace tenure;
  ListBuilder list = TENURE_TRY(ListBuilder::make(static_cast<Py_ssize_t>(numbers.size())));
  for (const double number : numbers) list.add(TENURE_TRY(Float::make(number)));
  const Owned<List> made = std::move(list).finish();
  const Owned<> numpy = TENURE_TRY(Module::import("numpy"));
  return numpy.call_method("array"_name, made);
}

class Polygon {
 public:
  Polygon(tenure::Borrowed<> x, tenure::Borrowed<> y) : x_(copy(x)), y_(copy(y)) {
    if (x_.size() != y_.size()) throw std::invalid_argument("x and y are of different lengths");
    if (x_.empty()) throw std::invalid_argument("a polygon has corners");
    center_ = {mean(x_), mean(y_)};
  }

  [[nodiscard]] Point center() const { return center_; }

  [[nodiscard]] tenure::Result<> x_array() const { return to_numpy(x_); }
  [[nodiscard]] tenure::Result<> y_array() const { return to_numpy(y_); }
  [[nodiscard]] tenure::Result<> center_array() const { return to_numpy({center_.x, center_.y}); }

 private:
  // Throws the Python error of an array that is none of float64, or not of one dimension.
  static std::vector<double> copy(const tenure::Object& array) {
    const auto numbers = tenure::Buffer<const double>::from(array).value_or_throw();
    std::vector<double> copied;
    copied.reserve(static_cast<size_t>(numbers.size()));
    for (const double number : numbers) copied.push_back(number);
    return copied;
  }

  static double mean(const std::vector<double>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0.0) /
           static_cast<double>(numbers.size());
  }

  Point center_;
  std::vector<double> x_;
  std::vector<double> y_;
};

// The class of a module.
template <typename Builder>
void add_polygon(Builder& m) {
  using namespace tenure;
  m.template class_<Polygon>("Polygon", doc("Corners, copied from two arrays of float64."))
      .template init<Borrowed<>, Borrowed<>>(arg("x"), arg("y"))
      .template property<&Polygon::x_array>("x")
      .template property<&Polygon::y_array>("y")
      .template property<&Polygon::center_array>("center");
}

// The C++ half of a Python object. Borrows from it. TypeError if it is none.
inline tenure::Result<const Polygon*> polygon_of(const tenure::Object& object) {
  tenure::FromPython<Polygon> polygon;
  if (polygon.load(object.get())) [[likely]]
    return &polygon.get();
  if (PyErr_Occurred() != nullptr) return tenure::Failed{};
  return tenure::raise_type_error("expected a Polygon, not %T", object);
}

}  // namespace polygons

#endif  // TENURE_EXAMPLES_POLYGONS_POLYGON_H_
