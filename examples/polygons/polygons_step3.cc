// Step 3: the same with nothing counted and nothing allocated for a polygon that is not near.
//
// What it shows: nothing in the loop runs Python code, and the module leaves the GIL on, so that
// nothing can happen to the list, and its items may be looked at where they lie.
//
// Built by Bazel:   ./dev bazel build //examples/polygons:polygons_step3

#include "tenure/examples/polygons/polygon.h"

namespace {

using namespace tenure;
using polygons::Point;
using polygons::polygon_of;

Result<List> find_close_polygons(Borrowed<List> polygon_subset, Point point, double max_dist) {
  Owned<List> close = TENURE_TRY(List::make());
  for (const Borrowed<> item : polygon_subset.unsafe_borrowed()) {
    if (TENURE_TRY(polygon_of(item))->center().distance(point) < max_dist) {
      TENURE_TRY(close.append(item));
    }
  }
  return close;
}

}  // namespace

TENURE_MODULE(polygons_step3, m, .doc = "Polygons near a point: nothing allocated.") {
  polygons::add_polygon(m);
  m.def<&find_close_polygons>("find_close_polygons", arg("polygons"), arg("point"), arg("max_dist"),
                              doc("Those whose center is nearer to the point than max_dist."));
}
