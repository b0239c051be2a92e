// Classes whose objects are plain values, for classes_test.py.

#include <cmath>
#include <stdexcept>
#include <vector>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/pool/instance_pool.h"

namespace {

using namespace tenure;

struct Vector {
  double x = 0;
  double y = 0;
  [[nodiscard]] double length() const { return std::sqrt(x * x + y * y); }
  void scale(double factor) {
    x *= factor;
    y *= factor;
  }
  [[nodiscard]] Vector scaled(double factor) const { return {x * factor, y * factor}; }
  void set_length(double wanted) {
    if (wanted < 0) throw std::invalid_argument("a length is not below zero");
    scale(wanted / length());
  }
};

Vector plus(const Vector& a, const Vector& b) { return {a.x + b.x, a.y + b.y}; }
Vector minus(const Vector& a, const Vector& b) { return {a.x - b.x, a.y - b.y}; }
Vector times(const Vector& a, double f) { return {a.x * f, a.y * f}; }
Vector times_left(double f, const Vector& a) { return times(a, f); }
void plus_is(Vector& a, const Vector& b) { a = plus(a, b); }
Vector negative(const Vector& a) { return {-a.x, -a.y}; }
bool same(const Vector& a, const Vector& b) { return a.x == b.x && a.y == b.y; }
size_t hash(const Vector& a) { return static_cast<size_t>(a.x * 31 + a.y); }
Result<Str> repr(const Vector& a) {
  Result<Float> x = Float::make(a.x);
  Result<Float> y = Float::make(a.y);
  return PyUnicode_FromFormat("Vector(%R, %R)", x.get(), y.get());
}
bool is_there(const Vector& a) { return a.x != 0 || a.y != 0; }
Result<Float> item(const Vector& a, int i) {
  if (i != 0 && i != 1) throw std::out_of_range("0 or 1");
  return Float::make(i == 0 ? a.x : a.y);
}
void set_item(Vector& a, int i, double value) { (i == 0 ? a.x : a.y) = value; }
void del_item(Vector& a, int i) { set_item(a, i, 0); }
bool contains(const Vector& a, double value) { return a.x == value || a.y == value; }

// Every operator says its name.
struct Ops {};
Result<Tuple> said(const char* name, PyObject* a, PyObject* b) {
  return Py_BuildValue("(sOO)", name, a, b);
}
#define TENURE_BINARY(name) [](Borrowed<> a, Borrowed<> b) { return said(name, a.get(), b.get()); }

// It needs an argument, and cannot be assigned to.
class Key {
 public:
  explicit Key(int number) : number_(number) {
    if (number < 0) throw std::out_of_range("no such key");
  }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  ~Key() { ++dropped; }
  [[nodiscard]] int number() const { return number_; }
  static inline int dropped = 0;

