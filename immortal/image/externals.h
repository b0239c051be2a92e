// Path programs: how an image names an object of the interpreter that it does not contain.
//
// Thread safety: every function needs an attached thread.
#ifndef TENURE_IMMORTAL_IMAGE_EXTERNALS_H_
#define TENURE_IMMORTAL_IMAGE_EXTERNALS_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "tenure/core/abi/singletons.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// An object that an image names and does not contain.
struct External {
  std::string program;
  PyObject* object;  // borrowed, immortal
  uint32_t flags;    // ExternalFlags; 0: its address says nothing
};

// An external that is a singleton. Requires: it is one of this interpreter.
External external_of(const abi::Singleton& singleton, PyObject* object);

// An external that Tenure makes itself. Requires: there is an own_object() of that number.
External own_external(OwnObject id);

// Borrowed; null if there is none of that number, or it was not made yet.
PyObject* own_object(OwnObject id);

// True if the program is nothing but the path to an object of Tenure's own, and that is there.
bool is_own_object(std::span<const std::byte> program, uint64_t address);

// The program that leads to a singleton in any interpreter of the same version.
std::string path_to(const abi::Singleton& singleton, PyObject* object);

// Runs a program. Answers the object, borrowed from the interpreter; null with `problem` filled in
// if the program is damaged or this interpreter has no such object. Programs that import modules
// run their code.
PyObject* follow_path(std::span<const std::byte> program, const std::string& name,
                      Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_EXTERNALS_H_
