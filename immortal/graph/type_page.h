// Where tenure.FrozenDict is: the same place in every process.
//
// An image's objects name their type by address. For that address to be right in every process that
// maps the image, the type object lies in a page of its own at an address agreed upon, below those
// of images. The protocol between the copies of this library that extension modules may contain:
//
//   1. A copy asks the system for the page, at the first address of a short list, without
//      replacing what is there. If it gets the page, it is the owner: it builds the type there,
//      with functions of its own, and then sets `state` to kBuilt.
//   2. If the place is taken, it asks the system to copy the head of the page into a pipe, which
//      fails where reading would crash. If magic and version are those of this copy, the page is a
//      FrozenDict's: the copy waits for kBuilt and uses it. If it is all zeros, its owner is
//      building it perhaps, and the copy looks again for a moment. Else somebody else's memory is
//      there, and the next address is tried.
//   3. If no address is to be had, the type lies in the copy itself. Everything works, but images
//      have to be relocated, and other copies have types of their own.
//
// Nobody ever unmaps the page, and CPython never unloads the module that its functions are in. A
// child of a fork inherits it. Copies of different layouts are strangers to each other: `version`
// is a new number whenever TypePage, InterpreterRecord or a FrozenDict change.
//
// Thread safety: attached; several interpreters may call it at once.
#ifndef TENURE_IMMORTAL_GRAPH_TYPE_PAGE_H_
#define TENURE_IMMORTAL_GRAPH_TYPE_PAGE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "tenure/core/abi/frozen_dict.h"
#include "tenure/core/abi/places.h"
#include "tenure/core/abi/thread.h"

namespace tenure::graph {

struct InterpreterRecord;

struct PageHead {
  char magic[16];
  uint32_t version;
  uint32_t bytes;  // of the TypePage
  // Release by the owner, acquire by the others: publishes the type.
  std::atomic<uint32_t> state;
};

struct TypePage {
  static constexpr uint32_t kBuilt = 1;

  PageHead head;
  alignas(64) PyTypeObject type;
  // The main interpreter's; null while it has none. Release in its record's making, acquire by
  // those who look.
  std::atomic<InterpreterRecord*> main_record;
  // Held while the type is made ready in an interpreter.
  abi::AttachedLock readying;
};

static_assert(abi::kFrozenDictTypeAddress == abi::kFrozenDictTypePage + offsetof(TypePage, type));

// The page that this copy uses; the first call finds it or makes it, calling build() with a zeroed
// type if it has to be made. Never null. `addresses` is how many of the list are tried.
TypePage* type_page(void (*build)(PyTypeObject*));

// Step by step, for tests: claims or adopts a page at that address, null if neither is possible.
TypePage* claim_or_adopt(uintptr_t address, void (*build)(PyTypeObject*));

}  // namespace tenure::graph

#endif  // TENURE_IMMORTAL_GRAPH_TYPE_PAGE_H_
