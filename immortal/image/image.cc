#include "tenure/immortal/image/image.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/strings.h"
#include "tenure/core/attach.h"
#include "tenure/immortal/image/actions.h"
#include "tenure/immortal/image/code_versions.h"
#include "tenure/immortal/image/externals.h"
#include "tenure/immortal/image/preparation.h"

namespace tenure::image {
namespace {

uint64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

int64_t interpreter_id() { return PyInterpreterState_GetID(PyInterpreterState_Get()); }

// True if the running interpreter is the one that wrote the image, at the same addresses.
bool is_same_interpreter(const Binding& binding) {
  const abi::Identity& self = abi::identity();
  return binding.python_version == self.python_version && binding.build_id_bytes != 0 &&
         binding.build_id_bytes == self.build_id_bytes &&
         std::memcmp(binding.build_id, self.build_id.data(), self.build_id_bytes) == 0 &&
         binding.load_bias == self.load_bias && binding.witness == self.witness;
}

}  // namespace

std::unique_ptr<Image> Image::load(const std::string& path, Check check, Problem& problem) {
  std::unique_ptr<Image> image = open(path, check, problem);
  if (image == nullptr || !image->make_ready(problem)) return nullptr;
  return image;
}

std::unique_ptr<Image> Image::open(const std::string& path, Check check, Problem& problem) {
  const uint64_t start = now_ns();
  std::unique_ptr<Image> image(new Image);
  image->path_ = path;
  if (!Mapping::map(path, image->mapping_, problem) ||
      !View::parse(image->mapping_.bytes(), image->view_, problem) || !image->bind(problem)) {
    return nullptr;
  }
  const View& view = image->view_;
  const Header& header = view.header();
  const bool is_data = image->is_data();
  const bool was_checked = is_data && image->mapping_.was_checked(header.header_checksum);
  const bool check_now = check == Check::kFull || (is_data && !was_checked);
  if (check_now && !image->check_whole(problem)) return nullptr;
  if (header.code_version_count != 0) {
    image->interpreter_ = interpreter_id();
    const auto first = take_code_versions(image->interpreter_, header.first_code_version,
                                          header.code_version_count);
    if (!first) {
      problem.refuse("header", "needs more code versions than the loaded images have left");
      return nullptr;
    }
    image->first_code_version_ = *first;
  }
  image->steps_.assign(view.groups().size(), check_now || was_checked ? Step::kMove : Step::kCheck);
  if (is_data && !image->import_for_actions(problem)) return nullptr;
  image->stats_.load_ns = now_ns() - start;
  return image;
}

bool Image::make_ready(Problem& problem) {
  const uint64_t start = now_ns();
  if (is_data() && !prepare_all(problem)) return false;
  stats_.load_ns += now_ns() - start;
  return true;
}

bool Image::import_for_actions(Problem& problem) {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    for (const ActionEntry& entry : view_.table_part<ActionEntry>(group, Kind::kActions)) {
      if (!expect_action(static_cast<Action>(entry.action))) {
        return problem.refuse_with_python_error(view_.group_name(group));
      }
    }
  }
  return true;
}

std::unique_ptr<Image> Image::load_linked(const std::string& name,
                                          std::span<const std::byte> section, Problem& problem) {
  const uint64_t start = now_ns();
  std::unique_ptr<Image> image(new Image);
  image->path_ = name;
  const View& view = image->view_;
  if (!Mapping::map_linked(section, image->mapping_, problem) ||
      !View::parse(image->mapping_.bytes(), image->view_, problem, Source::kBinary)) {
    return nullptr;
  }
  if (!image->is_data()) {
    problem.refuse("header", "holds modules, and only data can be linked in; load it as a file");
    return nullptr;
  }
  if (!image->bind(problem) ||
      (image->mapping_.base() == section.data() && !image->use_in_place(problem))) {
    return nullptr;
  }
  image->steps_.assign(view.groups().size(), Step::kMove);
  if (!image->prepare_all(problem)) return nullptr;
  image->stats_.load_ns = now_ns() - start;
  return image;
}

// What only an image needs that is used in the binary that it was linked into.
bool Image::use_in_place(Problem& problem) {
  if (!is_for_all_interpreters()) {
    return problem.refuse("header",
                          "is for one place, and has objects that each interpreter makes anew");
  }
  if (std::ranges::equal(addresses_, view_.externals(), {}, {}, &ExternalEntry::address)) {
    // The linker has put them in.
    addresses_.clear();
    prelinked_ = true;
  }
  for (const DirectoryEntry& entry : view_.directory()) {
    if (entry.kind >= kFirstSegmentKind &&
        !mapping_.allow_writes(entry.offset, entry.bytes, problem)) {
      return false;
    }
  }
  return true;
}

