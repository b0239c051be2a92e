// The image format: what the bytes of a .tenure file mean.
//
// A file is a header page, segments, and tables. It is mapped whole, in one piece, at the
// preferred address it was written for; file offset and offset from the mapping's base are the
// same number everywhere below.
//
//   page 0     Header, then the directory: `directory_count` DirectoryEntry
//   segments   objects; page aligned; checked group by group, before a group is first used
//   tables     bulk tables are checked like segments, the others when the image is loaded
//
// That order is the writer's; a reader goes by the directory.
//
// Segments are told apart by who writes to them after loading, because a page that is written is
// a page that is copied. Inside a segment objects stand in groups. A group is what becomes usable
// in one step: group 0 holds what several others share, and each frozen module is a group. Data, an
// image's roots and all they lead to, is in group 0.
// "Preparing" a group means, in this order: check its bytes, relocate its slots (only where the
// image is not prelinked), intern its strings, run its actions.
//
// Room to grow without a new format: kinds of directory entries, externals' operations, actions
// and shapes are open numberings. A reader that meets a directory kind it does not know ignores
// it unless kMustUnderstand is set; an unknown action, operation or shape is refused by name.
//
// All numbers are little endian. A "slot" is the offset of a pointer, in units of 8 bytes.
#ifndef TENURE_IMMORTAL_IMAGE_FORMAT_H_
#define TENURE_IMMORTAL_IMAGE_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace tenure::image {

// The line ends catch a transfer in text mode, the 0x1a stops a terminal.
inline constexpr char kMagic[8] = {'T', 'E', 'N', 'U', 'R', 'E', '\r', '\n'};
inline constexpr uint32_t kFormatVersion = 2;
inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kSlotBytes = 8;
inline constexpr uint32_t kCommonGroup = 0;

// The kinds of directory entries. Tables count from 1, segments from 64.
enum class Kind : uint32_t {
  kText = 1,            // UTF-8 bytes that other tables point into
  kGroups = 2,          // GroupEntry
  kExtents = 3,         // ExtentEntry
  kModules = 4,         // ModuleEntry, sorted by the bytes of their names
  kRoots = 5,           // RootEntry
  kExternals = 6,       // ExternalEntry
  kPrograms = 7,        // bytes: the externals' path programs
  kActions = 8,         // ActionEntry; bulk
  kActionSlots = 9,     // u32 slots named by actions; bulk
  kStringUses = 10,     // StringUse; bulk
  kStringSlots = 11,    // u32 slots that name strings, in the order of kStringUses; bulk
  kInternalSlots = 12,  // stream: slots that point into the image; bulk
  kExternalSlots = 13,  // stream: slots that point to externals; bulk
  kObjects = 14,        // stream: where objects are, and their shapes; bulk
  kConstSegment = 64,   // int, float, complex, bytes: not written unless bytes are hashed
  kTextSegment = 65,    // strings that are no identifiers: written when somebody hashes one
  kStringSegment = 66,  // identifiers: written once, when their group is interned
  kTupleSegment = 67,   // tuples: not written unless hashed
  kBodySegment = 68,    // code that runs at import, or ran in training: written then
  kCodeSegment = 69,    // code of other functions: written when first called
  // The same, but of objects with slots that preparing is expected to replace, because they name
  // strings that the interpreter has before the image is loaded, or what actions make.
  kReplacedTupleSegment = 70,
  kReplacedCodeSegment = 71,
  // Data only. Such a str is followed by its UTF-8, which it points to: nobody has to make it
  // later, in memory of whichever interpreter comes first.
  kUtf8TextSegment = 72,      // strings that are not ASCII: written when somebody hashes one
  kDictSegment = 73,          // FrozenDicts: written when somebody hashes one
  kReplacedDictSegment = 74,  // those with slots that actions fill in
};
inline constexpr uint32_t kLastTableKind = 14;
inline constexpr uint32_t kFirstSegmentKind = 64;
inline constexpr uint32_t kSegmentKindEnd = 75;

enum DirectoryFlags : uint32_t {
  kMustUnderstand = 1u << 0,  // refuse the image if the kind is unknown
  kBulk = 1u << 1,            // checked by extents, not when the image is loaded
};

struct DirectoryEntry {
  uint32_t kind;
  uint32_t flags;
  uint64_t offset;  // from the start of the file; segments: a multiple of kPageBytes
  uint64_t bytes;
  uint64_t checksum;  // of the whole entry; 0 for bulk entries, whose extents carry theirs
};

// The interpreter that an image was made by and for.
struct Binding {
  uint32_t python_version;      // PY_VERSION_HEX
  uint32_t bytecode_magic;      // the number that .pyc files start with
  uint32_t free_threaded;       // 0 or 1
  uint32_t debug;               // 0 or 1
  uint64_t layout_fingerprint;  // abi::layout_fingerprint()
  uint64_t load_bias;           // where the interpreter's binary was mapped
  uint64_t witness;             // abi::Identity::witness
  uint32_t build_id_bytes;      // 0: the interpreter has none, so never prelinked
  uint32_t optimization;        // level for which the code was compiled: 0, 1 (-O), 2 (-OO)
  uint8_t build_id[32];
};

// How the hashes are taken that depend on the process's secret: of str, bytes, and what holds them.
enum class HashPolicy : uint32_t {
  kLazy = 0,    // by who first asks, object by object
  kSealed = 1,  // all of them at load, and then the pages are write-protected
  kFixed = 2,   // in the file, for the secret of which hash_witness is the hash_witness()
};
inline constexpr uint32_t kHashPolicyEnd = 3;

