// Step 1: find_close_polygons() of poly_match.py in C++, line by line.
//
// What it shows: Python's objects used from C++. The polygons are whatever has a center, a NumPy
// array; asking for it may run Python code, and every error of that is the caller's.
//
//   polygons_step1.find_close_polygons(polygons, point, max_dist)    # a list
//
// Built by Bazel:   ./dev bazel build //examples/polygons:polygons_step1

#include "tenure/examples/polygons/point.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"

namespace {

using namespace tenure;
using polygons::Point;
using polygons::read_point;

Result<List> find_close_polygons(Borrowed<List> polygon_subset, Point point, double max_dist) {
  Owned<List> close = TENURE_TRY(List::make());
  for (const Owned<> poly : polygon_subset) {
    const Owned<> center = TENURE_TRY(poly.getattr("center"_name));
    if (TENURE_TRY(read_point(center)).distance(point) < max_dist) TENURE_TRY(close.append(poly));
  }
  return close;
}

}  // namespace

TENURE_MODULE(polygons_step1, m, .doc = "Polygons near a point: the function in C++.") {
  m.def<&find_close_polygons>("find_close_polygons", arg("polygons"), arg("point"), arg("max_dist"),
                              doc("Those whose center is nearer to the point than max_dist."));
}
