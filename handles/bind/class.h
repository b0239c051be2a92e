// class_<T>("Name"): a C++ class as a Python class.
//
//   m.class_<Vector>("Vector", doc("A vector in the plane."))
//       .init<double, double>(arg("x"), arg("y") = 0.0)
//       .def<&Vector::scale>("scale", arg("factor"))
//       .readonly<&Vector::x>("x")
//       .property<&Vector::length>("length")
//       .op<Op::kAdd, &add>();
//
// The class is made at the end of the expression. Methods are member functions, or functions whose
// first parameter is a T&, or a Borrowed<> to see the Python object itself. Static and class
// methods, operators (op.h), buffers, iteration, pickling: each says itself what it needs.
//
// Instances: bind/instance.h, with what ClassTraits can choose. References that T holds are found
// and shown to the collector: bind/members.h.
//
// Overloads: none. A Python function has one signature; where an operator takes several types, op<>
// takes several functions and tries them in order.
//
// Thread safety: attached, while its module is being imported.
#ifndef TENURE_HANDLES_BIND_CLASS_H_
#define TENURE_HANDLES_BIND_CLASS_H_

#include <cstddef>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/class_record.h"
#include "tenure/handles/bind/function.h"
#include "tenure/handles/bind/module.h"
#include "tenure/handles/bind/op.h"
#include "tenure/handles/bind/protocols.h"
#include "tenure/handles/bind/self.h"

namespace tenure {
namespace bind {

template <typename T>
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (is_usable<T>(self)) {
    Value<T>& value = instance<T>(self)->value;
    if constexpr (kStored<T> == Stored::kReference) {
      Py_VISIT(value.owner);
      // One that others own is theirs to show.
      if (value.owner == nullptr) {
        const int stop = visit_references(
            *value.object, [&](const Object& member) { return visit(member.get(), arg); });
        if (stop != 0) return stop;
      }
    } else if constexpr (kStored<T> == Stored::kInline) {
      const int stop =
          visit_references(value, [&](const Object& member) { return visit(member.get(), arg); });
      if (stop != 0) return stop;
    }
  }
  if constexpr (has_dict<T>()) {
    if (const int stop = PyObject_VisitManagedDict(self, visit, arg)) return stop;
  }
  if constexpr (kHasBuiltinBase<T>) {
    if (const traverseproc base = BuiltinBase<T>::type()->tp_traverse) {
      return base(self, visit, arg);
    }
  }
  return 0;
}

template <typename T>
int clear(PyObject* self) {
  unmake<T>(self);
  if constexpr (has_dict<T>()) PyObject_ClearManagedDict(self);
  if constexpr (kHasBuiltinBase<T>) {
    if (const inquiry base = BuiltinBase<T>::type()->tp_clear) return base(self);
  }
  return 0;
}

template <typename T>
void dealloc(PyObject* self) {
  if constexpr (is_collected<T>()) {
    PyObject_GC_UnTrack(self);
    // Long chains of instances would otherwise need as deep a stack.
    Py_TRASHCAN_BEGIN(self, dealloc<T>);
    if constexpr (has_weakrefs<T>()) PyObject_ClearWeakRefs(self);
    unmake<T>(self);
    if constexpr (has_dict<T>()) PyObject_ClearManagedDict(self);
    if constexpr (kHasPool<T>) {
      PyTypeObject* const type = Py_TYPE(self);
      if (type->tp_free == &Memory<T>::tp_free) [[likely]] {
        Memory<T>::tp_free(self);
      } else {
        type->tp_free(self);
      }
      Py_DECREF(type);
    } else {
      free_collected(self, kHasBuiltinBase<T> ? BuiltinBase<T>::type() : nullptr);
    }
    Py_TRASHCAN_END;
  } else {
    PyTypeObject* const type = Py_TYPE(self);
    unmake<T>(self);
    if (!ClassTraits<T>::kMayBeBase || type->tp_dealloc == &dealloc<T>) {
      Memory<T>::give(self, type);
    } else {
      type->tp_free(self);
    }
    Py_DECREF(type);
  }
}

// A new reference that is answered as it is.
struct NewReference {
  PyObject* object;
};

template <typename T>
concept Assignable = std::is_move_assignable_v<Value<T>> && std::is_move_constructible_v<Value<T>>;

// What the value of a new instance is made by: `Make(place, arguments...)`.
template <typename T, typename... A>
struct Construct {
  using Parameters = Types<A...>;
  static void make(Value<T>* place, A... arguments) {
    StorageOf<T>::make(place, std::forward<A>(arguments)...);
  }
};

template <typename T, auto kFactory, typename Parameters>
struct Manufacture;
template <typename T, auto kFactory, typename... A>
struct Manufacture<T, kFactory, Types<A...>> {
  using Parameters = Types<A...>;
  static void make(Value<T>* place, A... arguments) {
    if constexpr (kStored<T> == Stored::kReference) {
      ::new (place) ByReference<T>{new T(kFactory(std::forward<A>(arguments)...)), nullptr};
    } else {
      ::new (place) Value<T>(kFactory(std::forward<A>(arguments)...));
    }
  }
};

template <typename T, typename Maker, typename Parameters = typename Maker::Parameters>
struct Constructor;
template <typename T, typename Maker, typename... A>
struct Constructor<T, Maker, Types<A...>> {
  // Of exactly T.
  static NewReference make(PyObject* type, A... arguments) {
    return {new_instance<T>(reinterpret_cast<PyTypeObject*>(type), [&](Value<T>* place) {
      Maker::make(place, std::forward<A>(arguments)...);
    })};
  }

