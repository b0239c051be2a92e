#include "tenure/core/abi/identity.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>

#include "tenure/core/abi/python.h"
#include "tenure/core/abi/shape.h"
#include "tenure/core/abi/singletons.h"

namespace tenure::abi {
namespace {

void read_build_id(const dl_phdr_info& info, const ElfW(Phdr) & note, Identity& identity) {
  const auto* at = reinterpret_cast<const uint8_t*>(info.dlpi_addr + note.p_vaddr);
  const uint8_t* end = at + note.p_memsz;
  auto aligned = [](size_t bytes) { return (bytes + 3) & ~size_t{3}; };
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) header;
    std::memcpy(&header, at, sizeof header);
    const uint8_t* name = at + sizeof header;
    const uint8_t* content = name + aligned(header.n_namesz);
    if (content + header.n_descsz > end) return;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
        std::memcmp(name, "GNU", 4) == 0) {
      identity.build_id_bytes =
          static_cast<uint32_t>(std::min<size_t>(header.n_descsz, identity.build_id.size()));
      std::memcpy(identity.build_id.data(), content, identity.build_id_bytes);
      return;
    }
    at = content + aligned(header.n_descsz);
  }
}

// dl_iterate_phdr's callback: stops at the binary that the type of str lies in.
int find_binary(dl_phdr_info* info, size_t, void* argument) {
  auto& identity = *static_cast<Identity*>(argument);
  const auto wanted = reinterpret_cast<uint64_t>(&PyUnicode_Type);
  uint64_t begin = ~uint64_t{0};
  uint64_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) & header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    begin = std::min(begin, info->dlpi_addr + header.p_vaddr);
    end = std::max(end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  if (wanted < begin || wanted >= end) return 0;
  identity.load_bias = info->dlpi_addr;
  identity.binary_begin = begin;
  identity.binary_end = end;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type == PT_NOTE && identity.build_id_bytes == 0) {
      read_build_id(*info, info->dlpi_phdr[i], identity);
    }
  }
  return 1;
}

// sys.flags.optimize; 0 if somebody has taken it away.
uint32_t optimization_level() {
  PyObject* flags = PySys_GetObject("flags");
  PyObject* level = flags != nullptr ? PyObject_GetAttrString(flags, "optimize") : nullptr;
  const long value = level != nullptr ? PyLong_AsLong(level) : 0;
  Py_XDECREF(level);
  if (PyErr_Occurred()) {
    PyErr_Clear();
    return 0;
  }
  return static_cast<uint32_t>(value);
}

Identity find_identity() {
  Identity identity{};
  identity.python_version = static_cast<uint32_t>(Py_Version);
  identity.bytecode_magic = static_cast<uint32_t>(PyImport_GetMagicNumber());
#ifdef Py_GIL_DISABLED
  identity.free_threaded = true;
#endif
#ifdef Py_DEBUG
  identity.debug = true;
#endif
  identity.optimization = optimization_level();
  identity.layout_fingerprint = layout_fingerprint();
  dl_iterate_phdr(find_binary, &identity);
  identity.witness = 0xcbf29ce484222325;
  for (uint32_t i = 1; i < kWellKnownEnd; ++i) {
    const auto address = reinterpret_cast<uint64_t>(well_known(static_cast<WellKnown>(i)));
    identity.witness = (identity.witness ^ address) * 0x100000001b3;
  }
  return identity;
}

}  // namespace

const Identity& identity() {
  static const Identity identity = find_identity();
  return identity;
}

std::string version_text(uint32_t python_version) {
  return std::to_string(python_version >> 24) + '.' + std::to_string(python_version >> 16 & 0xff) +
         '.' + std::to_string(python_version >> 8 & 0xff);
}

}  // namespace tenure::abi
