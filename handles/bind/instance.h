// Instances: Python objects with a C++ object in them.
//
//   PyObject head | is_made (only where it may be missing) | T
//
// The C++ object is part of the Python object, at a place that is known when the program is
// compiled; a method finds it by adding a number. Whether an object is an instance of T is told
// by its type's tp_dealloc, a function that every T has one of, so that no type has to be looked up.
//
// How T is kept can be chosen, once, where T is defined:
//
//   template <>
//   struct tenure::ClassTraits<Node> : tenure::DefaultTraits<Node> {
//     static constexpr Stored kStored = Stored::kShared;
//   };
//
// `is_made` exists where a C++ object may be missing: T cannot be made of nothing, so that a
// subclass in Python can forget to call super().__init__(), or instances are the collector's, which
// takes references out of cycles. Methods of such an object raise a TypeError. Where T can be made
// of nothing, a subclass that forgets gets a T{}.
//
// Thread safety: attached.
#ifndef TENURE_HANDLES_BIND_INSTANCE_H_
#define TENURE_HANDLES_BIND_INSTANCE_H_

#include <cstddef>
#include <memory>
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
  kShared,     // elsewhere: held by a std::shared_ptr together with C++ code
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
  // Of how many dropped instances each thread keeps the memory; 0 where the collector sees them.
  static constexpr size_t kFreeList = 0;
};

template <typename T>
struct ClassTraits : DefaultTraits<T> {};

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
};
template <typename T>
struct Storage<T, Stored::kReference> {
  using Type = ByReference<T>;
  static T& get(ByReference<T>& value) { return *value.object; }
};
template <typename T>
struct Storage<T, Stored::kShared> {
  using Type = std::shared_ptr<T>;
  static T& get(std::shared_ptr<T>& value) { return *value; }
};

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

template <typename T>
constexpr bool may_be_missing() {
  if constexpr (std::is_void_v<T>) {
    return false;
  } else {
    return ClassTraits<T>::kMayBeMissing || kStored<T> != Stored::kInline || is_collected<T>() ||
           may_be_missing<typename ClassTraits<T>::Base>();
  }
}

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
  bool is_made;
  union {
    Value value;
  };
};

template <typename T>
using Value = typename Storage<T, kStored<T>>::Type;
template <typename T>
using Instance = Layout<typename BuiltinBase<T>::Type, Value<T>, may_be_missing<T>()>;

template <typename T>
Instance<T>* instance(PyObject* self) {
  return reinterpret_cast<Instance<T>*>(self);
}

template <typename T>
bool is_usable(PyObject* self) {
  if constexpr (may_be_missing<T>()) {
    return instance<T>(self)->is_made;
  } else {
    return true;
  }
}

// Requires: an instance of T.
template <typename T>
T& object_of(PyObject* self) {
  return Storage<T, kStored<T>>::get(instance<T>(self)->value);
}

// Destroys the C++ object if there is one. What it holds goes after the instance is seen to be
// without it, because destructors may run Python code that comes back here.
template <typename T>
void unmake(PyObject* self) {
  Instance<T>* const made = instance<T>(self);
  if constexpr (may_be_missing<T>()) {
    if (!std::exchange(made->is_made, false)) return;
  }
  if constexpr (kStored<T> == Stored::kReference) {
    if (made->value.owner == nullptr) {
      delete made->value.object;
    } else {
      Py_DECREF(made->value.owner);
    }
  } else {
    std::destroy_at(&made->value);
  }
}

// Says that the C++ object is there.
template <typename T>
void set_made([[maybe_unused]] PyObject* self) {
  if constexpr (may_be_missing<T>()) instance<T>(self)->is_made = true;
}

// What is known of a class when it runs.
struct ClassInfo {
  ClassSlot slot;
  // Its name in Python, for error messages and stubs; until it is bound there is none.
  const char* name = "an instance of a C++ class that no module binds";
};

// Hidden: other shared objects have classes of their own.
template <typename T>
[[gnu::visibility("hidden")]] inline constinit ClassInfo class_info{};

// Sets the TypeError for an object whose C++ half is not there. Answers null.
PyObject* refuse_self(PyObject* self);

// Memory for instances of exactly T that the collector does not see; null if there is none.
template <typename T>
void* take_memory() {
  return PyObject_Malloc(sizeof(Instance<T>));
}
template <typename T>
void give_memory(void* memory) {
  PyObject_Free(memory);
}

// In class.h, which knows all that an instance consists of.
template <typename T>
void dealloc(PyObject* self);

// Whether a type, which is not of T itself, derives from it.
bool has_base_with(PyTypeObject* type, destructor dealloc);

template <typename T>
bool is_instance(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type->tp_dealloc == &dealloc<T>) [[likely]] return true;
  return has_base_with(type, &dealloc<T>);
}

// The collector's instances begin without their C++ object. Null with a Python error set.
PyObject* new_collected(PyTypeObject* type, PyTypeObject* builtin_base);