  // __init__ of what is there already.
  static NewReference remake(PyObject* self, A... arguments) {
    Value<T>* const place = &instance<T>(self)->value;
    if constexpr (may_be_missing<T>()) {
      if (!is_usable<T>(self)) return make_late(self, std::forward<A>(arguments)...);
    }
    if (lends_memory<T>() && is_lent(self)) return {refuse_lent(self)};
    if constexpr (Assignable<T>) {
      struct Room {
        Room() {}   // NOLINT(modernize-use-equals-default)
        ~Room() {}  // NOLINT(modernize-use-equals-default)
        union {
          Value<T> value;
        };
      } room;
      Maker::make(&room.value, std::forward<A>(arguments)...);
      const bool is_there = bind::is_there<T>(room.value, Py_TYPE(self));
      // What was there goes last: its destructor may run code that looks at this object.
      if (is_there) std::swap(*place, room.value);
      destroy<T>(room.value);
      return {is_there ? Py_NewRef(Py_None) : nullptr};
    } else {
      return {refuse_init(self, Made::kYes)};
    }
  }

  // What is not there yet is made in place, where another __init__() must not come meanwhile: the
  // arguments are converted, but making may run any Python code.
  static NewReference make_late(PyObject* self, A... arguments) {
    Instance<T>* const here = instance<T>(self);
    if (here->made == Made::kBeing) return {refuse_init(self, Made::kBeing)};
    struct Making {
      ~Making() { made = result; }
      Made& made;
      Made result = Made::kNo;
    };
    {
      Making making{here->made};
      making.made = Made::kBeing;
      Maker::make(&here->value, std::forward<A>(arguments)...);
      making.result = Made::kYes;
    }
    if (is_there<T>(here->value, Py_TYPE(self))) return {Py_NewRef(Py_None)};
    unmake<T>(self);
    return {nullptr};
  }
};

// Constructor calls by a type's vectorcall; by tp_new and tp_init for a class in Python that
// derives from it, and for those who call __new__() and __init__() themselves.
template <typename T, typename Maker, typename Site, typename... S>
struct Init {
  using Parameters = typename Maker::Parameters;
  using Form = Shape<Parameters, Types<S...>>;
  using Calls = Constructor<T, Maker>;
  using Make = Bound<&Calls::make, Site, PlainSelf, Form>;
  using Remake = Bound<&Calls::remake, Site, PlainSelf, Form>;

