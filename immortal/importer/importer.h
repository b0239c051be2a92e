// Serves modules from loaded images to Python's import system.
//
// One Importer an interpreter. It owns the images that were loaded, in the order in which they are
// asked, and puts one finder in front of sys.meta_path with the first of them that has modules.
// What the finder does not know it leaves to the finders behind it, so extension modules and data
// files of a frozen package are found where they always were.
//
// A frozen module has everything that one imported from its source has: __file__, __cached__,
// __path__, a spec, and a loader that is a SourceFileLoader in every respect but where the code
// comes from.
//
// Thread safety: every member needs a thread attached to the importer's interpreter, whose GIL
// guards all of it. Where there is none, a lock guards the list of images, and everything else is
// constant after init().
#ifndef TENURE_IMMORTAL_IMPORTER_IMPORTER_H_
#define TENURE_IMMORTAL_IMPORTER_IMPORTER_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/image.h"

namespace tenure::importer {

class Importer {
 public:
  Importer() = default;
  ~Importer();
  Importer(const Importer&) = delete;
  Importer& operator=(const Importer&) = delete;

  // Makes the Python types and looks up what the import system offers. False with a Python error.
  // Requires: `module` is the extension module whose state starts with this Importer. Borrows.
  [[nodiscard]] bool init(PyObject* module, PyObject* image_error);

  // Makes an image that Image::open() gave ready, seals it if told before anybody else sees it, and
  // takes it over. Answers it, or the one of the same file that another thread has added in the
  // meantime; null with `problem`, if it could not be sealed it is there all the same.
  image::Image* add(std::unique_ptr<image::Image> opened, bool seal, image::Problem& problem);

  // Takes over what another interpreter has loaded from that very file and shares; null if none
  // has.
  image::Image* adopt(const image::FileId& file);

  // Puts the finder in front of sys.meta_path, if the image has modules and it is not there. False
  // with a Python error.
  [[nodiscard]] bool serve(const image::Image& image);

  // The image that was loaded from that very file; null if none was.
  image::Image* find_image(const image::FileId& file) const;

  // All images that were loaded, in the order in which they are asked. Requires: a GIL.
  std::span<const std::shared_ptr<image::Image>> images() const { return images_; }

  // Raises ImageError with the problem, or leaves the Python error that is behind it. Answers null.
  PyObject* raise(const std::string& path, const image::Problem& problem) const;

  // The module of that name in the first image that has it.
  struct Found {
    image::Image* image = nullptr;
    const image::ModuleEntry* module = nullptr;
  };
  Found find_module(std::string_view name) const;

  // The same for any object: what is no str, or has lone surrogates, names no module.
  Found find_module(PyObject* name) const;

  // The code object of a module that find_module() found, prepared. Borrowed, immortal; null with
  // ImageError set if its bytes are damaged.
  PyObject* code(const Found& found) const;

  // A module spec as the import system would make it. New reference; null with a Python error.
  PyObject* make_spec(const Found& found, PyObject* name) const;

  // Runs a module's code in its namespace. False with a Python error.
  [[nodiscard]] bool execute(PyObject* code, PyObject* module) const;

  // For the collector.
  int traverse(visitproc visit, void* arg) const;
  void clear();

 private:
  bool install_finder();
  image::Image* find_locked(const image::FileId& file) const;

  std::vector<std::shared_ptr<image::Image>> images_;  // guarded by the loading lock; only grows
  PyObject* image_error_ = nullptr;
  PyObject* finder_ = nullptr;
  PyObject* loader_type_ = nullptr;
  PyObject* module_spec_ = nullptr;               // importlib's ModuleSpec
  PyObject* call_with_frames_removed_ = nullptr;  // keeps importlib's frames out of tracebacks
  PyObject* exec_ = nullptr;

  // Attribute names, interned.
  struct Names {
    PyObject* origin = nullptr;
    PyObject* has_location = nullptr;
    PyObject* cached = nullptr;
    PyObject* locations = nullptr;  // "submodule_search_locations"
    PyObject* dict = nullptr;       // "__dict__"
  } names_;
};

// The importer of the extension module that made a type of ours. Requires: attached. Borrows.
Importer* importer_of(PyTypeObject* defining_class);

// Makes the type of finders, and of loaders as a subclass of `base`. New references; null with a
// Python error. Requires: as for Importer::init.
PyObject* make_finder_type(PyObject* module);
PyObject* make_loader_type(PyObject* module, PyObject* base);

// A finder of that type. New reference.
PyObject* make_finder(PyObject* type);

}  // namespace tenure::importer

#endif  // TENURE_IMMORTAL_IMPORTER_IMPORTER_H_
