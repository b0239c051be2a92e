// Tenure's sides of `./dev bench pool/create`: each class with a pool, and without.

#include "tenure/bench/cpp/pool_classes.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/pool/instance_pool.h"

namespace {

using tenure::arg;
using tenure::Object;
using tenure::Owned;

struct PooledPoint : tenure::bench::Point {
  using Point::Point;
};
struct PlainPoint : tenure::bench::Point {
  using Point::Point;
};

// Instances are the collector's, which finds the reference by itself.
struct PooledNode {
  Owned<Object> held;
};
struct PlainNode {
  Owned<Object> held;
};

}  // namespace

template <>
struct tenure::ClassTraits<PooledPoint> : tenure::DefaultTraits<PooledPoint> {
  using Pool = tenure::pool::InstancePool<PooledPoint>;
};
template <>
struct tenure::ClassTraits<PooledNode> : tenure::DefaultTraits<PooledNode> {
  using Pool = tenure::pool::InstancePool<PooledNode>;
};

TENURE_MODULE(pool_tenure, m) {
  m.class_<PooledPoint>("Point")
      .init<double, double>(arg("x"), arg("y"))
      .readonly<&PooledPoint::x>("x");
  m.class_<PooledNode>("Node").init<Owned<Object>>(arg("held")).readonly<&PooledNode::held>("held");
  m.class_<PlainPoint>("UnpooledPoint")
      .init<double, double>(arg("x"), arg("y"))
      .readonly<&PlainPoint::x>("x");
  m.class_<PlainNode>("UnpooledNode")
      .init<Owned<Object>>(arg("held"))
      .readonly<&PlainNode::held>("held");
}