bool Image::check_whole(Problem& problem) {
  const Detach detached;
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    if (!view_.check_group(group, View::Parts::kAll, problem)) return false;
  }
  const uint64_t header_checksum = view_.header().header_checksum;
  if (is_data() && !mapping_.was_checked(header_checksum)) {
    mark_checked(path_, mapping_.file(), header_checksum);
  }
  return true;
}

bool Image::is_for_all_interpreters() const {
  return is_data() && view_.entry(Kind::kActions) == nullptr;
}

PyObject* Image::root(const RootEntry& root) const {
  PyObject* holder = object(root.object);
  if (!PyTuple_CheckExact(holder) || PyTuple_GET_SIZE(holder) != 1) return nullptr;
  return PyTuple_GET_ITEM(holder, 0);
}

Image::~Image() {
  // Code of a group that was prepared lives on, and its versions with it.
  if (first_code_version_ == 0 || stats_.groups_prepared != 0) return;
  release_code_versions(interpreter_, first_code_version_);
}

bool Image::bind(Problem& problem) {
  const Header& header = view_.header();
  const Binding& binding = header.binding;
  if (!check_binding(binding, is_data(), problem)) return false;
  if (header.hash_policy == static_cast<uint32_t>(HashPolicy::kFixed)) {
    const uint64_t witness = abi::hash_witness();
    if (witness == 0) return problem.refuse_with_python_error("header");
    if (witness != header.hash_witness) {
      return problem.refuse("header",
                            "has the hashes of another PYTHONHASHSEED than this process runs with; "
                            "start it with the one that the image was frozen for, or freeze it "
                            "again with lazy hashes");
    }
  }
  same_interpreter_ = is_same_interpreter(binding);
  const bool at_home = reinterpret_cast<uint64_t>(mapping_.base()) == view_.header().preferred_base;
  prelinked_ = same_interpreter_ && at_home;
  return resolve_externals(!same_interpreter_, problem);
}

bool Image::resolve_externals(bool all, Problem& problem) {
  const auto externals = view_.externals();
  // True if it is where the file says, without looking for it.
  auto in_place = [&](const ExternalEntry& external) {
    if ((external.flags & kOwn) != 0)
      return is_own_object(view_.program(external), external.address);
    return !all && (external.flags & kFixed) != 0;
  };
  if (std::ranges::all_of(externals, in_place)) return true;
  addresses_.reserve(externals.size());
  for (size_t i = 0; i < externals.size(); ++i) {
    if (in_place(externals[i])) {
      addresses_.push_back(externals[i].address);
      continue;
    }
    PyObject* object =
        follow_path(view_.program(externals[i]), "external " + std::to_string(i), problem);
    if (object == nullptr) return false;
    addresses_.push_back(reinterpret_cast<uint64_t>(object));
  }
  return true;
}

bool Image::prepare(uint32_t group, Problem& problem) {
  if (steps_[group] == Step::kReady) return true;
  if (group != kCommonGroup && !prepare(kCommonGroup, problem)) return false;
  if (const auto found = refused_.find(group); found != refused_.end()) {
    problem = found->second;
    return false;
  }
  const uint64_t start = now_ns();
  if (!is_for_all_interpreters()) keep_for_ever();
  Preparation preparation(*this, group);
  const bool done = preparation.run(problem);
  stats_.prepare_ns += now_ns() - start;
  if (done) {
    ++stats_.groups_prepared;
  } else if (!problem.python_error) {
    steps_[group] = Step::kRefused;
    refused_[group] = problem;
  }
  return done;
}

void Image::expect_run(uint32_t group) {
  if (is_prepared(group)) return;
  const auto body = view_.part(group, Kind::kBodySegment);
  if (body.empty()) return;
  mapping_.expect_writes(static_cast<uint64_t>(body.data() - mapping_.base()), body.size());
}

bool Image::prepare_all(Problem& problem) {
  for (uint32_t group = 0; group < view_.groups().size(); ++group) {
    if (!prepare(group, problem)) return false;
  }
  return true;
}

bool Image::is_outside_object(PyObject* object) {
  if (outside_.empty()) {
    for (size_t i = 0; i < view_.externals().size(); ++i) {
      outside_.insert(reinterpret_cast<const void*>(external_address(i)));
    }
    outside_.erase(nullptr);
    for (const PyObject* substitute : substitutes()) outside_.insert(substitute);
  }
  return outside_.contains(object);
}

// For what is made after somebody has asked.
void Image::note_outside(const void* object) {
  if (!outside_.empty()) outside_.insert(object);
}

std::vector<PyObject*> Image::substitutes() const {
  std::vector<PyObject*> all = rebuilt_;
  for (const auto& [string, replacement] : replacements_) all.push_back(replacement);
  return all;
}

}  // namespace tenure::image