  static PyObject* construct(PyObject* type, PyObject* const* arguments, size_t flagged,
                             PyObject* kwnames) {
    if constexpr (Make::kIsQuick) {
      typename Make::Loaded loaders;
      if (kwnames == nullptr && PyVectorcall_NARGS(flagged) == Py_ssize_t{Make::kCount} &&
          Form::kPositional == Make::kCount &&
          Make::load_quickly(loaders, arguments, typename Make::Indices{})) [[likely]] {
        return Make::finish(type, loaders, arguments, typename Make::Indices{});
      }
    }
    return construct_slowly(type, arguments, flagged, kwnames);
  }

  // Apart, so that what is frequent needs no room for what is not.
  [[gnu::noinline]] static PyObject* construct_slowly(PyObject* type, PyObject* const* arguments,
                                                      size_t flagged, PyObject* kwnames) {
    return Make::by_keyword(type, arguments, PyVectorcall_NARGS(flagged), kwnames);
  }

  static int tp_init(PyObject* self, PyObject* tuple, PyObject* dict) {
    PyObject* const none = Remake::from_tuple(self, tuple, dict);
    Py_XDECREF(none);
    return none != nullptr ? 0 : -1;
  }

  // __init__ comes next.
  static PyObject* tp_new(PyTypeObject* type, PyObject* /*tuple*/, PyObject* /*dict*/) {
    if constexpr (kHasBuiltinBase<T>) {
      return new_of_builtin(type, BuiltinBase<T>::type());
    } else if constexpr (is_collected<T>()) {
      return type->tp_alloc(type, 0);
    } else {
      PyObject* const self = new_plain<T>(type);
      if constexpr (!may_be_missing<T>()) {
        static_assert(std::is_nothrow_default_constructible_v<T>,
                      "what can be without an argument and never throw need not be missing");
        if (self != nullptr) ::new (&instance<T>(self)->value) T();
      }
      return self;
    }
  }
};

template <auto kMember>
struct MemberOf;
template <typename C, typename M, M C::* kMember>
struct MemberOf<kMember> {
  using Class = C;
  using Type = M;
};

// What a member is shown as: a copy, and of a reference another one.
template <typename M>
decltype(auto) shown(const M& member) {
  if constexpr (requires { member.new_ref(); }) {
    return member.new_ref();
  } else {
    return M(member);
  }
}

// Attributes: one C++ member, or a function to read and one to write.
template <typename T, auto kGet>
PyObject* get_attribute(PyObject* self, void* /*name*/) {
  if (!is_usable<T>(self)) [[unlikely]]
    return refuse_self(self);
  if constexpr (std::is_member_object_pointer_v<decltype(kGet)>) {
    const T& object = object_of<T>(self);
    using M = typename MemberOf<kGet>::Type;
    return guarded<std::is_scalar_v<M>>([&] { return Storer<M>::convert(shown(object.*kGet)); });
  } else {
    using Sig = Signature<kGet>;
    return guarded<Sig::kNoexcept>([&] {
      using First = typename FirstOf<typename Sig::Parameters>::Type;
      return answer<typename Sig::Return>([&]() -> decltype(auto) {
        if constexpr (std::is_same_v<std::remove_cvref_t<First>, Borrowed<>>) {
          return kGet(Borrowed<>(self));
        } else {
          return call<kGet>(object_of<T>(self));
        }
      });
    });
  }
}

template <typename T, auto kSet, typename A>
int set_attribute(PyObject* self, PyObject* value, void* name) {
  if (value == nullptr) return refuse_deletion(name);
  PyObject* const done = guarded<false>([&]() -> PyObject* {
    Loader<A> loader;
    if (!loader.load(value)) {
      refuse_value(static_cast<const char*>(name), Loader<A>::kExpected, value);
      return nullptr;
    }
    if (!is_usable<T>(self)) return refuse_self(self);
    T& object = object_of<T>(self);
    if constexpr (std::is_member_object_pointer_v<decltype(kSet)>) {
      using M = typename MemberOf<kSet>::Type;
      // What was there goes last: its destructor may run code that looks at this object.
      [[maybe_unused]] M old = std::exchange(object.*kSet, M(loader.get()));
      return Py_None;
    } else if constexpr (std::is_void_v<typename Signature<kSet>::Return>) {
      call<kSet>(object, loader.get());
      return Py_None;
    } else {
      return call<kSet>(object, loader.get()) ? Py_None : nullptr;
    }
  });
  return done != nullptr ? 0 : -1;
}

}  // namespace bind

