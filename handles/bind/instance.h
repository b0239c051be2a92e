// Instances: Python objects with a C++ object in them.
//
//   PyObject head | made (only where it may be missing) | T
//
// The C++ object is part of the Python object, at a place that is known when the program is
// compiled; a method finds it by adding a number. Whether an object is an instance of T is told
// by its type's tp_dealloc, a function that every T has one of, so that no type has to be looked
// up.
//
// How T is kept can be chosen, once, where T is defined:
//
//   template <>
//   struct tenure::ClassTraits<Node> : tenure::DefaultTraits<Node> {
//     static constexpr Stored kStored = Stored::kShared;
//   };
//
// `made` exists where a C++ object may be missing: T cannot be made of nothing, so that a
// subclass in Python can forget to call super().__init__(), or instances are the collector's, which
// takes references out of cycles. Methods of such an object raise a TypeError. Where T can be made
// of nothing, a subclass that forgets gets a T{}. So does who calls __new__() alone.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_INSTANCE_H_
#define TENURE_HANDLES_BIND_INSTANCE_H_

#include <concepts>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "tenure/handles/bind/classes.h"
#include "tenure/handles/bind/convert.h"
#include "tenure/handles/bind/members.h"

namespace tenure {

// Where the C++ object of an instance is.
enum class Stored : unsigned char {
  kInline,     // in the Python object; answers are copied or moved into a new one
  kReference,  // elsewhere: kept alive by an owner (Kept<T>), or the instance's own
  kShared,     // elsewhere: held by a std::shared_ptr together with C++ code (bind/shared.h)
};

template <typename T>
struct DefaultTraits {
  static constexpr Stored kStored = Stored::kInline;
  // A bound class that T derives from, first and not virtually; or void.
  using Base = void;
  // The built-in class that the Python class derives from.
  using BuiltinBase = Object;
  // Whether an instance can be without its C++ object where nothing else asks for it; see above.
  static constexpr bool kMayBeMissing = !std::is_nothrow_default_constructible_v<T>;
  // Whether instances have a __dict__, and may be referred to weakly.
  static constexpr bool kHasDict = false;
  static constexpr bool kHasWeakrefs = false;
  // Whether Python code may derive from the class, and change it.
  static constexpr bool kMayBeBase = true;
  static constexpr bool kMayBePatched = false;
  // Where instances have their memory from: CPython's allocator, if void, or a class of which
  // Of<bytes of an instance, whether it is collected> is a MemoryOfInstances, such as
  // pool::InstancePool<T>. Instances of classes that derive from T have it from CPython's.
  using Pool = void;
};

template <typename T>
struct ClassTraits : DefaultTraits<T> {};

// Gives memory for the instances of a type. tp_alloc() and tp_free() are the type's slots, for any
// type that has them; types that derive from it may have one or both. The others are for instances
// of exactly that type which the collector does not see: take() answers memory with anything in it,
// or null with MemoryError set; start() makes it an object, with a reference to the type; give()
// takes back what was taken, whether or not an object was in it.
template <typename P>
concept MemoryOfInstances = requires(PyTypeObject* type, PyObject* memory, void* object) {
  { P::tp_alloc(type, Py_ssize_t{}) } -> std::same_as<PyObject*>;
  { P::tp_free(object) } -> std::same_as<void>;
  { P::take(type) } -> std::same_as<PyObject*>;
  { P::start(memory, type) } -> std::same_as<void>;
  { P::give(memory, type) } -> std::same_as<void>;
};

// An answer: a T that belongs to `owner`, which is kept alive for as long as the instance is.
template <typename T>
struct Kept {
  T& object;
  Borrowed<> owner;
};

namespace bind {

// The C struct of a built-in class that may be a base; to be specialised.
template <typename V>
struct BuiltinStruct {
  static_assert(std::is_same_v<V, Object>,
                "this built-in class cannot be a base: its instances have no fixed size, or it is "
                "not in bind/builtin_bases.h");
  using Type = PyObject;
  static PyTypeObject* type() { return &PyBaseObject_Type; }
};

template <typename T>
struct ByReference {
  T* object;
  PyObject* owner;  // Null if the instance itself is.
};

// What stands in the instance for a T.
template <typename T, Stored kStored>
struct Storage {
  using Type = T;
  static T& get(T& value) { return value; }

  // T(arguments...), or T{arguments...} where it has no such constructor.
  template <typename... A>
  [[gnu::always_inline]] static void make(T* place, A&&... arguments) {
    if constexpr (std::is_constructible_v<T, A...>) {
      ::new (place) T(std::forward<A>(arguments)...);
    } else {
      ::new (place) T{std::forward<A>(arguments)...};
    }
  }
};
template <typename T>
struct Storage<T, Stored::kReference> {
  using Type = ByReference<T>;
  static T& get(ByReference<T>& value) { return *value.object; }

