#include "tenure/tests/support/programs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace tenure::testing {

namespace {

using namespace std::chrono_literals;

constexpr const char* kVariable = "TENURE_TEST_PROGRAM";
// For one program, on a loaded machine with a sanitizer.
constexpr auto kMost = 60s;

const Program* first_program = nullptr;

std::string all_of(FILE* file) {
  std::string text;
  std::rewind(file);
  char piece[4096];
  for (size_t count; (count = std::fread(piece, 1, sizeof(piece), file)) > 0;) {
    text.append(piece, count);
  }
  return text;
}

std::string how_ended(int status) {
  if (WIFSIGNALED(status)) return std::string("signal ") + strsignal(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Program::Program(const char* name, void (*body)())
    : name_(name), body_(body), next_(first_program) {
  first_program = this;
}

int run_program(const char* name) {
  for (const Program* program = first_program; program != nullptr; program = program->next_) {
    if (std::strcmp(program->name_, name) != 0) continue;
    program->body_();
    return 0;
  }
  std::fprintf(stderr, "no program %s\n", name);
  return 2;
}

::testing::AssertionResult passes(const Program& program) {
  FILE* const output = std::tmpfile();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(output), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(output), STDERR_FILENO);
  setenv(kVariable, program.name(), 1);
  char name[] = "program";
  char* arguments[] = {name, nullptr};
  pid_t child = -1;
  const int failed = posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environ);
  unsetenv(kVariable);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return ::testing::AssertionFailure() << std::strerror(failed);

  int status = 0;
  const auto end = std::chrono::steady_clock::now() + kMost;
  bool hangs = false;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (!hangs && std::chrono::steady_clock::now() > end) {
      hangs = true;
      kill(child, SIGKILL);
    }
    std::this_thread::sleep_for(1ms);
  }
  const std::string text = all_of(output);
  std::fclose(output);
  if (!hangs && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return ::testing::AssertionSuccess() << text;
  }
  return ::testing::AssertionFailure()
         << program.name() << ": " << (hangs ? "hangs" : how_ended(status)) << "\n"
         << text;
}

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::fflush(nullptr);
  _exit(1);
}

}  // namespace tenure::testing

int main(int argc, char** argv) {
  if (const char* name = std::getenv(tenure::testing::kVariable)) {
    return tenure::testing::run_program(name);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