// New reference to a new instance of a type that is T's, or a class derived from it. `make(place)`
// makes the stored value there, and may throw.
template <typename T, typename Make>
[[gnu::always_inline]] inline PyObject* new_instance(PyTypeObject* type, const Make& make) {
  if constexpr (is_collected<T>()) {
    PyObject* const self =
        new_collected(type, kHasBuiltinBase<T> ? BuiltinBase<T>::type() : nullptr);
    if (self == nullptr) return nullptr;
    // Gives the object back if making the value throws.
    Owned<> owner = Owned<>::steal(self);
    make(&instance<T>(self)->value);
    set_made<T>(self);
    return std::move(owner).release();
  } else {
    void* const memory = take_memory<T>();
    if (memory == nullptr) [[unlikely]] return PyErr_NoMemory();
    auto* const room = static_cast<Instance<T>*>(memory);
    struct Guard {
      ~Guard() {
        if (memory != nullptr) give_memory<T>(memory);
      }
      void* memory;
    } guard{memory};
    make(&room->value);
    guard.memory = nullptr;
    PyObject* const self = PyObject_Init(reinterpret_cast<PyObject*>(room), type);
    set_made<T>(self);
    return self;
  }
}

// Makes the stored value of the arguments of a constructor.
template <typename T, typename... A>
[[gnu::always_inline]] inline void make_value(Value<T>* place, A&&... arguments) {
  if constexpr (kStored<T> == Stored::kInline) {
    if constexpr (std::is_constructible_v<T, A...>) {
      ::new (place) T(std::forward<A>(arguments)...);
    } else {
      ::new (place) T{std::forward<A>(arguments)...};
    }
  } else if constexpr (kStored<T> == Stored::kShared) {
    ::new (place) std::shared_ptr<T>(std::make_shared<T>(std::forward<A>(arguments)...));
  } else {
    ::new (place) ByReference<T>{new T(std::forward<A>(arguments)...), nullptr};
  }
}

// An answer: a new instance, or null with a Python error set.
template <typename T, typename... A>
PyObject* answer_instance(A&&... arguments) {
  PyTypeObject* const type = type_of(class_info<T>.slot, class_info<T>.name);
  if (type == nullptr) [[unlikely]] return nullptr;
  return new_instance<T>(
      type, [&](Value<T>* place) { make_value<T>(place, std::forward<A>(arguments)...); });
}

}  // namespace bind

// Any other class is one that class_ binds.
template <typename T>
struct FromPython {
  static_assert(std::is_class_v<T>, "there is no conversion from Python for this type");
  static inline const char* const& kExpected = bind::class_info<T>.name;
  static inline const char* const& kAnnotation = bind::class_info<T>.name;

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
  static inline const char* const& kExpected = bind::class_info<T>.name;
  static inline const char* const& kAnnotation = bind::class_info<T>.name;
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
struct FromPython<std::shared_ptr<T>> : FromPython<T> {
  static_assert(bind::kStored<T> == Stored::kShared,
                "instances of this class do not share their object: say so in ClassTraits");
  std::shared_ptr<T> get() { return bind::instance<T>(this->given)->value; }
};

template <typename T>
struct ToPython {
  static_assert(!std::is_reference_v<T> && !std::is_pointer_v<T>,
                "say what becomes of the object: answer it by value, as a Kept with its owner, or "
                "as a std::shared_ptr");
  static_assert(bind::kStored<T> == Stored::kInline || std::is_pointer_v<T>,
                "instances of this class are not copies: answer a Kept or a std::shared_ptr");
  static inline const char* const& kAnnotation = bind::class_info<T>.name;
  static PyObject* convert(T&& value) { return bind::answer_instance<T>(std::move(value)); }
  static PyObject* convert(const T& value) { return bind::answer_instance<T>(value); }
};

template <typename T>
struct ToPython<std::shared_ptr<T>> {
  static_assert(bind::kStored<T> == Stored::kShared,
                "instances of this class do not share their object: say so in ClassTraits");
  static inline const char* const& kAnnotation = bind::class_info<T>.name;
  static constexpr bool kOrNone = true;
  static PyObject* convert(std::shared_ptr<T>&& value) {
    if (value == nullptr) return Py_NewRef(Py_None);
    PyTypeObject* const type = bind::type_of(bind::class_info<T>.slot, bind::class_info<T>.name);
    if (type == nullptr) return nullptr;
    return bind::new_instance<T>(type, [&](std::shared_ptr<T>* place) {
      ::new (place) std::shared_ptr<T>(std::move(value));
    });
  }
};

template <typename T>
struct ToPython<Kept<T>> {
  static_assert(bind::kStored<T> == Stored::kReference,
                "instances of this class hold their object: say kReference in ClassTraits");
  static inline const char* const& kAnnotation = bind::class_info<T>.name;
  static PyObject* convert(Kept<T> value) {
    PyTypeObject* const type = bind::type_of(bind::class_info<T>.slot, bind::class_info<T>.name);
    if (type == nullptr) return nullptr;
    return bind::new_instance<T>(type, [&](bind::ByReference<T>* place) {
      ::new (place) bind::ByReference<T>{&value.object, Py_NewRef(value.owner.get())};
    });
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_BIND_INSTANCE_H_
