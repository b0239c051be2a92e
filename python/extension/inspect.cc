// tenure._tenure.inspect(): what is in an image file, for people who want to know.

#include <cstdio>
#include <utility>

#include "tenure/core/abi/identity.h"
#include "tenure/handles/result.h"
#include "tenure/immortal/image/mapping.h"
#include "tenure/immortal/image/view.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

unsigned long long number(uint64_t value) { return value; }

std::string hex(const uint8_t* bytes, size_t count) {
  std::string text;
  char digits[3];
  for (size_t i = 0; i < count; ++i) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    text += digits;
  }
  return text;
}

// Appends a new reference and takes it over. False with a Python error.
bool append(PyObject* list, PyObject* item) {
  const Result<> owner = item;
  return owner && PyList_Append(list, owner.get()) == 0;
}

PyObject* parts(const image::View& view) {
  Result<> list = PyList_New(0);
  if (!list) return nullptr;
  for (const image::DirectoryEntry& entry : view.directory()) {
    if (!append(list.get(),
                Py_BuildValue("{s:s,s:I,s:K,s:K,s:O}", "name", image::kind_name(entry.kind), "kind",
                              entry.kind, "offset", number(entry.offset), "bytes",
                              number(entry.bytes), "segment",
                              entry.kind >= image::kFirstSegmentKind ? Py_True : Py_False))) {
      return nullptr;
    }
  }
  return std::move(list).release();
}

PyObject* modules(const image::View& view) {
  Result<> list = PyList_New(0);
  if (!list) return nullptr;
  for (const image::ModuleEntry& module : view.modules()) {
    uint64_t bytes = 0;
    for (const image::ExtentEntry& extent : view.extents(module.group)) bytes += extent.bytes;
    Result<> name = text_object(view.text(module.name));
    if (!name) return nullptr;
    Result<> origin = text_object(view.text(module.origin));
    if (!origin) return nullptr;
    if (!append(
            list.get(),
            Py_BuildValue("{s:O,s:O,s:O,s:K,s:K,s:K}", "name", name.get(), "origin", origin.get(),
                          "is_package", module.flags & image::kPackage ? Py_True : Py_False,
                          "bytes", number(bytes), "source_bytes", number(module.source_bytes),
                          "source_checksum", number(module.source_checksum)))) {
      return nullptr;
    }
  }
  return std::move(list).release();
}

PyObject* roots(const image::View& view) {
  Result<> list = PyList_New(0);
  if (!list) return nullptr;
  for (const image::RootEntry& root : view.roots()) {
    if (!append(list.get(), text_object(view.text(root.name)))) return nullptr;
  }
  return std::move(list).release();
}

const char* policy_name(uint32_t policy) {
  switch (static_cast<image::HashPolicy>(policy)) {
    case image::HashPolicy::kSealed:
      return "sealed";
    case image::HashPolicy::kFixed:
      return "fixed";
    case image::HashPolicy::kLazy:
      break;
  }
  return "lazy";
}

}  // namespace

PyObject* inspect(PyObject* module, PyObject* path_object) {
  std::string path;
  if (!to_path(path_object, path)) return nullptr;
  const importer::Importer& importer = state_of(module).importer;
  image::Problem problem;
  image::Mapping mapping;
  image::View view;
  if (!image::Mapping::map_for_reading(path, mapping, problem) ||
      !image::View::parse(mapping.bytes(), view, problem)) {
    return importer.raise(path, problem);
  }
  Result<> part_list = parts(view);
  if (!part_list) return nullptr;
  Result<> module_list = modules(view);
  if (!module_list) return nullptr;
  Result<> root_list = roots(view);
  if (!root_list) return nullptr;
  const image::Header& header = view.header();
  const image::Binding& binding = header.binding;
  const bool usable = image::check_binding(binding, view.modules().empty(), problem);
  return Py_BuildValue(
      "{s:I,s:K,s:s,s:O,s:O,s:I,s:s,s:K,s:s,s:I,s:I,s:n,s:n,s:O,s:s,s:O,s:O,s:O}",  //
      "format", header.format_version,                                              //
      "bytes", number(header.file_bytes),                                           //
      "python", abi::version_text(binding.python_version).c_str(),                  //
      "free_threaded", binding.free_threaded ? Py_True : Py_False,                  //
      "debug", binding.debug ? Py_True : Py_False,                                  //
      "optimization", binding.optimization,                                         //
      "build_id", hex(binding.build_id, binding.build_id_bytes).c_str(),            //
      "preferred_base", number(header.preferred_base),                              //
      "hash_policy", policy_name(header.hash_policy),                               //
      "first_code_version", header.first_code_version,                              //
      "code_objects", header.code_version_count,                                    //
      "groups", static_cast<Py_ssize_t>(view.groups().size()),                      //
      "externals", static_cast<Py_ssize_t>(view.externals().size()),                //
      "usable", usable ? Py_True : Py_False,                                        //
      "reason", usable ? "" : problem.what.c_str(),                                 //
      "roots", root_list.get(),                                                     //
      "parts", part_list.get(),                                                     //
      "modules", module_list.get());
}

}  // namespace tenure::extension
