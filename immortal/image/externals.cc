#include "tenure/immortal/image/externals.h"

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/strings.h"
#include "tenure/core/strong.h"
#include "tenure/immortal/image/format.h"
#include "tenure/immortal/image/varint.h"

namespace tenure::image {
namespace {

PyObject* from_singleton(abi::Singleton::Kind kind, int64_t value) {
  return abi::resolve(abi::Singleton{kind, value});
}

Strong text_object(std::string_view text) {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogatepass");
}

// One step of kModule, kAttribute or kItem. Borrowed: what a path names lives in a module, a class
// or a dict that the image's users keep.
PyObject* step(PathOp op, PyObject* from, std::string_view text) {
  Strong name = text_object(text);
  if (!name) return nullptr;
  PyObject* found = nullptr;
  if (op == PathOp::kModule) {
    found = PyImport_Import(name.get());
  } else if (from != nullptr) {
    found = op == PathOp::kAttribute ? PyObject_GetAttr(from, name.get())
                                     : PyObject_GetItem(from, name.get());
  }
  return found;
}

}  // namespace

External external_of(const abi::Singleton& singleton, PyObject* object) {
  return {path_to(singleton, object), object, abi::is_in_binary(object) ? uint32_t{kFixed} : 0u};
}

External own_external(OwnObject id) {
  std::string program(1, static_cast<char>(PathOp::kOwn));
  put_varint(program, static_cast<uint64_t>(id));
  return {std::move(program), own_object(id), uint32_t{kOwn}};
}

bool is_own_object(std::span<const std::byte> program, uint64_t address) {
  StreamReader in(program);
  if (static_cast<PathOp>(in.byte()) != PathOp::kOwn) return false;
  const PyObject* object = own_object(static_cast<OwnObject>(in.varint()));
  return !in.failed() && in.at_end() && object != nullptr &&
         reinterpret_cast<uint64_t>(object) == address;
}

PyObject* own_object(OwnObject id) {
  if (id != OwnObject::kFrozenDictType) return nullptr;
  return reinterpret_cast<PyObject*>(abi::frozen_dict_type());
}

std::string path_to(const abi::Singleton& singleton, PyObject* object) {
  std::string program;
  auto op = [&program](PathOp code) { program.push_back(static_cast<char>(code)); };
  switch (singleton.kind) {
    case abi::Singleton::Kind::kWellKnown:
      op(PathOp::kWellKnown);
      put_varint(program, static_cast<uint64_t>(singleton.value));
      break;
    case abi::Singleton::Kind::kSmallInt:
      op(PathOp::kSmallInt);
      put_varint(program, zigzag(singleton.value));
      break;
    case abi::Singleton::Kind::kLatin1:
      op(PathOp::kLatin1);
      put_varint(program, static_cast<uint64_t>(singleton.value));
      break;
    case abi::Singleton::Kind::kByte:
      op(PathOp::kByte);
      put_varint(program, static_cast<uint64_t>(singleton.value));
      break;
    case abi::Singleton::Kind::kStatic: {
      // Static strings of the interpreter are identifiers: ASCII, so this cannot fail.
      Py_ssize_t bytes = 0;
      const char* text = PyUnicode_AsUTF8AndSize(object, &bytes);
      op(PathOp::kInterned);
      put_varint(program, static_cast<uint64_t>(bytes));
      program.append(text, static_cast<size_t>(bytes));
      break;
    }
  }
  return program;
}

PyObject* follow_path(std::span<const std::byte> program, const std::string& name,
                      Problem& problem) {
  using Of = abi::Singleton::Kind;
  StreamReader in(program);
  PyObject* object = nullptr;
  // What a step makes is kept until the next one is done.
  PyObject* held = nullptr;
  do {
    const auto op = static_cast<PathOp>(in.byte());
    PyObject* next = nullptr;
    bool strong = false;
    switch (op) {
      case PathOp::kWellKnown:
        next = from_singleton(Of::kWellKnown, static_cast<int64_t>(in.varint()));
        break;
      case PathOp::kSmallInt:
        next = from_singleton(Of::kSmallInt, unzigzag(in.varint()));
        break;
      case PathOp::kLatin1:
        next = from_singleton(Of::kLatin1, static_cast<int64_t>(in.varint()));
        break;
      case PathOp::kByte:
        next = from_singleton(Of::kByte, static_cast<int64_t>(in.varint()));
        break;
      case PathOp::kInterned: {
        const std::string_view text = in.text();
        if (!in.failed()) next = abi::intern_text(text.data(), text.size());
        break;
      }
      case PathOp::kOwn:
        next = own_object(static_cast<OwnObject>(in.varint()));
        break;
      case PathOp::kModule:
      case PathOp::kAttribute:
      case PathOp::kItem: {
        const std::string_view text = in.text();
        if (!in.failed()) next = step(op, object, text);
        strong = true;
        break;
      }
      default:
        Py_XDECREF(held);
        problem.refuse(name, "uses a path operation this Tenure does not know; use a newer one");
        return nullptr;
    }
    Py_XDECREF(held);
    held = strong ? next : nullptr;
    object = next;
    if (in.failed() || object == nullptr) {
      Py_XDECREF(held);
      const bool is_lookup = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception) &&
                             !PyErr_ExceptionMatches(PyExc_MemoryError);
      if (is_lookup) PyErr_Clear();  // a name that is none, or of nothing here
      if (PyErr_Occurred()) {
        problem.refuse_with_python_error(name);
      } else {
        problem.refuse(name, in.failed() ? "has a damaged path program; freeze the image again"
                                         : "names an object that this interpreter does not have; "
                                           "freeze the image again with this one");
      }
      return nullptr;
    }
  } while (!in.at_end());
  // The owner that the path went through keeps the object alive from here on; an image's slots
  // do not count.
  Py_XDECREF(held);
  return object;
}

}  // namespace tenure::image
