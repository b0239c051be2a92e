// Classes of C++ in Python: one for each way of keeping the object, and what a class can be asked.
//
// docs/bindings.md tells about them.
//
// Built by Bazel:   ./dev bazel build //examples/bindings:shapes

#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/bind/shared.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"
#include "tenure/handles/raise.h"

using namespace tenure;

// --- A value: the C++ object is part of the Python object. ---

struct Point {
  double x = 0;
  double y = 0;

  [[nodiscard]] double length() const { return std::hypot(x, y); }
  void move(double dx, double dy) {
    x += dx;
    y += dy;
  }
  bool operator==(const Point&) const = default;
};

namespace {

Point add(const Point& a, const Point& b) { return {a.x + b.x, a.y + b.y}; }
Point times(const Point& a, double factor) { return {a.x * factor, a.y * factor}; }
Point times_left(double factor, const Point& a) { return times(a, factor); }
double dot(const Point& a, const Point& b) { return a.x * b.x + a.y * b.y; }
void add_to(Point& a, const Point& b) { a = add(a, b); }
bool equal(const Point& a, const Point& b) { return a == b; }
size_t hash(const Point& a) { return std::hash<double>()(a.x) * 31 + std::hash<double>()(a.y); }

Result<Tuple> coordinates(const Point& a) {
  Owned<Float> x = TENURE_TRY(Float::make(a.x));
  Owned<Float> y = TENURE_TRY(Float::make(a.y));
  return Tuple::make(std::move(x), std::move(y));
}

Result<Str> repr(const Point& a) {
  const Owned<Tuple> both = TENURE_TRY(coordinates(a));
  return Str::format("Point{}", both);
}

Point origin() { return {}; }

// `cls` is the class it is called on, so that subclasses get instances of their own.
Result<> polar(Borrowed<> cls, double radius, double angle) {
  const Owned<Float> x = TENURE_TRY(Float::make(radius * std::cos(angle)));
  const Owned<Float> y = TENURE_TRY(Float::make(radius * std::sin(angle)));
  return cls.call(x, y);
}

// --- Items, memory. ---

// Never changes after it was made, so that its memory may be lent.
class Path {
 public:
  explicit Path(std::vector<Point> points) : points_(std::move(points)) {}

  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] Lent<const double, 2> lent() const {
    return {points_.empty() ? nullptr : &points_.front().x,
            {static_cast<Py_ssize_t>(points_.size()), 2}};
  }

 private:
  std::vector<Point> points_;
};

Path make_path(Arguments given) {
  if (given.names != nullptr) {
    raise_type_error("Path() takes no keyword arguments");
    throw_python_error();
  }
  std::vector<Point> points;
  for (PyObject* one : given.positional) {
    FromPython<Point> point;
    if (!point.load(one)) {
      raise_type_error("a path is made of points, not of %T", one);
      throw_python_error();
    }
    points.push_back(point.get());
  }
  return Path(std::move(points));
}

// --- References of Python's in C++ objects. ---

// Found by themselves: it is an aggregate.
struct Label {
  Owned<Str> text;
  std::vector<Owned<>> notes;

  void add_note(Borrowed<> note) { notes.push_back(note.new_ref()); }
};

Label make_label(Owned<Str> text) { return {std::move(text), {}}; }

// Said by itself: it has private members.
class Watcher {
 public:
  explicit Watcher(Owned<> callback) : callback_(std::move(callback)) {}

  Result<> notify(Borrowed<> news) { return callback_.call(news); }
  auto owned_members() { return members(callback_); }

 private:
  Owned<> callback_;
};

// --- A base and a class derived from it. ---

class Shape {
 public:
  [[nodiscard]] int color() const { return color_; }
  void set_color(int color) { color_ = color; }

 private:
  int color_ = 0;
};

class Circle : public Shape {
 public:
  Circle() = default;
  explicit Circle(double radius) : radius_(radius) {}
  [[nodiscard]] double radius() const { return radius_; }

 private:
  double radius_ = 0;
};

