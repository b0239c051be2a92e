// A loaded image: mapped, bound to the running interpreter, its groups prepared on demand.
//
// Loading checks the header and the small tables and touches nothing else. A group's bytes are
// checked right before the group is first used, so nothing that is damaged is ever run; with
// Check::kFull all of them are checked at once.
//
// An image of which a group was prepared stays mapped until the process ends, even if the Image is
// destroyed: its objects are immortal, and nobody can know who still refers to them. Only where it
// is for all interpreters that begins when it is shared with them.
//
// An image of data, one without modules, is checked as a whole when it is loaded, unless its file
// is marked as checked (stamp.h), and prepared at once: that is what loading means there.
//
// Not for: looking into a file that may be damaged (View), or into one of another version.
//
// Thread safety: every member needs a thread attached to the interpreter that loaded the image. Its
// GIL guards all of it; no user code runs while a group is half prepared. Where there is no GIL,
// there are no images of modules, and an image of data does not change once it is ready.
#ifndef TENURE_IMMORTAL_IMAGE_IMAGE_H_
#define TENURE_IMMORTAL_IMAGE_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tenure/core/abi/python.h"
#include "tenure/immortal/image/mapping.h"
#include "tenure/immortal/image/problem.h"
#include "tenure/immortal/image/view.h"

namespace tenure::image {

enum class Check {
  kLazy,  // each group's bytes when it is first used
  kFull,  // everything when the image is loaded
};

class Image {
 public:
  struct Stats {
    uint64_t load_ns = 0;
    uint64_t prepare_ns = 0;
    uint64_t groups_prepared = 0;
    uint64_t strings_interned = 0;  // became the interpreter's own
    uint64_t strings_replaced = 0;  // the interpreter had an equal one
    uint64_t slots_replaced = 0;    // slots that name one of those
    uint64_t slots_relocated = 0;
    uint64_t objects_rebuilt = 0;  // by actions
  };

  // Null with `problem` filled in if the image cannot be used; nothing is left behind then.
  static std::unique_ptr<Image> load(const std::string& path, Check check, Problem& problem);

  // The two halves of load(), for who has to know whether somebody else is as far as that. open()
  // imports what the image names elsewhere, which may run any code, and reads all of the file if it
  // has to. make_ready() does the rest: it prepares data. No Python code runs in it, and nothing
  // is left behind if it is not called.
  static std::unique_ptr<Image> open(const std::string& path, Check check, Problem& problem);
  [[nodiscard]] bool make_ready(Problem& problem);

  // The same for an image of data that is part of a binary; `name` is its path(). Its bytes are
  // taken to be right. Two interpreters may do it at once, also for a section that is used where it
  // lies: what they write there is the same. Requires: as Mapping::map_linked() says.
  static std::unique_ptr<Image> load_linked(const std::string& name,
                                            std::span<const std::byte> section, Problem& problem);

  ~Image();

  // Makes a group usable, and the common group before it. Answers at once when it is. A group that
  // is damaged stays refused; one that ran out of memory can be tried again.
  [[nodiscard]] bool prepare(uint32_t group, Problem& problem);
  [[nodiscard]] bool prepare_all(Problem& problem);

  // Says that a group's module is about to be run for the first time. Only saves time; most if it
  // is said before the group is prepared.
  void expect_run(uint32_t group);

  // The object at an offset that a table of the view names. Borrowed, immortal.
  // Requires: its group is prepared.
  PyObject* object(uint64_t offset) const {
    return reinterpret_cast<PyObject*>(reinterpret_cast<uint64_t>(mapping_.base()) + offset);
  }

  const std::string& path() const { return path_; }
  const View& view() const { return view_; }
  const Mapping& mapping() const { return mapping_; }
  bool is_prelinked() const { return prelinked_; }
  bool is_prepared(uint32_t group) const { return steps_[group] == Step::kReady; }
  const Stats& stats() const { return stats_; }
  uint32_t first_code_version() const { return first_code_version_; }

  // Where external `index` is in this interpreter.
  uint64_t external_address(size_t index) const {
    return addresses_.empty() ? view_.externals()[index].address : addresses_[index];
  }

  // The objects outside the image that slots name instead of what the file says: the interpreter's
  // own copies of strings, and what actions made. Borrowed, immortal.
  std::vector<PyObject*> substitutes() const;

  // True if it is one of those, or an external.
  bool is_outside_object(PyObject* object);

  // A root. Borrowed: immortal, unless it was rebuilt as a list, dict or set, which the image
  // keeps. Null if there is none at that place, which only a forged image has. Requires: its group
  // is prepared.
  PyObject* root(const RootEntry& root) const;

  bool is_data() const { return view_.modules().empty(); }

  // True if nothing in it belongs to the interpreter that loaded it: see shared_images.h.
  bool is_for_all_interpreters() const;

  // The image stays mapped until the process ends, whatever becomes of this.
  void keep_for_ever() { mapping_.keep_for_ever(); }

 private:
  // What is done next for a group. Each can be repeated if it fails for want of memory, but moving.
  enum class Step : uint8_t { kCheck, kMove, kIntern, kAct, kReady, kRefused };

  // What became of an identifier.
  enum class Seen : uint8_t { kUnseen, kOwn, kReplaced };

  class Preparation;

  Image() = default;
  bool bind(Problem& problem);
  bool use_in_place(Problem& problem);
  bool check_whole(Problem& problem);
  bool import_for_actions(Problem& problem);
  void note_outside(const void* object);
  bool resolve_externals(bool all, Problem& problem);

  std::string path_;
  Mapping mapping_;
  View view_;
  bool same_interpreter_ = false;     // the very build that wrote the image, at the same addresses
  bool prelinked_ = false;            // every pointer was right as it was
  uint32_t first_code_version_ = 0;   // 0: none taken
  int64_t interpreter_ = 0;           // the id of the one that loaded it
  PyObject* intern_table_ = nullptr;  // see abi::find_intern_table(); borrowed
  std::vector<uint64_t> addresses_;   // of externals; empty while all are where the file says
  std::vector<Step> steps_;           // of groups
  std::unordered_map<uint32_t, Problem> refused_;         // why, by group
  std::vector<Seen> seen_;                                // of identifiers, by place, and one more
  std::unordered_map<uint32_t, PyObject*> replacements_;  // by StringUse::string; immortal
  std::vector<PyObject*> rebuilt_;                        // by actions; never given back
  std::unordered_set<const void*> outside_;               // once it was asked for: see above
  Stats stats_;
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_IMAGE_H_
