// The assembler's source of an object file that holds an image.
//
// The image is one section, read-only and page-aligned, between the hidden symbols SYMBOL_begin and
// SYMBOL_end. There are two kinds:
//
//   kAnywhere   the file's bytes, for shared objects and position-independent executables.
//   kFixed      for position-dependent executables: each pointer of the image is a relocation that
//               the linker resolves. Those into the image are against the section; those to the
//               interpreter's own objects against the exported symbol that they lie in, plus an
//               offset. The program's start changes nothing in the section.
//
// What an image has made anew at load, lists say, is made for each interpreter in its own copy:
// such an image is never used where it lies, and its kFixed is the same as its kAnywhere.
//
// Not for: images of modules, whose code is written to.
//
// Thread safety: needs an attached thread.
#ifndef TENURE_IMMORTAL_LINKED_ASSEMBLER_H_
#define TENURE_IMMORTAL_LINKED_ASSEMBLER_H_

#include <cstdint>
#include <string>

#include "tenure/immortal/image/problem.h"
#include "tenure/immortal/image/view.h"

namespace tenure::linked {

enum class Link : uint8_t { kAnywhere, kFixed };

struct Section {
  std::string name;    // ".tenure.countries"
  std::string symbol;  // "tenure_graph_countries"
  std::string path;    // of the image file, for the assembler to find
};

// Writes the source. False with `problem` if the image holds modules, or if an object that it names
// lies in no exported symbol. Requires: the image's groups are checked; this interpreter is the one
// that made it.
[[nodiscard]] bool write_source(const image::View& view, const Section& section, Link link,
                                std::string& source, image::Problem& problem);

}  // namespace tenure::linked

#endif  // TENURE_IMMORTAL_LINKED_ASSEMBLER_H_