  template <typename... A>
  static void make(ByReference<T>* place, A&&... arguments) {
    ::new (place) ByReference<T>{new T(std::forward<A>(arguments)...), nullptr};
  }
};
template <typename T, typename = void>
struct SharedStorage {
  static_assert(sizeof(T) == 0, "include tenure/handles/bind/shared.h for Stored::kShared");
};
template <typename T>
struct Storage<T, Stored::kShared> : SharedStorage<T> {};

template <typename T>
inline constexpr Stored kStored = ClassTraits<T>::kStored;

template <typename T>
using BuiltinBase = BuiltinStruct<typename ClassTraits<T>::BuiltinBase>;

template <typename T>
inline constexpr bool kHasBuiltinBase =
    !std::is_same_v<typename ClassTraits<T>::BuiltinBase, Object>;

// Whether instances are the collector's.
template <typename T>
constexpr bool is_collected() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return holds_references<T>() || kStored<T> == Stored::kReference || ClassTraits<T>::kHasDict ||
           ClassTraits<T>::kHasWeakrefs || kHasBuiltinBase<T> ||
           is_collected<typename ClassTraits<T>::Base>();
  }
}

// What instances have from their own class or from a base.
template <typename T>
constexpr bool has_dict() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return ClassTraits<T>::kHasDict || has_dict<typename ClassTraits<T>::Base>();
  }
}
template <typename T>
constexpr bool has_weakrefs() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return ClassTraits<T>::kHasWeakrefs || has_weakrefs<typename ClassTraits<T>::Base>();
  }
}

template <typename T>
constexpr bool may_be_missing() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return ClassTraits<T>::kMayBeMissing || kStored<T> != Stored::kInline || is_collected<T>() ||
           may_be_missing<typename ClassTraits<T>::Base>();
  }
}

// Whether the C++ object is there. Zero, which the collector's memory begins as, is none.
enum class Made : unsigned char { kNo, kBeing, kYes };

template <typename Head, typename Value, bool kFlag>
struct Layout {
  Head head;
  union {
    Value value;
  };
};
template <typename Head, typename Value>
struct Layout<Head, Value, true> {
  Head head;
  Made made;
  union {
    Value value;
  };
};

template <typename T>
using Value = typename Storage<T, kStored<T>>::Type;
template <typename T>
using Instance = Layout<typename BuiltinBase<T>::Type, Value<T>, may_be_missing<T>()>;

static_assert(alignof(std::max_align_t) <= 16);

// What CPython is told. A class that adds nothing to its base is larger all the same: Python would
// let objects of one become the other's, and derive from two of them at once.
template <typename T>
constexpr size_t basic_size() {
  static_assert(alignof(Value<T>) <= alignof(std::max_align_t),
                "instances have no memory so aligned: keep the object elsewhere, with kShared");
  using Base = typename ClassTraits<T>::Base;
  size_t size = sizeof(Instance<T>);
  if constexpr (!std::is_void_v<Base>) {
    if (size <= basic_size<Base>()) size = basic_size<Base>() + sizeof(void*);
  }
  return size;
}

template <typename T>
Instance<T>* instance(PyObject* self) {
  return reinterpret_cast<Instance<T>*>(self);
}

template <typename T>
bool is_usable(PyObject* self) {
  if constexpr (may_be_missing<T>()) {
    return instance<T>(self)->made == Made::kYes;
  } else {
    return true;
  }
}

// Requires: an instance of T.
template <typename T>
T& object_of(PyObject* self) {
  return Storage<T, kStored<T>>::get(instance<T>(self)->value);
}

// What is stored for a T goes.
template <typename T>
void destroy(Value<T>& value) {
  if constexpr (kStored<T> == Stored::kReference) {
    if (value.owner == nullptr) {
      delete value.object;
    } else {
      Py_DECREF(value.owner);
    }
  } else {
    using Gone = Value<T>;
    value.~Gone();
  }
}

// Destroys the C++ object if there is one. What it holds goes after the instance is seen to be
// without it, because destructors may run Python code that comes back here.
template <typename T>
void unmake(PyObject* self) {
  Instance<T>* const here = instance<T>(self);
  if constexpr (may_be_missing<T>()) {
    if (std::exchange(here->made, Made::kNo) != Made::kYes) return;
  }
  destroy<T>(here->value);
}

// Says that the C++ object is there.
template <typename T>
void set_made([[maybe_unused]] PyObject* self) {
  if constexpr (may_be_missing<T>()) instance<T>(self)->made = Made::kYes;
}

inline constexpr const char kUnbound[] = "an instance of a C++ class that no module binds";

