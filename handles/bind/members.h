// Which Python references a C++ object holds: for the collector, which has to know all of them.
//
// Found by themselves in handles, optionals, vectors and std::arrays, and in aggregates of such:
// nested ones too, of up to 12 members, without a base, C arrays, bit-fields or anonymous unions. A
// class that is none says what it has:
//
//   class Watcher {
//    public:
//     auto owned_members() { return tenure::members(callback_, items_); }
//
// What is not seen is never collected when it is part of a cycle; nothing worse happens.
//
// Not for: what the C++ object shares with others (std::shared_ptr): the collector would count it
// twice.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_MEMBERS_H_
#define TENURE_HANDLES_BIND_MEMBERS_H_

#include <cstddef>
#include <type_traits>
#include <utility>

#include "tenure/handles/owned.h"

namespace tenure {

// References to members.
template <typename... M>
struct Members;
template <>
struct Members<> {};
template <typename First, typename... Rest>
struct Members<First, Rest...> {
  First& first;
  Members<Rest...> rest;
};

inline Members<> members() { return {}; }
template <typename First, typename... Rest>
Members<First, Rest...> members(First& first, Rest&... rest) {
  return {first, members(rest...)};
}

namespace bind {

// Stands for a member of any type when members are counted. Never called.
struct AnyMember {
  template <typename T>
  operator T() const {  // NOLINT(google-explicit-constructor)
    __builtin_unreachable();
  }
};

// The same for the bases of T.
template <typename T>
struct AnyBaseOf {
  template <typename B>
    requires(std::is_base_of_v<B, T> && !std::is_same_v<B, T>)
  operator B() const;  // NOLINT(google-explicit-constructor)
};

inline constexpr size_t kMostMembers = 12;

template <typename T, size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), AnyMember{})...}; };
}
// Braces of an inner aggregate may be left out, parentheses may not.
template <typename T, size_t... I>
constexpr bool takes_whole(std::index_sequence<I...>) {
  return requires { T((static_cast<void>(I), AnyMember{})...); };
}
template <typename T, size_t kCount = kMostMembers + 1>
constexpr size_t count_members() {
  if constexpr (kCount == 0 || takes<T>(std::make_index_sequence<kCount>{})) {
    return kCount;
  } else {
    return count_members<T, kCount - 1>();
  }
}

// The first of what makes a T is a base, if it has one.
template <typename T, size_t... I>
constexpr bool has_base(std::index_sequence<I...>) {
  return requires { T{AnyBaseOf<T>{}, (static_cast<void>(I), AnyMember{})...}; };
}

// Whether a structured binding gets at every member.
template <typename T>
constexpr bool is_seen() {
  if constexpr (!std::is_aggregate_v<T> || std::is_union_v<T>) {
    return false;
  } else {
    constexpr size_t kCount = count_members<T>();
    // Apart, because the second asks what only then makes sense.
    // NOLINTNEXTLINE(bugprone-branch-clone)
    if constexpr (kCount == 0 || kCount > kMostMembers) {
      return false;
    } else if constexpr (has_base<T>(std::make_index_sequence<kCount - 1>{})) {
      return false;
    } else {
      return kCount == 1 || takes_whole<T>(std::make_index_sequence<kCount>{});
    }
  }
}

