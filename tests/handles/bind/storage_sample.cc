// Classes that hold references, share their objects or derive from built-in ones, for
// storage_test.py.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tenure/handles/bind/builtin_bases.h"
#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/bind/shared.h"
#include "tenure/handles/handles.h"

namespace {

using namespace tenure;

struct Watcher {
  Owned<> callback;
  Result<> call() const { return callback.call(); }
};

struct Slot {
  std::optional<Owned<>> item;
};
// All that the collector is shown by itself.
struct Everything {
  std::vector<Slot> slots;
  std::array<Owned<>, 2> pair;
  std::string name;
  std::optional<Owned<>> last;
};
Everything make_everything(Owned<> a, Owned<> b) {
  return {{}, {std::move(a), std::move(b)}, "everything", std::nullopt};
}
void add(Everything& all, Owned<> item) {
  all.slots.emplace_back();
  all.slots.back().item = std::move(item);
}
size_t size(const Everything& all) { return all.slots.size(); }

// It says what it holds.
class Private {
 public:
  explicit Private(Owned<> item) : item_(std::move(item)) {}
  auto owned_members() { return members(item_); }
  void set(Owned<> item) { item_ = std::move(item); }
  [[nodiscard]] Owned<> get() const { return item_.new_ref(); }

 private:
  Owned<> item_;
};

struct Tree {
  std::vector<Tree> children;
  Owned<> value;
};
Tree make_tree(Owned<> value, Owned<> inner) {
  Tree tree{{}, std::move(value)};
  tree.children.push_back({{}, std::move(inner)});
  return tree;
}

struct WithDict {
  int number = 1;
};
struct WithWeakrefs {
  int number = 2;
};
struct DerivedDict : WithDict {
  int more = 3;
};

// A part of something else.
struct Wheel {
  int turns = 0;
  void turn() { ++turns; }
};
struct Car {
  std::array<Wheel, 4> wheels;
  ~Car() { ++dropped; }
  static inline int dropped = 0;
};

// By reference, and its own.
struct Holder {
  explicit Holder(Owned<> with) : item(std::move(with)) {}
  auto owned_members() { return members(item); }
  Owned<> item;
  Owned<> get() { return item.new_ref(); }
  ~Holder() { ++dropped; }
  Holder(const Holder&) = delete;
  static inline int dropped = 0;
};

struct Node {
  explicit Node(int with) : number(with) {}
  ~Node() { ++dropped; }
  int number;
  static inline int dropped = 0;
  void add() { ++number; }
};
std::shared_ptr<Node>& kept() {
  static std::shared_ptr<Node> node;
  return node;
}
void keep(std::shared_ptr<Node> node) { kept() = std::move(node); }
std::shared_ptr<Node> give() { return kept(); }
struct Made {
  int number = 1;
};
std::shared_ptr<Made> make_made(bool is_there) {
  return is_there ? std::make_shared<Made>() : nullptr;
}

struct Stack {
  Owned<> extra;
  int pushed = 0;
};
Result<> push(Borrowed<> self, Borrowed<> item) {
  if (PyList_Append(self.get(), item.get()) < 0) return Failed{};
  return self.new_ref();
}
struct Table {
  int number = 5;
};
struct Group {
  int number = 6;
};
struct Error {
  explicit Error(int with) : code(with) {}
  int code;
};

}  // namespace

namespace tenure {
template <>
struct ClassTraits<WithDict> : DefaultTraits<WithDict> {
  static constexpr bool kHasDict = true;
};
template <>
struct ClassTraits<DerivedDict> : DefaultTraits<DerivedDict> {
  using Base = WithDict;
};
template <>
struct ClassTraits<WithWeakrefs> : DefaultTraits<WithWeakrefs> {
  static constexpr bool kHasWeakrefs = true;
};
template <>
struct ClassTraits<Wheel> : DefaultTraits<Wheel> {
  static constexpr Stored kStored = Stored::kReference;
};
template <>
struct ClassTraits<Holder> : DefaultTraits<Holder> {
  static constexpr Stored kStored = Stored::kReference;
};
template <>
struct ClassTraits<Node> : DefaultTraits<Node> {
  static constexpr Stored kStored = Stored::kShared;
};
template <>
struct ClassTraits<Made> : DefaultTraits<Made> {
  static constexpr Stored kStored = Stored::kShared;
};
template <>
struct ClassTraits<Stack> : DefaultTraits<Stack> {
  using BuiltinBase = List;
};
template <>
struct ClassTraits<Table> : DefaultTraits<Table> {
  using BuiltinBase = Dict;
};
template <>
struct ClassTraits<Group> : DefaultTraits<Group> {
  using BuiltinBase = Set;
};
template <>
struct ClassTraits<Error> : DefaultTraits<Error> {
  using BuiltinBase = Exception;
};
}  // namespace tenure

namespace {

Kept<Wheel> wheel(Borrowed<> self, size_t i) {
  return {bind::object_of<Car>(self.get()).wheels.at(i), self};
}

TENURE_MODULE(storage_sample, m, .per_interpreter_gil = true, .free_threading = true) {
  m.class_<Watcher>("Watcher")
      .init<Owned<>>(arg("callback"))
      .readwrite<&Watcher::callback>("callback")
      .def<&Watcher::call>("call");
  m.class_<Everything>("Everything")
      .init<&make_everything>(arg("a"), arg("b"))
      .def<&add>("add")
      .def<&size>("size")
      .def<[](Everything& all, Owned<> last) { all.last = std::move(last); }>("set_last");
  m.class_<Private>("Private")
      .init<Owned<>>(arg("item"))
      .property<&Private::get, &Private::set>("item");
  m.class_<Tree>("Tree")
      .init<&make_tree>(arg("value"), arg("inner"))
      .readonly<&Tree::value>("value");
  m.class_<WithDict>("WithDict").init<>().readwrite<&WithDict::number>("number");
  m.class_<DerivedDict>("DerivedDict").init<>().readwrite<&DerivedDict::more>("more");
  m.class_<WithWeakrefs>("WithWeakrefs").init<>().readwrite<&WithWeakrefs::number>("number");
  m.class_<Wheel>("Wheel").init<>().def<&Wheel::turn>("turn").readonly<&Wheel::turns>("turns");
  m.class_<Car>("Car").init<>().def<&wheel>("wheel", arg("i"));
  m.def<[] { return Car::dropped; }>("cars_dropped");
  m.class_<Holder>("Holder").init<Owned<>>(arg("item")).property<&Holder::get>("item");
  m.def<[] { return Holder::dropped; }>("holders_dropped");
  m.class_<Node>("Node")
      .init<int>(arg("number"))
      .def<&Node::add>("add")
      .readwrite<&Node::number>("number");
  m.def<&keep>("keep", arg("node")).def<&give>("give");
  m.def<[] { kept().reset(); }>("drop");
  m.def<[] { return Node::dropped; }>("nodes_dropped");
  m.def<[](const Node& node) { return node.number; }>("number_of");
  m.class_<Made>("Made").init<&make_made>(arg("is_there")).readonly<&Made::number>("number");
  m.class_<Stack>("Stack")
      .init<Owned<>>(arg("extra"))
      .readwrite<&Stack::extra>("extra")
      .readwrite<&Stack::pushed>("pushed")
      .def<&push>("push");
  m.class_<Table>("Table").init<>().readwrite<&Table::number>("number");
  m.class_<Group>("Group").init<>().readwrite<&Group::number>("number");
  m.class_<Error>("Error").init<int>(arg("code")).readwrite<&Error::code>("code");
}

}  // namespace
