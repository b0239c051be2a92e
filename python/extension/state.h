// What the extension module tenure._tenure keeps for each interpreter.
#ifndef TENURE_PYTHON_EXTENSION_STATE_H_
#define TENURE_PYTHON_EXTENSION_STATE_H_

#include <string>
#include <string_view>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/importer/importer.h"

namespace tenure::extension {

struct State {
  importer::Importer importer;  // first: the importer's types find it there
  PyObject* image_error = nullptr;
  PyObject* image_type = nullptr;
  bool unseals_at_end = false;  // that is arranged
  PyObject* images = nullptr;   // dict: address of an image::Image -> its tenure.Image
};

State& state_of(PyObject* module);

// A path argument: str, bytes or os.PathLike. False with a Python error.
[[nodiscard]] bool to_path(PyObject* object, std::string& path);

// A str from the text of an image: UTF-8 in which a path may have lone surrogates, and anything at
// all if the image was not written by us. New reference; null if memory ran out.
PyObject* text_object(std::string_view text);

// Raises TypeError for what an image cannot hold, or leaves the Python error that is behind it.
// Answers null.
PyObject* refuse_to_freeze(const image::Problem& problem);

// Methods of the module; see module.cc for what they take.
PyObject* load(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* write_image(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* write_data(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* inspect(PyObject* module, PyObject* path);
PyObject* assembler_source(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* json_default(PyObject* module, PyObject* object);
PyObject* watch_writes(PyObject* module, PyObject* args);
PyObject* deferred_stats(PyObject* module, PyObject*);
PyObject* deferred_flush(PyObject* module, PyObject*);
PyObject* deferred_bound(PyObject* module, PyObject*);
PyObject* deferred_set_bound(PyObject* module, PyObject* seconds);
PyObject* release(PyObject* module, PyObject* object);
PyObject* fast_exit(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* leave_after(PyObject* module, PyObject* args);
PyObject* immortalize(PyObject* module, PyObject* args, PyObject* keywords);
PyObject* prefork(PyObject* module, PyObject* args, PyObject* keywords);

// Adds the table of tenure_deferred.h for other extension modules. -1 with a Python error.
[[nodiscard]] int add_deferred_api(PyObject* module);

// Why no image of code can be written or loaded here; null where one can. Thread state: any.
const char* no_code_reason();

// Adds FrozenDict. False with a Python error.
[[nodiscard]] bool add_frozen_dict(PyObject* module);

// The type of tenure.Image. New reference; null with a Python error.
PyObject* make_image_type(PyObject* module);

}  // namespace tenure::extension

#endif  // TENURE_PYTHON_EXTENSION_STATE_H_
