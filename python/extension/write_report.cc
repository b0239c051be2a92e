// tenure._tenure.watch_writes(): runs a callable with the images protected and tells what was
// written to them; tenure.write_report() makes it readable.

#include <dlfcn.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tenure/handles/result.h"
#include "tenure/immortal/image/root_paths.h"
#include "tenure/immortal/image/sealing.h"
#include "tenure/immortal/image/write_watch.h"
#include "tenure/python/extension/state.h"

namespace tenure::extension {
namespace {

struct WatchedImage {
  image::Image* image;
  bool was_sealed;
  std::vector<image::ByteRange> pages;
};

// What one instruction wrote to one field of one object.
struct Write {
  const image::WriteRecord* first;
  const image::WriteRecord* last;
  uint64_t count = 0;
};

// Prepares the images and finds the pages to watch. False with a Python error.
bool prepare(const importer::Importer& importer, bool fill, std::vector<WatchedImage>& watched) {
  image::Problem problem;
  for (const auto& image : importer.images()) {
    WatchedImage one{image.get(), image::is_sealed(*image), {}};
    const bool good = fill || one.was_sealed
                          ? image::seal(*image, problem)
                          : image->prepare_all(problem) &&
                                image::find_protectable(*image, {}, one.pages, problem);
    if (!good) {
      importer.raise(image->path(), problem);
      return false;
    }
    if (image::is_sealed(*image)) {
      const auto pages = image::sealed_pages(*image);
      one.pages.assign(pages.begin(), pages.end());
    }
    watched.push_back(std::move(one));
  }
  return true;
}

// Every image is as protected as it was before. False with a Python error.
bool restore(const importer::Importer& importer, const std::vector<WatchedImage>& watched) {
  bool good = true;
  for (const WatchedImage& one : watched) {
    if (!one.was_sealed) image::unseal(*one.image);
    if (image::protect_again(*one.image)) continue;
    image::Problem problem;
    problem.refuse("image", "could not be sealed again");
    if (good) importer.raise(one.image->path(), problem);
    good = false;
  }
  return good;
}

std::vector<image::WatchedArea> areas_of(const std::vector<WatchedImage>& watched) {
  std::vector<image::WatchedArea> areas;
  for (const WatchedImage& one : watched) {
    for (const image::ByteRange& range : one.pages) {
      areas.push_back({one.image->mapping().base() + range.begin, range.end - range.begin});
    }
  }
  return areas;
}

// The part of a record's bytes that belongs to [address, address + bytes), as bytes. New reference.
PyObject* shown(const image::WriteRecord& record,
                const std::array<std::byte, image::WriteRecord::kWindowBytes>& window,
                uint64_t address, size_t bytes) {
  const uint64_t begin = std::max(address, record.window) - record.window;
  const uint64_t end = std::min(address + bytes - record.window, uint64_t{window.size()});
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(window.data()) + begin,
                                   begin < end ? static_cast<Py_ssize_t>(end - begin) : 0);
}

// None if there is no text. New reference.
PyObject* text_or_none(const char* text) {
  return text != nullptr ? PyUnicode_DecodeFSDefault(text) : Py_NewRef(Py_None);
}

// (file, offset in it, symbol) of an instruction. New reference.
PyObject* describe_instruction(uint64_t instruction) {
  Dl_info info = {};
  auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  if (dladdr(reinterpret_cast<void*>(instruction), &info) == 0 || info.dli_fname == nullptr) {
    return Py_BuildValue("(OKO)", Py_None, number(instruction), Py_None);
  }
  const std::string name = info.dli_fname;
  char resolved[PATH_MAX];
  // The program itself is known by what it was called.
  const char* path =
      realpath(name.find('/') == std::string::npos ? "/proc/self/exe" : name.c_str(), resolved);
  std::string symbol;
  if (info.dli_sname != nullptr) {
    char offset[24];
    std::snprintf(offset, sizeof offset, "+0x%llx",
                  number(instruction - reinterpret_cast<uint64_t>(info.dli_saddr)));
    symbol = std::string(info.dli_sname) + offset;
  }
  return Py_BuildValue("(NKN)", text_or_none(path != nullptr ? path : name.c_str()),
                       number(instruction - reinterpret_cast<uint64_t>(info.dli_fbase)),
                       text_or_none(symbol.empty() ? nullptr : symbol.c_str()));
}

// Tells the writes to one image.
class Teller {
 public:
  Teller(const image::Image& image, PyObject* list)
      : image_(image), paths_(image.view(), image.mapping().base()), list_(list) {}

  // False with a Python error.
  bool tell(const std::vector<const image::WriteRecord*>& records);

 private:
  // Where it was written, by object, field and instruction.
  using Key = std::tuple<uint64_t, std::string_view, int64_t, uint64_t>;

  uint64_t offset_of(const image::WriteRecord& record) const {
    return record.address - reinterpret_cast<uint64_t>(image_.mapping().base());
  }
  image::FieldPlace field_of(const image::ObjectPlace& object, uint64_t offset) const {
    return image::field_at(*object.shape, image_.mapping().base() + object.offset,
                           static_cast<int64_t>(offset - object.offset));
  }
  PyObject* describe(const Write& write) const;

