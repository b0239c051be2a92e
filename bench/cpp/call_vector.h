// The class that every C++ side of `./dev bench call` binds.
#ifndef TENURE_BENCH_CPP_CALL_VECTOR_H_
#define TENURE_BENCH_CPP_CALL_VECTOR_H_

namespace tenure::bench {

struct Vector {
  double x = 0;
  double y = 0;

  Vector() = default;
  Vector(double x_value, double y_value) : x(x_value), y(y_value) {}

  double length2() const { return x * x + y * y; }

  void scale(double f) {
    x *= f;
    y *= f;
  }
};

}  // namespace tenure::bench

#endif  // TENURE_BENCH_CPP_CALL_VECTOR_H_