template <>
struct ToPython<bind::NewReference> {
  static constexpr bool kNeverThrows = true;
  static constexpr const char* kAnnotation = "None";
  static PyObject* convert(bind::NewReference value) { return value.object; }
};

// What m.class_<T>() answers; lives to the end of the expression, and makes the class there.
template <typename T>
class ClassBuilder {
 public:
  ClassBuilder(bind::Module& module, const char* name, const char* documentation,
               bool is_public = true)
      : module_(module), is_first_(module.is_first()), is_public_(is_public) {
    if (!is_first_) return;
    bind::class_info<T>.name = name;
    if (is_public) bind::class_info<T>.annotation = name;
    // An earlier import may have failed half-way.
    record.reset(documentation);
    bind::SharedSlots<T>::reset();
    if constexpr (bind::is_collected<T>()) {
      record.add_slot(Py_tp_traverse, reinterpret_cast<void*>(&bind::traverse<T>));
      record.add_slot(Py_tp_clear, reinterpret_cast<void*>(&bind::clear<T>));
    }
    if constexpr (bind::kHasPool<T>) {
      record.add_slot(Py_tp_alloc, reinterpret_cast<void*>(&bind::Memory<T>::tp_alloc));
      record.add_slot(Py_tp_free, reinterpret_cast<void*>(&bind::Memory<T>::tp_free));
    }
    check_base();
  }
  ClassBuilder(const ClassBuilder&) = delete;
  ClassBuilder& operator=(const ClassBuilder&) = delete;
  ~ClassBuilder() { module_.add_class(record, is_public_); }

  // T(A...), or T{A...} where it has no such constructor.
  template <typename... A, typename Site = decltype([] {}), typename... S>
  ClassBuilder& init(const S&... words) {
    return set_init<bind::Construct<T, A...>, Site>(words...);
  }

  // What a function answers: a T, or what a T is stored as.
  template <auto kFactory, typename Site = decltype([] {}), typename... S>
  ClassBuilder& init(const S&... words) {
    using Parameters = typename bind::Signature<kFactory>::Parameters;
    return set_init<bind::Manufacture<T, kFactory, Parameters>, Site>(words...);
  }

  // A method. `name` and the words: bind/parameters.h.
  template <auto kFunction, typename Site = decltype([] {}), typename... S>
  ClassBuilder& def(const char* name, const S&... words) {
    using Sig = bind::Signature<kFunction>;
    using First = std::remove_cvref_t<typename bind::FirstOf<typename Sig::Parameters>::Type>;
    constexpr bool kSeesHandle = std::is_same_v<First, Borrowed<>>;
    static_assert(kSeesHandle || std::is_base_of_v<First, T>,
                  "a method's first parameter is the object: T&, const T& or Borrowed<>");
    using Self = std::conditional_t<kSeesHandle, bind::HandleSelf<T>, bind::ObjectSelf<T>>;
    add<kFunction, Site, Self>(0, "self", name, words...);
    return *this;
  }

  // A static method: called on the class, without an object.
  template <auto kFunction, typename Site = decltype([] {}), typename... S>
  ClassBuilder& static_def(const char* name, const S&... words) {
    add<kFunction, Site, void>(METH_STATIC, nullptr, name, words...);
    return *this;
  }

  // A class method: its first parameter is the class, a Borrowed<>.
  template <auto kFunction, typename Site = decltype([] {}), typename... S>
  ClassBuilder& class_def(const char* name, const S&... words) {
    add<kFunction, Site, bind::ClassSelf>(METH_CLASS, "cls", name, words...);
    return *this;
  }

  // A data member that Python code may read.
  template <auto kMember>
  ClassBuilder& readonly(const char* name, Doc documentation = {nullptr}) {
    add_attribute<typename bind::MemberOf<kMember>::Type>(
        name, documentation, &bind::get_attribute<T, kMember>, nullptr);
    return *this;
  }

