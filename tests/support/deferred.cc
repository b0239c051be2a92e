#include "tenure/tests/support/deferred.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

namespace tenure::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Mortal {
  PyObject_HEAD
  std::function<void()>* at_death;
};

void die(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  {
    const std::unique_ptr<std::function<void()>> at_death(
        reinterpret_cast<Mortal*>(self)->at_death);
    (*at_death)();
  }
  PyObject_Free(self);
  Py_DECREF(type);
}

PyType_Slot mortal_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&die)}, {0, nullptr}};
PyType_Spec mortal_spec = {"tenure.tests.Mortal", sizeof(Mortal), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, mortal_slots};

// This interpreter's own: with a GIL of its own it must not share it. Borrowed.
PyTypeObject* mortal_type() {
  constexpr const char* kName = "tenure.tests.Mortal";
  PyObject* kept = PyInterpreterState_GetDict(PyInterpreterState_Get());
  PyObject* type = PyDict_GetItemString(kept, kName);
  if (type == nullptr) {
    const Strong made = PyType_FromSpec(&mortal_spec);
    if (!made || PyDict_SetItemString(kept, kName, made.get()) < 0) {
      Py_FatalError("test: no type");
    }
    type = made.get();
  }
  return reinterpret_cast<PyTypeObject*>(type);
}

long number_in(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return std::stol(line.substr(name.size()));
  }
  return -1;
}

}  // namespace

void expect_balanced(const DecrefQueue& queue) {
  const DeferStats stats = queue.stats();
  EXPECT_EQ(stats.pushed, stats.drained + stats.pending + stats.leaked)
      << "drained " << stats.drained << ", pending " << stats.pending << ", leaked "
      << stats.leaked;
}

void on_another_thread(const std::function<void()>& body) {
  const Detach detach;
  std::thread(body).join();
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds most) {
  const auto end = Clock::now() + most;
  while (!holds()) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(200us);
  }
  return true;
}

bool eventually_detached(const std::function<bool()>& holds, std::chrono::milliseconds most) {
  const Detach detach;
  return eventually(holds, most);
}

bool drained_by_others(const DecrefQueue& queue, std::chrono::milliseconds most) {
  return eventually_detached([&] { return queue.stats().pending == 0; }, most);
}

void fall_idle(DecrefQueue& queue) {
  const Bound soon(1ms);
  queue.flush();
  EXPECT_TRUE(eventually_detached([&] { return !queue.has_pending(); }));
}

void settle() {
  if (PyRun_SimpleString("pass") != 0) Py_FatalError("test: Python does not run");
}

Strong new_mortal(std::function<void()> at_death) {
  PyTypeObject* type = mortal_type();
  auto* mortal = PyObject_New(Mortal, type);
  if (mortal == nullptr) Py_FatalError("test: no memory");
  mortal->at_death = new std::function<void()>(std::move(at_death));
  auto* object = reinterpret_cast<PyObject*>(mortal);
#ifdef Py_GIL_DISABLED
  // Nobody's: what belongs to a thread dies, when others drop it, no sooner than that thread runs
  // Python again.
  object->ob_tid = 0;
  object->ob_ref_local = 0;
  object->ob_ref_shared = _Py_REF_SHARED(1, _Py_REF_MERGED);
#endif
  return object;
}

Strong Deaths::make() {
  return new_mortal([counts = counts_] {
    if (!is_attached_to(counts->interpreter)) counts->elsewhere.fetch_add(1);
    counts->all.fetch_add(1);
  });
}

std::vector<PyObject*> Deaths::make(size_t count) {
  std::vector<PyObject*> objects;
  objects.reserve(count);
  for (size_t i = 0; i < count; ++i) objects.push_back(make().release());
  return objects;
}

pid_t fork_python() {
  // What is buffered would be written twice.
  std::fflush(nullptr);
  PyOS_BeforeFork();
  const pid_t child = fork();
  if (child == 0) {
    // A child that hangs must not outlive the test.
    alarm(60);
    PyOS_AfterFork_Child();
  } else {
    PyOS_AfterFork_Parent();
  }
  return child;
}

::testing::AssertionResult ended_well(pid_t child) {
  std::optional<Detach> detach;
  if (is_attached()) detach.emplace();
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return ::testing::AssertionFailure() << "there is no child";
  }
  if (WIFSIGNALED(status)) {
    return ::testing::AssertionFailure() << "the child was ended by signal " << WTERMSIG(status);
  }
  if (WEXITSTATUS(status) != 0) {
    return ::testing::AssertionFailure() << "the child exited with " << WEXITSTATUS(status);
  }
  return ::testing::AssertionSuccess();
}

void expect_in_child(const std::function<void()>& body) {
  const pid_t child = fork_python();
  if (child == 0) {
    body();
    end_child();
  }
  EXPECT_TRUE(ended_well(child));
}

void end_child() {
  std::fflush(nullptr);
  _exit(::testing::Test::HasFailure() ? 1 : 0);
}

PyThreadState* new_interpreter(Gil gil) {
  PyThreadState* state = nullptr;
  if (gil == Gil::kOwn) {
    const PyInterpreterConfig config = {
        .use_main_obmalloc = 0,
        .allow_fork = 0,
        .allow_exec = 0,
        .allow_threads = 1,
        .allow_daemon_threads = 0,
        .check_multi_interp_extensions = 1,
        .gil = PyInterpreterConfig_OWN_GIL,
    };
    const PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
    if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  } else {
    state = Py_NewInterpreter();
  }
  if (state == nullptr) Py_FatalError("test: no interpreter");
  return state;
}

Subinterpreter::Subinterpreter(Gil gil) {
  PyThreadState* const before = PyThreadState_Get();
  state_ = new_interpreter(gil);
  interpreter_ = PyInterpreterState_Get();
  queue_ = DecrefQueue::current();
  if (queue_ == nullptr) Py_FatalError("test: no queue");
  PyThreadState_Swap(before);
}

void Subinterpreter::run(const std::function<void()>& body) {
  PyThreadState* const before = PyThreadState_Swap(state_);
  body();
  PyThreadState_Swap(before);
}

void Subinterpreter::end() {
  if (state_ == nullptr) return;
  PyThreadState* const before = PyThreadState_Swap(std::exchange(state_, nullptr));
  Py_EndInterpreter(PyThreadState_Get());
  PyThreadState_Swap(before);
}

int count_threads() { return static_cast<int>(number_in("/proc/self/status", "Threads:")); }

int count_reapers() {
  int count = 0;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream in(task.path() / "comm");
    std::string name;
    count += std::getline(in, name) && name == "tenure-reaper" ? 1 : 0;
  }
  return count;
}

int resident_mib() { return static_cast<int>(number_in("/proc/self/status", "VmRSS:") / 1024); }

}  // namespace tenure::testing
