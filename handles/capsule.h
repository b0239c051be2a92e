// Capsule: a C++ object behind a Python object that only C++ can look into.
//
//   Result<Capsule> tables = Capsule::make("polygons.tables", std::make_unique<Tables>());
//   ...
//   Tables* found = TENURE_TRY(capsule.unwrap<Tables>("polygons.tables"));
//
// The name is all that tells one capsule from another: give each type a name of its own, with the
// module's in front. It says nothing about the compiler and the options a module was built with; a
// module that may meet others than its own keeps to structs that C would understand.
//
// Not for: objects that Python code works with (give them a type), or state of a module (there is
// room for it in the module).
//
// Thread safety: attached for everything. The C++ object is destroyed by whoever drops the last
// reference, attached.
#ifndef TENURE_HANDLES_CAPSULE_H_
#define TENURE_HANDLES_CAPSULE_H_

#include <cassert>
#include <concepts>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "tenure/handles/object.h"
#include "tenure/handles/raise.h"

namespace tenure {

class Capsule : public Object {
 public:
  static constexpr const char* kName = "capsule";
  static bool check(PyObject* object) { return PyCapsule_CheckExact(object); }

  // Of an object that the capsule owns from now on; it is gone if this fails. Requires: value is
  // not null; the name is a literal, or lives as long as the module. Errors: MemoryError.
  template <typename T>
  static Result<Capsule> make(const char* name, std::unique_ptr<T> value) {
    assert(value != nullptr);
    PyObject* capsule = PyCapsule_New(untyped(value.get()), name, &destroy<T>);
    if (capsule != nullptr) static_cast<void>(value.release());
    return capsule;
  }

  // Of a value that is moved into it.
  template <typename T>
    requires std::is_object_v<T> && (!std::is_array_v<T>) && (!std::is_pointer_v<T>)
  static Result<Capsule> make(const char* name, T value) {
    auto* moved = new (std::nothrow) T(std::move(value));
    if (moved == nullptr) return raise_memory_error();
    return make(name, std::unique_ptr<T>(moved));
  }

  // Of an object that lives as long as the module, such as a table of functions: the capsule does
  // not own it. Requires: not null; the name as above.
  template <typename T>
  static Result<Capsule> refer_to(const char* name, T* value) {
    assert(value != nullptr);
    return PyCapsule_New(untyped(value), name, nullptr);
  }

  // What a capsule of that name holds, borrowed from it. Requires: capsules of that name hold a T.
  // Errors: ValueError if it has another name.
  template <typename T>
  [[nodiscard]] Result<T*> unwrap(const char* name) const {
    void* value = PyCapsule_GetPointer(get(), name);
    if (value == nullptr) return Failed{};
    return static_cast<T*>(value);
  }

  // Whether it is a capsule of that name, that is whether unwrap() succeeds. Errors: none.
  [[nodiscard]] bool has_name(const char* name) const {
    return PyCapsule_IsValid(get(), name) != 0;
  }

  // What the capsule holds that is an attribute of a module: its name is
  // "package.module.attribute". Borrowed from there; it has to stay. Imports the module, so it runs
  // Python code. Requires: as unwrap(). Errors: ImportError, AttributeError, what importing raises.
  template <typename T>
  [[nodiscard]] static Result<T*> import(const char* name) {
    void* value = PyCapsule_Import(name, /*no_block=*/0);
    if (value == nullptr) return Failed{};
    return static_cast<T*>(value);
  }

 protected:
  using Object::Object;

 private:
  template <typename T>
  static void* untyped(T* value) {
    return const_cast<std::remove_cv_t<T>*>(value);
  }

  template <typename T>
  static void destroy(PyObject* capsule) {
    delete static_cast<T*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
  }
};

}  // namespace tenure

#endif  // TENURE_HANDLES_CAPSULE_H_
