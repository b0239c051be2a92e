// tenure._tenure.assembler_source(): an image as a part of a binary.

#include <utility>

#include "tenure/core/attach.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/mapping.h"
#include "tenure/immortal/linked/assembler.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

bool map_and_check(const std::string& path, image::Mapping& mapping, image::View& view,
                   image::Problem& problem) {
  const Detach detached;
  if (!image::Mapping::map_for_reading(path, mapping, problem) ||
      !image::View::parse(mapping.bytes(), view, problem)) {
    return false;
  }
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    if (!view.check_group(group, image::View::Parts::kAll, problem)) return false;
  }
  return true;
}

}  // namespace

PyObject* assembler_source(PyObject* module, PyObject* args, PyObject* keywords) {
  static const char* const names[] = {"path", "section", "symbol", "fixed", nullptr};
  PyObject* path_object = nullptr;
  const char* section_name = nullptr;
  const char* symbol = nullptr;
  int fixed = 0;
  linked::Section section;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "Oss|p:assembler_source",
                                   const_cast<char**>(names), &path_object, &section_name, &symbol,
                                   &fixed) ||
      !to_path(path_object, section.path)) {
    return nullptr;
  }
  section.name = section_name;
  section.symbol = symbol;
  image::Mapping mapping;
  image::View view;
  image::Problem problem;
  std::string source;
  if (!map_and_check(section.path, mapping, view, problem) ||
      !image::check_binding(view.header().binding, view.modules().empty(), problem) ||
      !linked::write_source(view, section,
                            fixed != 0 ? linked::Link::kFixed : linked::Link::kAnywhere, source,
                            problem)) {
    return state_of(module).importer.raise(section.path, problem);
  }
  return PyBytes_FromStringAndSize(source.data(), static_cast<Py_ssize_t>(source.size()));
}

}  // namespace tenure::extension
