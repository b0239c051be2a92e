// What each side of `./dev bench pool/create` makes a class of.
#ifndef TENURE_BENCH_CPP_POOL_CLASSES_H_
#define TENURE_BENCH_CPP_POOL_CLASSES_H_

namespace tenure::bench {

struct Point {
  double x;
  double y;
  Point(double x_value, double y_value) : x(x_value), y(y_value) {}
};

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_POOL_CLASSES_H_
