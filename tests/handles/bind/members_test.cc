#include "tenure/handles/bind/members.h"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/handles/handles.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

using bind::holds_references;

struct Empty {};
struct One {
  Owned<> a;
};
struct Mixed {
  int i;
  std::string s;
  Owned<List> a;
};
struct Nested {
  One one;
  Mixed mixed;
  Empty none;
};
struct Inner {
  struct {
    Owned<> a;
    int b;
  } inner;
  int c;
};
struct Array {
  std::array<Owned<>, 3> a;
};
struct Optional {
  std::optional<One> a;
  std::optional<int> b;
};
struct Vector {
  std::vector<One> a;
  std::vector<bool> b;
};
struct Most {
  Owned<> a, b, c, d, e, f, g, h, i, j, k, l;
};
struct Beside {
  std::function<void()> f;
  Owned<> b;
  std::unique_ptr<int> p;
  std::map<std::string, int> m;
};
struct Tree {
  std::vector<Tree> children;
  Owned<> value;
};
struct Forest {
  std::vector<Tree> trees;
};
class Says {
 public:
  explicit Says(Owned<> x) : x_(std::move(x)) {}
  auto owned_members() { return members(x_); }

 private:
  Owned<> x_;
};
struct HasSays {
  Says says;
};
static_assert(holds_references<One>() && holds_references<Mixed>() && holds_references<Nested>());
static_assert(holds_references<Inner>() && holds_references<Array>() &&
              holds_references<Optional>());
static_assert(holds_references<Vector>() && holds_references<Most>() && holds_references<Beside>());
static_assert(holds_references<Tree>() && holds_references<Forest>() &&
              holds_references<HasSays>());

// Not seen, but no error either.
struct TooMany {
  Owned<> a, b, c, d, e, f, g, h, i, j, k, l, m;
};
struct CArray {
  Owned<> a[2];
  int b;
};
struct Derived : One {
  Owned<> b;
};
struct DerivedOnly : One {};
struct DerivedOfEmpty : Empty {
  Owned<> b;
};
struct Reference {
  int& x;
  Owned<> y;
};
struct Closed {
  explicit Closed(Owned<> with) : x(std::move(with)) {}
  Owned<> x;
};
struct Leaves {
  std::vector<Leaves> children;
  std::string value;
};
struct Pointer {
  std::unique_ptr<Owned<>> p;
};
static_assert(!holds_references<TooMany>() && !holds_references<CArray>());
static_assert(!holds_references<Derived>() && !holds_references<DerivedOnly>());
static_assert(!holds_references<DerivedOfEmpty>() && !holds_references<Reference>());
static_assert(!holds_references<Closed>() && !holds_references<Leaves>());
static_assert(!holds_references<Pointer>() && !holds_references<Empty>());
static_assert(!holds_references<int>() && !holds_references<std::string>());

template <typename T>
int count(T& object) {
  int found = 0;
  bind::visit_references(object, [&](const Object& /*member*/) { return ++found, 0; });
  return found;
}

Owned<> none() { return Owned<>::steal(Py_NewRef(Py_None)); }

TEST(Members, AreAllVisited) {
  Tree tree{{}, none()};
  tree.children.push_back({{}, none()});
  tree.children.back().children.push_back({{}, none()});
  EXPECT_EQ(count(tree), 3);
  Optional optional{std::nullopt, 1};
  EXPECT_EQ(count(optional), 0);
  optional.a.emplace(none());
  EXPECT_EQ(count(optional), 1);
  HasSays says{Says(none())};
  EXPECT_EQ(count(says), 1);
  Array array{{none(), none(), none()}};
  EXPECT_EQ(count(array), 3);
}

TEST(Members, StopsWhereItIsTold) {
  Array array{{none(), none(), none()}};
  int found = 0;
  EXPECT_EQ(bind::visit_references(array, [&](const Object&) { return ++found == 2 ? 7 : 0; }), 7);
  EXPECT_EQ(found, 2);
}

}  // namespace
}  // namespace tenure
