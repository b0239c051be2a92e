// Bound classes with pools, for bound_pool_test.py.

#include <stdexcept>

#include "tenure/handles/bind/class.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/handles.h"
#include "tenure/pool/instance_pool.h"

using namespace tenure;

namespace {

// Holds a reference, so that the collector knows its instances.
struct Node {
  explicit Node(Owned<Object> object) : held(std::move(object)) {
    if (Str::check(held.get())) throw std::invalid_argument("a node holds no str");
  }
  Owned<Object> held;
  auto owned_members() { return members(held); }
};

struct Animal {
  int legs = 4;
};
// Says nothing of memory itself, and is larger.
struct Dog : Animal {
  double speed = 1;
};

struct Seen {
  int number;
};

Node node_of(Borrowed<> object) { return Node(object.new_ref()); }
Animal animal_with(int legs) {
  if (legs < 0) throw std::invalid_argument("legs are not below zero");
  return Animal{legs};
}

Result<Tuple> counts() {
  const pool::PoolStatistics counted = pool::statistics_of_all();
  return Tuple::make(TENURE_TRY(Int::make(counted.live)), TENURE_TRY(Int::make(counted.retained)));
}
size_t trim() { return pool::trim_all(); }

}  // namespace

template <>
struct tenure::ClassTraits<Node> : tenure::DefaultTraits<Node> {
  using Pool = tenure::pool::InstancePool<Node>;
};
template <>
struct tenure::ClassTraits<Animal> : tenure::DefaultTraits<Animal> {
  using Pool = tenure::pool::InstancePool<Animal>;
};
template <>
struct tenure::ClassTraits<Dog> : tenure::DefaultTraits<Dog> {
  using Base = Animal;
};
template <>
struct tenure::ClassTraits<Seen> : tenure::DefaultTraits<Seen> {
  using Pool = tenure::pool::InstancePool<Seen>;
  static constexpr bool kHasWeakrefs = true;
};

TENURE_MODULE(bound_pool_sample, m, .per_interpreter_gil = true, .free_threading = true) {
  m.class_<Node>("Node").init<Owned<Object>>(arg("held")).readonly<&Node::held>("held");
  m.class_<Animal>("Animal").init<int>(arg("legs")).readonly<&Animal::legs>("legs");
  m.class_<Dog>("Dog").init<>().readonly<&Dog::speed>("speed");
  m.class_<Seen>("Seen").init<int>(arg("number")).readonly<&Seen::number>("number");
  m.def<&node_of>("node_of");
  m.def<&animal_with>("animal_with");
  m.def<&counts>("counts");
  m.def<&trim>("trim");
}