  const image::Image& image_;
  const image::RootPaths paths_;
  PyObject* const list_;
};

bool Teller::tell(const std::vector<const image::WriteRecord*>& records) {
  std::vector<Write> writes;
  std::map<Key, size_t> known;
  for (const image::WriteRecord* record : records) {
    const uint64_t offset = offset_of(*record);
    const auto object = paths_.object_at(offset);
    Key key{offset, "", -1, record->instruction};
    if (object) {
      const image::FieldPlace field = field_of(*object, offset);
      key = {object->offset, field.name, field.item, record->instruction};
    }
    const auto [found, added] = known.try_emplace(key, writes.size());
    if (added) writes.push_back({record, record, 0});
    Write& write = writes[found->second];
    write.last = record;
    write.count += record->count;
  }
  for (const Write& write : writes) {
    const Result<> one = describe(write);
    if (!one || PyList_Append(list_, one.get()) < 0) return false;
  }
  return true;
}

// (image, offset, object, shape, path, field, before, after, count, writer). New reference.
PyObject* Teller::describe(const Write& write) const {
  constexpr size_t kShownBytes = 16;
  const uint64_t offset = offset_of(*write.first);
  const auto object = paths_.object_at(offset);
  uint64_t address = write.first->address;
  size_t bytes = kShownBytes;
  std::string name;
  std::string path;
  if (object) {
    const image::FieldPlace field = field_of(*object, offset);
    name = field.name;
    if (field.item >= 0) name += " " + std::to_string(field.item);
    if (field.bytes > 1) {
      address = reinterpret_cast<uint64_t>(image_.mapping().base()) + object->offset +
                static_cast<uint64_t>(field.begin);
      bytes = field.bytes;
    }
    path = paths_.path_to(object->offset);
  }
  auto text = [](const std::string& value) {
    return value.empty() ? Py_NewRef(Py_None) : text_object(value);
  };
  return Py_BuildValue(
      "(NKOzNNNNKN)", PyUnicode_DecodeFSDefault(image_.path().c_str()),
      static_cast<unsigned long long>(offset), object ? image_.object(object->offset) : Py_None,
      object ? object->shape->name : nullptr, text(path), text(name),
      shown(*write.first, write.first->before, address, bytes),
      shown(*write.last, write.last->after, address, bytes),
      static_cast<unsigned long long>(write.count), describe_instruction(write.first->instruction));
}

bool tell_all(const std::vector<WatchedImage>& watched,
              const std::vector<image::WriteRecord>& records, PyObject* list) {
  for (const WatchedImage& one : watched) {
    const auto base = reinterpret_cast<uint64_t>(one.image->mapping().base());
    std::vector<const image::WriteRecord*> own;
    for (const image::WriteRecord& record : records) {
      if (record.address - base < one.image->mapping().bytes().size()) own.push_back(&record);
    }
    if (!own.empty() && !Teller(*one.image, list).tell(own)) return false;
  }
  return true;
}

}  // namespace

PyObject* watch_writes(PyObject* module, PyObject* args) {
  PyObject* callable = nullptr;
  PyObject* positional = nullptr;
  PyObject* keywords = nullptr;
  int fill = 1;
  if (!PyArg_ParseTuple(args, "OO!O!p:watch_writes", &callable, &PyTuple_Type, &positional,
                        &PyDict_Type, &keywords, &fill)) {
    return nullptr;
  }
  const importer::Importer& importer = state_of(module).importer;
  if (image::WriteWatch::is_on()) {
    PyErr_SetString(PyExc_RuntimeError, "a write report is being made already; one at a time");
    return nullptr;
  }
  std::vector<WatchedImage> watched;
  if (!prepare(importer, fill != 0, watched)) {
    const Result<> error = PyErr_GetRaisedException();
    restore(importer, watched);
    PyErr_SetRaisedException(Py_NewRef(error.get()));
    return nullptr;
  }
  if (watched.empty()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "no image is loaded, so there is nothing to report on; tenure.load() one");
    return nullptr;
  }
  if (const char* why = image::WriteWatch::start(areas_of(watched))) {
    if (restore(importer, watched)) {
      PyErr_Format(PyExc_RuntimeError, "writes cannot be reported: %s", why);
    }
    return nullptr;
  }
  Result<> result = PyObject_Call(callable, positional, keywords);
  Result<> error = result ? Py_NewRef(Py_None) : PyErr_GetRaisedException();
  const image::WriteWatch::Result found = image::WriteWatch::stop();
  if (!restore(importer, watched)) return nullptr;
  Result<> list = PyList_New(0);
  if (!list || !tell_all(watched, found.writes, list.get())) return nullptr;
  return Py_BuildValue("(OOOK)", result ? result.get() : Py_None, error.get(), list.get(),
                       static_cast<unsigned long long>(found.unrecorded));
}

}  // namespace tenure::extension