template <typename T>
auto members_of(T& object) {
  constexpr size_t kCount = count_members<T>();
  if constexpr (kCount == 1) {
    auto& [a] = object;
    return members(a);
  } else if constexpr (kCount == 2) {
    auto& [a, b] = object;
    return members(a, b);
  } else if constexpr (kCount == 3) {
    auto& [a, b, c] = object;
    return members(a, b, c);
  } else if constexpr (kCount == 4) {
    auto& [a, b, c, d] = object;
    return members(a, b, c, d);
  } else if constexpr (kCount == 5) {
    auto& [a, b, c, d, e] = object;
    return members(a, b, c, d, e);
  } else if constexpr (kCount == 6) {
    auto& [a, b, c, d, e, f] = object;
    return members(a, b, c, d, e, f);
  } else if constexpr (kCount == 7) {
    auto& [a, b, c, d, e, f, g] = object;
    return members(a, b, c, d, e, f, g);
  } else if constexpr (kCount == 8) {
    auto& [a, b, c, d, e, f, g, h] = object;
    return members(a, b, c, d, e, f, g, h);
  } else if constexpr (kCount == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = object;
    return members(a, b, c, d, e, f, g, h, i);
  } else if constexpr (kCount == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = object;
    return members(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (kCount == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = object;
    return members(a, b, c, d, e, f, g, h, i, j, k);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = object;
    return members(a, b, c, d, e, f, g, h, i, j, k, l);
  }
}

template <typename T>
concept SaysItsMembers = requires(T& object) { object.owned_members(); };
template <typename T>
concept Optional = requires(T& object) {
  typename T::value_type;
  object.has_value();
  *object;
};
template <typename T>
concept Sequence = requires(T& object) {
  typename T::value_type;
  object.begin();
  object.end();
};

template <typename T>
inline constexpr bool kIsOwned = false;
template <typename T>
inline constexpr bool kIsOwned<Owned<T>> = true;

// Whether a T can hold references. `Outer` are those that it is being asked of already: a tree's
// node holds what its children hold.
template <typename T, typename... Outer>
constexpr bool holds_references();

template <typename M, typename... Outer>
inline constexpr bool kAnyHolds = false;
template <typename... M, typename... Outer>
inline constexpr bool kAnyHolds<Members<M...>, Outer...> = (holds_references<M, Outer...>() || ...);

template <typename T, typename... Outer>
constexpr bool holds_references() {
  // NOLINTNEXTLINE(bugprone-branch-clone): the order matters.
  if constexpr ((std::is_same_v<T, Outer> || ...)) {
    return false;
  } else if constexpr (kIsOwned<T> || SaysItsMembers<T>) {
    return true;
  } else if constexpr (std::is_scalar_v<T> || std::is_reference_v<T>) {
    return false;
  } else if constexpr (std::is_array_v<T>) {
    return holds_references<std::remove_extent_t<T>, Outer...>();
  } else if constexpr (Optional<T> || Sequence<T>) {
    return holds_references<std::remove_const_t<typename T::value_type>, T, Outer...>();
  } else if constexpr (!std::is_trivially_destructible_v<T> && is_seen<T>()) {
    return kAnyHolds<decltype(members_of(std::declval<T&>())), T, Outer...>;
  } else {
    return false;
  }
}

// Calls visit(PyObject*) for each reference, until one answers other than 0.
template <typename Visit, typename T>
int visit_references(T& object, const Visit& visit);

template <typename Visit>
int visit_all(const Members<>& /*none*/, const Visit& /*visit*/) {
  return 0;
}
template <typename Visit, typename First, typename... Rest>
int visit_all(const Members<First, Rest...>& all, const Visit& visit) {
  if (const int stop = visit_references(all.first, visit)) return stop;
  return visit_all(all.rest, visit);
}

template <typename Visit, typename T>
int visit_references([[maybe_unused]] T& object, [[maybe_unused]] const Visit& visit) {
  if constexpr (!holds_references<T>()) {
    return 0;
  } else if constexpr (kIsOwned<T>) {
    return visit(object);
  } else if constexpr (SaysItsMembers<T>) {
    return visit_all(object.owned_members(), visit);
  } else if constexpr (std::is_array_v<T> || Sequence<T>) {
    for (auto& item : object) {
      if (const int stop = visit_references(item, visit)) return stop;
    }
    return 0;
  } else if constexpr (Optional<T>) {
    return object.has_value() ? visit_references(*object, visit) : 0;
  } else {
    return visit_all(members_of(object), visit);
  }
}

}  // namespace bind
}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_MEMBERS_H_