// What a class in Python overrides is found where Python is asked for it.
Result<> describe(Borrowed<> self) {
  const Owned<> name = TENURE_TRY(self.call_method("name"_name));
  return Str::format("a shape called {}", name);
}

// --- Shared with C++ code. ---

struct Node : std::enable_shared_from_this<Node> {
  explicit Node(double node_value) : value(node_value) {}

  std::shared_ptr<Node> add(double child_value) {
    auto child = std::make_shared<Node>(child_value);
    child->parent = weak_from_this();
    children.push_back(child);
    return child;
  }
  [[nodiscard]] std::shared_ptr<Node> get_parent() const { return parent.lock(); }

  double value;
  std::weak_ptr<Node> parent;
  std::vector<std::shared_ptr<Node>> children;
};

// --- A part of another object. ---

struct Marker {
  Point at;
};

// A deque, so that markers stay where they are.
struct Board {
  std::deque<Marker> markers;
};

Kept<Marker> put(Borrowed<> self, Point at) {
  FromPython<Board> board;
  if (!board.load(self.get())) throw_python_error();
  return {board.get().markers.emplace_back(at), self};
}

// --- An iterator. ---

struct Countdown {
  int left = 0;

  std::optional<int> next() {
    if (left == 0) return std::nullopt;
    return left--;
  }
};

}  // namespace

template <>
struct tenure::ClassTraits<Circle> : tenure::DefaultTraits<Circle> {
  using Base = Shape;
};

template <>
struct tenure::ClassTraits<Node> : tenure::DefaultTraits<Node> {
  static constexpr Stored kStored = Stored::kShared;
  static constexpr bool kHasWeakrefs = true;
};

template <>
struct tenure::ClassTraits<Marker> : tenure::DefaultTraits<Marker> {
  static constexpr Stored kStored = Stored::kReference;
  static constexpr bool kMayBeBase = false;
};

template <>
struct tenure::ClassTraits<Label> : tenure::DefaultTraits<Label> {
  static constexpr bool kHasDict = true;
};

TENURE_MODULE(shapes, m, .doc = "Shapes in the plane.") {
  m.class_<Point>("Point", doc("A point in the plane."))
      .init<double, double>(arg("x") = 0.0, arg("y") = 0.0)
      .static_def<&origin>("origin")
      .class_def<&polar>("polar", arg("radius"), arg("angle"))
      .def<&Point::move>("move", arg("dx"), arg("dy") = 0.0)
      .readwrite<&Point::x>("x")
      .readwrite<&Point::y>("y")
      .property<&Point::length>("length", doc("From the origin."))
      .op<Op::kAdd, &add>()
      .op<Op::kMul, &times, &times_left, &dot>()
      .op<Op::kInPlaceAdd, &add_to>()
      .op<Op::kEq, &equal>()
      .op<Op::kHash, &hash>()
      .op<Op::kRepr, &repr>()
      .pickle<&coordinates>();

  m.class_<Path>("Path").init<&make_path>().sequence<&Path::points>().buffer<&Path::lent>();

  m.class_<Label>("Label")
      .init<&make_label>(arg("text"))
      .def<&Label::add_note>("add_note", arg("note"))
      .readwrite<&Label::text>("text")
      .sequence<&Label::notes>();
  m.class_<Watcher>("Watcher")
      .init<Owned<>>(arg("callback"))
      .def<&Watcher::notify>("notify", arg("news"));

  m.class_<Shape>("Shape")
      .init<>()
      .def<&describe>("describe")
      .property<&Shape::color, &Shape::set_color>("color");
  m.class_<Circle>("Circle").init<double>(arg("radius")).property<&Circle::radius>("radius");

  m.class_<Node>("Node")
      .init<double>(arg("value"))
      .def<&Node::add>("add", arg("value"))
      .property<&Node::get_parent>("parent")
      .readwrite<&Node::value>("value");

  m.class_<Marker>("Marker").readwrite<&Marker::at>("at");
  m.class_<Board>("Board").init<>().def<&put>("put", arg("at"));

  m.class_<Countdown>("Countdown").init<int>(arg("left")).op<Op::kNext, &Countdown::next>();
}