 private:
  const int number_;
};

// It needs an argument, and can be assigned to.
struct Label {
  explicit Label(std::string_view with) : text(with) {}
  Label(const Label&) = default;
  Label(Label&&) = default;
  Label& operator=(const Label&) = default;
  Label& operator=(Label&&) = default;
  ~Label() = default;
  std::string text;
  [[nodiscard]] std::string_view get() const { return text; }
  void set(std::string_view to) { text = to; }
  // What is called meanwhile may make the object anew.
  Result<> during(Borrowed<> callback) {
    Result<> answered = callback.call();
    if (!answered) return Failed{};
    text += "!";
    return answered;
  }
};

// Made in place by a factory that runs Python code.
struct Numbers {
  std::vector<double> all;
  Lent<double, 1> lent() { return {all.data(), {static_cast<Py_ssize_t>(all.size())}}; }
  double call(double x, double y) { return x + y + (all.empty() ? 0 : all[0]); }
};
Numbers make_numbers(Arguments given) {
  Numbers made;
  for (PyObject* one : given.positional) {
    made.all.push_back(PyFloat_AsDouble(one));
    if (PyErr_Occurred() != nullptr) throw_python_error();
  }
  return made;
}
// The same without a buffer.
struct Row {
  explicit Row(int) {}
  Row(Row&&) = default;
  Row& operator=(Row&&) = default;
  std::vector<double> all;
  void add(double x) { all.push_back(x); }
  void cut() { all.pop_back(); }
  [[nodiscard]] size_t size() const { return all.size(); }
};
Row make_row(Arguments given) {
  Row made(0);
  for (PyObject* one : given.positional) {
    made.all.push_back(PyFloat_AsDouble(one));
    if (PyErr_Occurred() != nullptr) throw_python_error();
  }
  return made;
}

struct Grid {
  int cells[6] = {1, 2, 3, 4, 5, 6};
  Lent<const int, 2> lent() const { return {cells, {2, 3}}; }
};

// A class and one that derives from it.
struct Animal {
  Animal() = default;
  explicit Animal(int with) : legs(with) {}
  int legs = 4;
  [[nodiscard]] int count() const { return legs; }
  bool operator==(const Animal& other) const = default;
};
struct Dog : Animal {
  Dog() = default;
  explicit Dog(int with) : Animal(with) {}
  [[nodiscard]] int paws() const { return legs; }
};
struct Cat : Animal {
  Cat() = default;
  double lives = 9;
};
int legs_of(const Animal& animal) { return animal.legs; }
int paws_of(const Dog& dog) { return dog.legs; }

struct Patched {
  int value = 1;
  int get() const { return value; }
};
struct Final {};

// Its memory is kept for the next ones.
struct Pooled {
  explicit Pooled(int with) : number(with) {
    if (with < 0) throw std::invalid_argument("below zero");
  }
  int number;
};

struct Statics {};
int twice(int x) { return 2 * x; }
Borrowed<> itself(Borrowed<> cls) { return cls; }

Result<> of_handle(Borrowed<> self) { return self.getattr("__class__"); }
std::optional<Vector> maybe(const Vector* given) {
  if (given == nullptr) return std::nullopt;
  return *given;
}

struct Unbound {};
int of_unbound(const Unbound&) { return 0; }

}  // namespace

template <>
struct tenure::ClassTraits<Dog> : tenure::DefaultTraits<Dog> {
  using Base = Animal;
};
template <>
struct tenure::ClassTraits<Cat> : tenure::DefaultTraits<Cat> {
  using Base = Animal;
};
template <>
struct tenure::ClassTraits<Patched> : tenure::DefaultTraits<Patched> {
  static constexpr bool kMayBePatched = true;
};
template <>
struct tenure::ClassTraits<Pooled> : tenure::DefaultTraits<Pooled> {
  using Pool = tenure::pool::InstancePool<Pooled>;
};
template <>
struct tenure::ClassTraits<Final> : tenure::DefaultTraits<Final> {
  static constexpr bool kMayBeBase = false;
};

