// Mapping: what is asked by key, as views of any object that can be: dicts, their subclasses with
// their overrides, and classes with a __getitem__.
//
// What is and what is not a mapping cannot be seen: check() is true for lists and strs too. Who
// needs to know asks isinstance() of collections.abc.Mapping.
//
// Not for: dicts; Dict is faster.
//
// Thread safety: attached for everything. Every operation may run Python code.
#ifndef TENURE_HANDLES_MAPPING_H_
#define TENURE_HANDLES_MAPPING_H_

#include "tenure/handles/list.h"

namespace tenure {

class Mapping : public Object {
 public:
  static constexpr const char* kName = "mapping";
  static bool check(PyObject* object) { return PyMapping_Check(object) != 0; }

  using Object::get;
  // What x[key] answers, or nothing instead of a KeyError. New reference.
  Lookup<> get(const Object& key) const {
    PyObject* found;
    const int status = PyMapping_GetOptionalItem(get(), key.get(), &found);
    return {status, found};
  }
  Lookup<> get(const char* key) const {
    PyObject* found;
    const int status = PyMapping_GetOptionalItemString(get(), key, &found);
    return {status, found};
  }
  // Whether x[key] answers something.
  Result<bool> has(const Object& key) const {
    return internal::truth_of(PyMapping_HasKeyWithError(get(), key.get()));
  }

  Result<void> set(const Object& key, const Object& value) const { return set_item(key, value); }
  // KeyError if there is none.
  Result<void> del(const Object& key) const { return del_item(key); }

  // New references, to lists of what its methods of that name answer; items() of tuples.
  Result<List> keys() const { return PyMapping_Keys(get()); }
  Result<List> values() const { return PyMapping_Values(get()); }
  Result<List> items() const { return PyMapping_Items(get()); }

 protected:
  using Object::Object;
  Mapping(const Mapping&) = default;
  Mapping& operator=(const Mapping&) = default;
};

}  // namespace tenure

#endif  // TENURE_HANDLES_MAPPING_H_
