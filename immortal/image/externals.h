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
#include "tenure/immortal/image/problem.h"

namespace tenure::image {

// The program that leads to a singleton in any interpreter of the same version.
std::string path_to(const abi::Singleton& singleton, PyObject* object);

// Runs a program. Answers the object, borrowed from the interpreter; null with `problem` filled in
// if the program is damaged or this interpreter has no such object. Programs that import modules
// run their code.
PyObject* follow_path(std::span<const std::byte> program, const std::string& name,
                      Problem& problem);

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_EXTERNALS_H_
