// Programs of their own, for what a test cannot do in its process: ending the interpreter, say.
//
//   const Program ends_twice("ends_twice", [] { ...; require(done, "it was done"); });
//   TEST(Exit, Twice) { EXPECT_TRUE(passes(ends_twice)); }
//
// Link tests/support:programs as `main`. The program is started again for each, without an
// interpreter and without GoogleTest; it passes if it returns, exits with 0, and does so in time.
#ifndef TENURE_TESTS_SUPPORT_PROGRAMS_H_
#define TENURE_TESTS_SUPPORT_PROGRAMS_H_

#include <gtest/gtest.h>

namespace tenure::testing {

class Program {
 public:
  // Requires: static storage, a name of its own.
  Program(const char* name, void (*body)());
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const char* name() const { return name_; }

 private:
  friend int run_program(const char* name);

  const char* const name_;
  void (*const body_)();
  const Program* const next_;
};

// Success, or what the program wrote and how it ended.
::testing::AssertionResult passes(const Program& program);

// In a program: ends it as failed unless the condition holds.
void require(bool condition, const char* what);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_PROGRAMS_H_
