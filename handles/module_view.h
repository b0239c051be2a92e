// Module: views of Python's modules.
//
// Not for: making one (handles/bind/module.h).
//
// Thread safety: attached for everything.
#ifndef TENURE_HANDLES_MODULE_VIEW_H_
#define TENURE_HANDLES_MODULE_VIEW_H_

#include "tenure/handles/dict.h"
#include "tenure/handles/str.h"

namespace tenure {

class Module : public Object {
 public:
  static constexpr const char* kName = "module";
  static bool check(PyObject* object) { return PyModule_Check(object); }

  // New reference to what `import name` answers, which may be no module: programs put anything into
  // sys.modules. Every error of importing; runs Python code.
  static Result<> import(const char* name) { return PyImport_ImportModule(name); }

  // Where its attributes are. Borrows from the module.
  [[nodiscard]] Borrowed<Dict> dict() const { return Borrowed<Dict>(PyModule_GetDict(get())); }

  // New references. SystemError if its __name__ is gone, or it has no __file__.
  Result<Str> name() const { return PyModule_GetNameObject(get()); }
  Result<Str> file() const { return PyModule_GetFilenameObject(get()); }

  // The module holds a reference of its own to the value.
  Result<void> add(const char* attribute, const Object& value) const {
    return Result<void>::from_status(PyModule_AddObjectRef(get(), attribute, value.get()));
  }

  // What the module's definition made room for; null before the module is made ready. Lives as
  // long as the module. Requires: State is what its definition says.
  template <typename State>
  [[nodiscard]] State* state() const {
    return static_cast<State*>(PyModule_GetState(get()));
  }

 protected:
  using Object::Object;
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_MODULE_VIEW_H_