struct Header {
  char magic[8];
  uint32_t format_version;
  uint32_t header_bytes;     // sizeof(Header): the directory starts here
  uint64_t header_checksum;  // of the whole first page, this field taken as zero
  uint64_t file_bytes;       // a multiple of kPageBytes
  uint64_t preferred_base;
  uint64_t content_id[2];  // names the content: equal for equal input, address not included
  uint32_t directory_count;
  uint32_t hash_policy;         // HashPolicy
  uint32_t first_code_version;  // the versions of this image's code objects,
  uint32_t code_version_count;  //   [first, first + count)
  Binding binding;
  uint64_t hash_witness;  // kFixed only: see abi::hash_witness()
};
static_assert(sizeof(Header) % alignof(uint64_t) == 0);

inline constexpr uint32_t kMaxDirectoryEntries =
    (kPageBytes - sizeof(Header)) / sizeof(DirectoryEntry);

// A run of extents; extents of one group are next to each other.
struct GroupEntry {
  uint32_t first_extent;
  uint32_t extent_count;
};

// The part of one bulk table or segment that belongs to a group. A group has at most one extent
// of a kind, and extents of one kind do not overlap.
struct ExtentEntry {
  uint32_t kind;
  uint32_t reserved;
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;
};

struct TextRef {
  uint32_t offset;  // into kText
  uint32_t bytes;
};

enum ModuleFlags : uint32_t {
  kPackage = 1u << 0,
};

// One frozen module.
struct ModuleEntry {
  TextRef name;
  TextRef origin;  // path of the source file
  uint32_t flags;
  uint32_t group;
  uint64_t code;           // offset of the code object
  uint64_t origin_object;  // `origin` as a str
  uint64_t cached_object;  // str: path of the .pyc that the normal import would use; 0: none
  uint64_t source_bytes;   // size and checksum of the source it was compiled from
  uint64_t source_checksum;
};

// An object that can be asked for by name.
struct RootEntry {
  TextRef name;
  uint32_t group;
  uint32_t reserved;
  uint64_t object;
};

enum ExternalFlags : uint32_t {
  kFixed = 1u << 0,  // lies in the interpreter's binary: `address` holds for the very same build
  kOwn = 1u << 1,    // is Tenure's own: `address` holds if it lies where it wants to lie
};

// An object of the interpreter that the image refers to and does not contain.
struct ExternalEntry {
  uint32_t program;  // into kPrograms
  uint32_t program_bytes;
  uint32_t flags;
  uint32_t reserved;
  uint64_t address;  // as it was in the interpreter that wrote the image
};

// A path program starts with nothing and ends with one object. Operands are a varint, or a varint
// length and that many bytes of UTF-8.
enum class PathOp : uint8_t {
  kWellKnown = 1,  // varint: abi::WellKnown
  kSmallInt = 2,   // varint, zigzag: the interpreter's int of that value
  kLatin1 = 3,     // varint: the one-character str
  kByte = 4,       // varint: the one-character bytes
  kInterned = 5,   // text: the interpreter's interned str of that content
  kModule = 6,     // text: imports that module
  kAttribute = 7,  // text: replaces the object by its attribute
  kItem = 8,       // text: replaces the object by its item of that str key
  kOwn = 9,        // varint: OwnObject
};

// Objects that Tenure itself makes, the same for all interpreters of a process.
enum class OwnObject : uint32_t {
  kFrozenDictType = 1,
};

enum class Action : uint16_t {
  kFrozenSet = 1,  // argument: a tuple of the elements, in a fixed order
  kSlice = 2,      // argument: a tuple of start, stop, step
  kRange = 3,      // likewise
  // The next three are made empty, so that cycles can go through them, and filled when the group's
  // other actions are done. They are ordinary objects, mortal and mutable.
  kList = 4,        // argument: a tuple of the items
  kDict = 5,        // argument: a tuple of the keys and values, in turns
  kSet = 6,         // argument: a tuple of the elements, in a fixed order
  kDate = 7,        // argument: a tuple of year, month, day
  kTime = 8,        // hour, minute, second, microsecond, fold, tzinfo
  kDateTime = 9,    // year, month, day, and then as kTime
  kTimeDelta = 10,  // days, seconds, microseconds
  kTimeZone = 11,   // offset, or offset and name
};

struct ActionEntry {
  uint16_t action;
  uint16_t reserved;
  uint32_t slot_count;  // the next so many of the group's kActionSlots
  uint64_t argument;    // offset of an object
};

// A string that this group names, and in how many of the group's slots: the next so many of its
// kStringSlots. When the interpreter has interned an equal string before, the slots get that one.
// Debug interpreters assert that nobody interns a string that carries the static mark; there every
// string is interned, elsewhere only what is looked up by: identifiers, but not qualified names and
// not the names of local variables.
struct StringUse {
  uint32_t string;      // offset of the str, in units of 8 bytes
  uint32_t slot_count;  // with kIdentifier set where the interpreter looks something up by it
};
inline constexpr uint32_t kIdentifier = 1u << 31;

// Streams fill their extent to the end.
//   kInternalSlots  varints: each the distance from the slot before, the first from slot 0
//   kExternalSlots  runs: varint external, varint count, and count slots, told as above
//   kObjects        pairs: varint, the distance from the object before in units of 16 bytes, the
//                   first from offset 0; and a byte, the abi::ShapeId

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_FORMAT_H_