// What is known of a class when it runs.
struct ClassInfo {
  ClassSlot slot;
  // Its name in Python, for error messages and stubs; until it is bound there is none.
  const char* name = kUnbound;
  // What stubs call it.
  const char* annotation = "object";
  // Whether others may hold its memory, which has to stay then.
  bool lends_memory = false;
};

// Hidden: other shared objects have classes of their own.
template <typename T>
[[gnu::visibility("hidden")]] inline constinit ClassInfo class_info{};

// Sets the TypeError for an object whose C++ half is not there. Answers null.
PyObject* refuse_self(PyObject* self);
// The same for __init__() of one that is being made by another, or cannot be made anew.
PyObject* refuse_init(PyObject* self, Made made);
PyObject* refuse_lent(PyObject* self);
// The same for a factory that answered a null pointer.
PyObject* refuse_nothing(PyTypeObject* type);

// Whether somebody holds the memory of that object (protocols.h).
bool is_lent(PyObject* self);

// Whether instances lend their memory.
template <typename T>
bool lends_memory() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return class_info<T>.lends_memory || lends_memory<typename ClassTraits<T>::Base>();
  }
}

// What was made for a T, which a shared pointer may not be. False with a TypeError set.
template <typename T>
bool is_there([[maybe_unused]] const Value<T>& value, [[maybe_unused]] PyTypeObject* type) {
  if constexpr (kStored<T> == Stored::kShared) return value || refuse_nothing(type) != nullptr;
  return true;
}

// CPython's own: a MemoryOfInstances whose slots need not be set.
template <size_t kSize>
struct InterpretersMemory {
  static PyObject* tp_alloc(PyTypeObject* type, Py_ssize_t items) {
    return type->tp_alloc(type, items);
  }
  static void tp_free(void* self) { Py_TYPE(static_cast<PyObject*>(self))->tp_free(self); }
  static PyObject* take(PyTypeObject* /*type*/) {
    void* const memory = PyObject_Malloc(kSize);
    if (memory == nullptr) [[unlikely]] {
      PyErr_NoMemory();
    }
    return static_cast<PyObject*>(memory);
  }
  static void start(PyObject* memory, PyTypeObject* type) { PyObject_Init(memory, type); }
  static void give(PyObject* memory, PyTypeObject* /*type*/) { PyObject_Free(memory); }
};

template <typename T>
inline constexpr bool kHasPool = !std::is_void_v<typename ClassTraits<T>::Pool>;

template <typename T, bool = kHasPool<T>>
struct MemoryFor {
  using Type = InterpretersMemory<sizeof(Instance<T>)>;
};
template <typename T>
struct MemoryFor<T, true> {
  using Type = typename ClassTraits<T>::Pool::template Of<basic_size<T>(), is_collected<T>()>;
  static_assert(MemoryOfInstances<Type>);
  static_assert(!kHasBuiltinBase<T>,
                "instances of built-in classes have that class's memory: no Pool with BuiltinBase");
  static_assert(!has_dict<T>(),
                "CPython keeps values of a __dict__ in the instance: no Pool with kHasDict");
};
template <typename T>
using Memory = typename MemoryFor<T>::Type;

// In class.h, which knows all that an instance consists of.
template <typename T>
void dealloc(PyObject* self);

// Whether a type, which is not of T itself, derives from it.
bool has_base_with(PyTypeObject* type, destructor dealloc);

template <typename T>
bool is_instance(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type->tp_dealloc == &dealloc<T>) [[likely]]
    return true;
  // Of a class in Python that derives from it.
  PyTypeObject* const base = type->tp_base;
  if (base != nullptr && base->tp_dealloc == &dealloc<T>) return true;
  return has_base_with(type, &dealloc<T>);
}

// The collector's instances begin without their C++ object: one that is a built-in class's too.
// Null with a Python error set.
PyObject* new_of_builtin(PyTypeObject* type, PyTypeObject* builtin_base);

// New reference to a new instance of a type that is T's, or a class derived from it. `make(place)`
// makes the stored value there, and may throw.
template <typename T, typename Make>
[[gnu::always_inline]] inline PyObject* new_instance(PyTypeObject* type, const Make& make) {
  if constexpr (is_collected<T>()) {
    PyObject* self;
    if constexpr (kHasBuiltinBase<T>) {
      self = new_of_builtin(type, BuiltinBase<T>::type());
    } else {
      self = Memory<T>::tp_alloc(type, 0);
    }
    if (self == nullptr) return nullptr;
    // Gives the object back if making the value throws.
    Owned<> owner = Owned<>::steal(self);
    make(&instance<T>(self)->value);
    set_made<T>(self);
    if (!is_there<T>(instance<T>(self)->value, type)) return nullptr;
    return std::move(owner).release();
  } else {
    PyObject* const self = Memory<T>::take(type);
    if (self == nullptr) [[unlikely]]
      return nullptr;
    Instance<T>* const room = instance<T>(self);
    struct Guard {
      ~Guard() {
        if (memory != nullptr) Memory<T>::give(memory, type);
      }
      PyObject* memory;
      PyTypeObject* type;
    } guard{self, type};
    make(&room->value);
    guard.memory = nullptr;
    Memory<T>::start(self, type);
    set_made<T>(self);
    if (!is_there<T>(room->value, type)) {
      Py_DECREF(self);
      return nullptr;
    }
    return self;
  }
}