  // A data member that Python code may read and replace.
  template <auto kMember>
  ClassBuilder& readwrite(const char* name, Doc documentation = {nullptr}) {
    using M = typename bind::MemberOf<kMember>::Type;
    add_attribute<M>(name, documentation, &bind::get_attribute<T, kMember>,
                     &bind::set_attribute<T, kMember, M>);
    return *this;
  }

  // What a function answers for the object.
  template <auto kGet>
  ClassBuilder& property(const char* name, Doc documentation = {nullptr}) {
    add_attribute<typename bind::Signature<kGet>::Return>(name, documentation,
                                                          &bind::get_attribute<T, kGet>, nullptr);
    return *this;
  }

  // The same, and a function that takes the new value; it may answer a Result<void>.
  template <auto kGet, auto kSet>
  ClassBuilder& property(const char* name, Doc documentation = {nullptr}) {
    using Rest = typename bind::WithoutFirst<typename bind::Signature<kSet>::Parameters>::Type;
    using A = typename bind::FirstOf<Rest>::Type;
    add_attribute<typename bind::Signature<kGet>::Return>(
        name, documentation, &bind::get_attribute<T, kGet>, &bind::set_attribute<T, kSet, A>);
    return *this;
  }

  // An operator: bind/op.h.
  template <Op kOp, auto... kFunctions>
  ClassBuilder& op() {
    if (is_first_) {
      bind::add_operator<T, kOp, kFunctions...>(
          [](int slot, void* function) { record.add_slot(slot, function); });
      record.show_operator(kOp, bind::answer_of<kOp, kFunctions...>());
    }
    return *this;
  }

  // Makes instances callable; the words are those of def().
  template <auto kFunction, typename Site = decltype([] {}), typename... S>
  ClassBuilder& call(const S&... words) {
    using Own =
        bind::ParametersAfter<bind::ObjectSelf<T>, typename bind::Signature<kFunction>::Parameters>;
    using Form = bind::Shape<Own, bind::Types<S...>>;
    using Function = bind::Bound<kFunction, Site, bind::ObjectSelf<T>, Form>;
    if (!is_first_) return *this;
    const bind::Word list[] = {bind::word_of(words)..., {}};
    Function::keep_defaults(words...);
    record.add_call(module_, Function::record, &Function::from_tuple, list, sizeof...(S));
    return *this;
  }

  // len(), indexing, and iteration over something of T with size() and [], such as a std::vector:
  // a data member, or a function that answers a reference to it.
  template <auto kItems>
  ClassBuilder& sequence() {
    using Items = bind::ItemIterator<T, kItems>;
    if (module_.is_well()) {
      // Not constructible, and reached by iter() only.
      ClassBuilder<Items>(module_, "iterator", nullptr, false)
          .template op<Op::kNext, &Items::step>();
    }
    op<Op::kIter, &Items::of>();
    op<Op::kLen, &Items::size>();
    op<Op::kGetItem, &Items::at>();
    return *this;
  }

  // Lends memory through the buffer protocol: a function that answers a Lent.
  template <auto kFunction>
  ClassBuilder& buffer() {
    if (is_first_) {
      bind::class_info<T>.lends_memory = true;
      record.add_slot(Py_bf_getbuffer, reinterpret_cast<void*>(&bind::Lender<T, kFunction>::get));
      record.add_slot(Py_bf_releasebuffer, reinterpret_cast<void*>(&bind::give_back));
    }
    return *this;
  }

  // For pickle and copy: a function that answers what init() has to be given to make an equal
  // object, a tuple or the only argument. The __dict__ of an instance goes along.
  template <auto kFunction>
  ClassBuilder& pickle() {
    if (is_first_) {
      record.add_plain_method({"__reduce__", &bind::Pickler<T, kFunction>::reduce_method,
                               METH_NOARGS, "__reduce__($self)\n--\n\nFor pickle."});
    }
    return *this;
  }

