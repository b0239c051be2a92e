#include "tenure/immortal/image/image.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "tenure/core/abi/identity.h"
#include "tenure/core/attach.h"
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
  const uint64_t start = now_ns();
  std::unique_ptr<Image> image(new Image);
  image->path_ = path;
  if (!Mapping::map(path, image->mapping_, problem) ||
      !View::parse(image->mapping_.bytes(), image->view_, problem) || !image->bind(problem)) {
    return nullptr;
  }
  const View& view = image->view_;
  if (check == Check::kFull) {
    const Detach detached;
    for (uint32_t group = 0; group < view.groups().size(); ++group) {
      if (!view.check_group(group, View::Parts::kAll, problem)) return nullptr;
    }
  }
  const Header& header = view.header();
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
  image->steps_.assign(view.groups().size(), check == Check::kFull ? Step::kMove : Step::kCheck);
  image->stats_.load_ns = now_ns() - start;
  return image;
}

Image::~Image() {
  // Code of a group that was prepared lives on, and its versions with it.
  if (first_code_version_ == 0 || stats_.groups_prepared != 0) return;
  release_code_versions(interpreter_, first_code_version_);
}

bool Image::bind(Problem& problem) {
  const Binding& binding = view_.header().binding;
  if (!check_binding(binding, problem)) return false;
  same_interpreter_ = is_same_interpreter(binding);
  const bool at_home = reinterpret_cast<uint64_t>(mapping_.base()) == view_.header().preferred_base;
  prelinked_ = same_interpreter_ && at_home;
  return resolve_externals(!same_interpreter_, problem);
}

bool Image::resolve_externals(bool all, Problem& problem) {
  const auto externals = view_.externals();
  const bool all_fixed = std::all_of(externals.begin(), externals.end(), [](const auto& external) {
    return (external.flags & kFixed) != 0;
  });
  if (!all && all_fixed) return true;
  addresses_.reserve(externals.size());
  for (size_t i = 0; i < externals.size(); ++i) {
    if (!all && (externals[i].flags & kFixed)) {
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
  mapping_.keep_for_ever();
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

bool Image::is_outside_object(PyObject* object) const {
  const auto address = reinterpret_cast<uint64_t>(object);
  for (size_t i = 0; i < view_.externals().size(); ++i) {
    if (external_address(i) == address) return address != 0;
  }
  return std::any_of(replacements_.begin(), replacements_.end(),
                     [object](const auto& entry) { return entry.second == object; }) ||
         std::find(rebuilt_.begin(), rebuilt_.end(), object) != rebuilt_.end();
}

std::vector<PyObject*> Image::substitutes() const {
  std::vector<PyObject*> all = rebuilt_;
  for (const auto& [string, replacement] : replacements_) all.push_back(replacement);
  return all;
}

}  // namespace tenure::image