template <typename T>
using StorageOf = Storage<T, kStored<T>>;

// New reference to an instance that is not the collector's, without its C++ object.
template <typename T>
PyObject* new_plain(PyTypeObject* type) {
  if (type->tp_dealloc != &dealloc<T>) return type->tp_alloc(type, 0);
  PyObject* const self = Memory<T>::take(type);
  if (self == nullptr) return nullptr;
  std::memset(static_cast<void*>(self), 0, sizeof(Instance<T>));
  Memory<T>::start(self, type);
  return self;
}

// An answer: a new instance of the type that T has here, or null with a Python error set. `make`
// as for new_instance().
template <typename T, typename Make>
PyObject* answer_instance(const Make& make) {
  PyTypeObject* const type = type_of(class_info<T>.slot, class_info<T>.name);
  if (type == nullptr) [[unlikely]]
    return nullptr;
  return new_instance<T>(type, make);
}

}  // namespace bind

// Any other class is one that class_ binds.
template <typename T>
struct FromPython {
  static_assert(std::is_class_v<T>, "there is no conversion from Python for this type");
  static constexpr bool kNeverThrows = true;
  static inline const char* const& kExpected = bind::class_info<T>.name;
  static inline const char* const& kAnnotation = bind::class_info<T>.annotation;

  // Of a class that is not derived from.
  bool load_quickly(PyObject* object) {
    given = object;
    return Py_TYPE(object)->tp_dealloc == &bind::dealloc<T> && bind::is_usable<T>(object);
  }
  bool load(PyObject* object) {
    given = object;
    if (!bind::is_instance<T>(object)) return false;
    return bind::is_usable<T>(object) || bind::refuse_self(object) != nullptr;
  }
  T& get() { return bind::object_of<T>(given); }

  PyObject* given = nullptr;
};

template <typename T>
  requires std::is_class_v<T>
struct FromPython<T*> {
  static inline const char* const& kExpected = bind::class_info<std::remove_const_t<T>>.name;
  static inline const char* const& kAnnotation =
      bind::class_info<std::remove_const_t<T>>.annotation;
  static constexpr bool kOrNone = true;

  bool load(PyObject* object) {
    is_none = Py_IsNone(object);
    return is_none || loader.load(object);
  }
  T* get() { return is_none ? nullptr : &loader.get(); }

  FromPython<std::remove_const_t<T>> loader;
  bool is_none = false;
};

template <typename T>
struct ToPython {
  static_assert(!std::is_reference_v<T> && !std::is_pointer_v<T>,
                "say what becomes of the object: answer it by value, as a Kept with its owner, or "
                "as a std::shared_ptr");
  static_assert(bind::kStored<T> == Stored::kInline || std::is_pointer_v<T>,
                "instances of this class are not copies: answer a Kept or a std::shared_ptr");
  static inline const char* const& kAnnotation = bind::class_info<T>.annotation;
  static PyObject* convert(T&& value) {
    return bind::answer_instance<T>([&](T* place) { ::new (place) T(std::move(value)); });
  }
  static PyObject* convert(const T& value) {
    return bind::answer_instance<T>([&](T* place) { ::new (place) T(value); });
  }
};

template <typename T>
struct ToPython<Kept<T>> {
  static_assert(bind::kStored<T> == Stored::kReference,
                "instances of this class hold their object: say kReference in ClassTraits");
  static inline const char* const& kAnnotation = bind::class_info<T>.annotation;
  static PyObject* convert(Kept<T> value) {
    return bind::answer_instance<T>([&](bind::ByReference<T>* place) {
      ::new (place) bind::ByReference<T>{&value.object, Py_NewRef(value.owner.get())};
    });
  }
};

// The C++ object of an instance: borrowed from it. A TypeError if it is no T's instance.
template <typename T>
Result<T*> to_cpp(const Object& object) {
  if (!bind::is_instance<T>(object.get())) [[unlikely]] {
    PyErr_Format(PyExc_TypeError, "must be %s, not %.200s", bind::class_info<T>.name,
                 Py_TYPE(object.get())->tp_name);
    return Failed{};
  }
  if (!bind::is_usable<T>(object.get())) [[unlikely]] {
    bind::refuse_self(object.get());
    return Failed{};
  }
  return &bind::object_of<T>(object.get());
}

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_INSTANCE_H_