namespace {

TENURE_MODULE(classes_sample, m, .doc = "Classes.", .per_interpreter_gil = true,
              .free_threading = true) {
  m.class_<Vector>("Vector", doc("In the plane."))
      .init<double, double>(arg("x") = 0.0, arg("y") = 0.0)
      .def<&Vector::scale>("scale", arg("factor"), doc("Longer."))
      .def<&Vector::scaled>("scaled")
      .def<&of_handle>("of_handle")
      .op<Op::kAdd, &plus>()
      .op<Op::kSub, &minus>()
      .op<Op::kMul, &times, &times_left>()
      .op<Op::kInPlaceAdd, &plus_is>()
      .op<Op::kNegative, &negative>()
      .op<Op::kEq, &same>()
      .op<Op::kHash, &hash>()
      .op<Op::kRepr, &repr>()
      .op<Op::kBool, &is_there>()
      .op<Op::kGetItem, &item>()
      .op<Op::kSetItem, &set_item>()
      .op<Op::kDelItem, &del_item>()
      .op<Op::kContains, &contains>()
      .pickle<[](const Vector& v) -> Result<Tuple> { return Py_BuildValue("(dd)", v.x, v.y); }>()
      .readonly<&Vector::x>("x", doc("To the right."))
      .readwrite<&Vector::y>("y")
      .property<&Vector::length, &Vector::set_length>("length");
  m.class_<Ops>("Ops")
      .init<>()
      .op<Op::kSub, TENURE_BINARY("-")>()
      .op<Op::kTrueDiv, TENURE_BINARY("/")>()
      .op<Op::kFloorDiv, TENURE_BINARY("//")>()
      .op<Op::kMod, TENURE_BINARY("%")>()
      .op<Op::kDivMod, TENURE_BINARY("divmod")>()
      .op<Op::kLeftShift, TENURE_BINARY("<<")>()
      .op<Op::kRightShift, TENURE_BINARY(">>")>()
      .op<Op::kAnd, TENURE_BINARY("&")>()
      .op<Op::kOr, TENURE_BINARY("|")>()
      .op<Op::kXor, TENURE_BINARY("^")>()
      .op<Op::kMatMul, TENURE_BINARY("@")>()
      .op<Op::kPow, TENURE_BINARY("**")>()
      .op<Op::kLt, TENURE_BINARY("<")>()
      .op<Op::kGe, TENURE_BINARY(">=")>()
      .op<Op::kLen, [](const Ops&) { return -3; }>()
      .op<Op::kInt, [](const Ops&) { return 7; }>()
      .op<Op::kFloat, [](const Ops&) { return 7.5; }>()
      .op<Op::kIndex, [](const Ops&) { return 3; }>()
      .op<Op::kStr, [](const Ops&) { return "ops"; }>();
  m.class_<Key>("Key")
      .init<int>(arg("number"))
      .property<&Key::number>("number")
      .op<Op::kRepr, [](const Key&) { return "Key"; }>()
      .op<Op::kGetItem, [](const Key& key, int x) { return key.number() + x; }>()
      .op<Op::kContains, [](const Key& key, int x) { return key.number() == x; }>();
  m.def<[] { return Key::dropped; }>("keys_dropped");
  m.class_<Label>("Label")
      .init<std::string_view>(arg("text"))
      .property<&Label::get, &Label::set>("text")
      .def<&Label::during>("during");
  m.class_<Numbers>("Numbers")
      .init<&make_numbers>()
      .sequence<&Numbers::all>()
      .call<&Numbers::call>(arg("x"), arg("y") = 1.0)
      .buffer<&Numbers::lent>();
  m.class_<Row>("Row").init<&make_row>().sequence<&Row::all>().def<&Row::add>("add").def<&Row::cut>(
      "cut");
  m.class_<Grid>("Grid").init<>().buffer<&Grid::lent>();
  m.class_<Animal>("Animal")
      .init<int>(arg("legs") = 4)
      .readwrite<&Animal::legs>("legs")
      .def<&Animal::count>("count")
      .op<Op::kEq, [](const Animal& a, const Animal& b) { return a == b; }>();
  m.class_<Dog>("Dog")
      .init<int>(arg("legs") = 4)
      .def<&Dog::paws>("paws")
      .op<Op::kLt, [](const Dog& a, const Dog& b) { return a.legs < b.legs; }>();
  m.class_<Cat>("Cat").init<>().readwrite<&Cat::lives>("lives");
  m.def<&legs_of>("legs_of").def<&paws_of>("paws_of");
  m.class_<Patched>("Patched").init<>().def<&Patched::get>("get").readwrite<&Patched::value>(
      "value");
  m.class_<Final>("Final").init<>();
  m.class_<Pooled>("Pooled").init<int>(arg("number")).readonly<&Pooled::number>("number");
  m.class_<Statics>("Statics").static_def<&twice>("twice", arg("x")).class_def<&itself>("itself");
  m.def<&maybe>("maybe", arg("given") = none);
  m.def<&of_unbound>("of_unbound");
}

}  // namespace