 private:
  static inline bind::ClassRecord record = {
      .info = &bind::class_info<T>,
      .base_info =
          [] {
            if constexpr (std::is_void_v<typename ClassTraits<T>::Base>) {
              return static_cast<bind::ClassInfo*>(nullptr);
            } else {
              return &bind::class_info<typename ClassTraits<T>::Base>;
            }
          }(),
      .builtin_base = &bind::BuiltinBase<T>::type,
      .size = static_cast<int>(bind::basic_size<T>()),
      .flags = Py_TPFLAGS_DEFAULT | (ClassTraits<T>::kMayBeBase ? Py_TPFLAGS_BASETYPE : 0) |
               (ClassTraits<T>::kMayBePatched ? 0 : Py_TPFLAGS_IMMUTABLETYPE) |
               (bind::is_collected<T>() ? Py_TPFLAGS_HAVE_GC : 0) |
               (ClassTraits<T>::kHasDict ? Py_TPFLAGS_MANAGED_DICT : 0) |
               (ClassTraits<T>::kHasWeakrefs ? Py_TPFLAGS_MANAGED_WEAKREF : 0),
      .dealloc = &bind::dealloc<T>,
  };

  // A base's methods find their object in a T's instance.
  void check_base() {
    using Base = typename ClassTraits<T>::Base;
    if constexpr (!std::is_void_v<Base>) {
      static_assert(std::is_base_of_v<Base, T>, "ClassTraits<T>::Base is a base of T");
      static_assert(
          requires(Base* base) { static_cast<T*>(base); },
          "ClassTraits<T>::Base is a virtual or ambiguous base of T");
      static_assert(bind::kStored<T> == Stored::kInline && bind::kStored<Base> == Stored::kInline,
                    "only classes whose objects are in their instances derive from each other");
      // Anywhere but at the beginning it would not be found.
      auto* const place = reinterpret_cast<T*>(alignof(std::max_align_t));
      if (static_cast<void*>(static_cast<Base*>(place)) != place) {
        PyErr_SetString(PyExc_SystemError, "ClassTraits<T>::Base is not the first base of T");
        module_.check(false);
      }
// Neither has virtual bases, and GCC and Clang know the place; they warn all the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
      static_assert(offsetof(bind::Instance<T>, value) == offsetof(bind::Instance<Base>, value),
                    "set kMayBeMissing in ClassTraits of the base as T needs it");
#pragma GCC diagnostic pop
    }
  }

  template <auto kFunction, typename Site, typename Self, typename... S>
  void add(int flags, const char* self, const char* name, const S&... words) {
    if (!is_first_) return;
    using All = typename bind::Signature<kFunction>::Parameters;
    using Own = bind::ParametersAfter<Self, All>;
    using Form = bind::Shape<Own, bind::Types<S...>>;
    using Function = bind::Bound<kFunction, Site, Self, Form>;
    const bind::Word list[] = {bind::word_of(words)..., {}};
    Function::keep_defaults(words...);
    record.add_method(module_, Function::record, self, flags, name, list, sizeof...(S));
  }

  template <typename Maker, typename Site, typename... S>
  ClassBuilder& set_init(const S&... words) {
    if (!is_first_) return *this;
    using Calls = bind::Init<T, Maker, Site, S...>;
    const bind::Word list[] = {bind::word_of(words)..., {}};
    Calls::Make::keep_defaults(words...);
    Calls::Remake::keep_defaults(words...);
    record.add_init(module_,
                    {Calls::Make::record, Calls::Remake::record, &Calls::construct, &Calls::tp_new,
                     &Calls::tp_init},
                    list, sizeof...(S));
    return *this;
  }

  template <typename A>
  void add_attribute(const char* name, Doc documentation, getter get, setter set) {
    if (!is_first_ || !module_.is_well()) return;
    record.add_property({.name = name,
                         .doc = documentation.text,
                         .type = &bind::passed_as<bind::Storer<A>>,
                         .is_writable = set != nullptr},
                        get, set);
  }

  bind::Module& module_;
  bool is_first_;
  bool is_public_;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_CLASS_H_
