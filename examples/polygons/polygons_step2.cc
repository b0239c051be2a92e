// Step 2: polygons in C++ too, so that no attribute is asked for and no array is read.
//
// What it shows: a C++ class that Python code makes objects of and derives from, and C++ code that
// is given such objects, those of derived classes included.
//
//   class Polygon(polygons_step2.Polygon):
//       def area(self): ...
//
// Built by Bazel:   ./dev bazel build //examples/polygons:polygons_step2

#include "tenure/examples/polygons/polygon.h"

namespace {

using namespace tenure;
using polygons::Point;
using polygons::Polygon;
using polygons::polygon_of;

Result<List> find_close_polygons(Borrowed<List> polygon_subset, Point point, double max_dist) {
  Owned<List> close = TENURE_TRY(List::make());
  for (const Owned<> item : polygon_subset) {
    const Polygon* poly = TENURE_TRY(polygon_of(item));
    if (poly->center().distance(point) < max_dist) TENURE_TRY(close.append(item));
  }
  return close;
}

}  // namespace

TENURE_MODULE(polygons_step2, m, .doc = "Polygons near a point: the class in C++.") {
  polygons::add_polygon(m);
  m.def<&find_close_polygons>("find_close_polygons", arg("polygons"), arg("point"), arg("max_dist"),
                              doc("Those whose center is nearer to the point than max_dist."));
}
