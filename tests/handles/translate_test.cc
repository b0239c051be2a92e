#include "tenure/handles/translate.h"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <filesystem>
#include <future>
#include <ios>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tenure/core/attach.h"
#include "tenure/handles/error.h"
#include "tenure/tests/support/deferred.h"
#include "tenure/tests/support/python.h"

namespace tenure {
namespace {

// The error that an exception becomes.
template <typename E>
Owned<Exception> translated(E&& exception) {
  try {
    throw std::forward<E>(exception);
  } catch (...) {
    PyObject* const answer = translate_current_exception();
    EXPECT_EQ(answer, nullptr);
  }
  return *take_error();
}

std::string text_of(const Owned<Exception>& error) {
  set_error(error.new_ref());
  return PythonError::take().what();
}

template <typename E>
std::string text(E&& exception) {
  return text_of(translated(std::forward<E>(exception)));
}

std::string repr_of(const Owned<Exception>& error, const char* attribute) {
  return testing::repr(testing::attribute(error.get(), attribute).get());
}

TEST(Translate, KnowsTheStandardExceptions) {
  EXPECT_EQ(text(std::bad_alloc()), "MemoryError");
  EXPECT_EQ(text(std::bad_array_new_length()), "MemoryError");
  EXPECT_EQ(text(std::out_of_range("a")), "IndexError: a");
  EXPECT_EQ(text(std::invalid_argument("b")), "ValueError: b");
  EXPECT_EQ(text(std::domain_error("c")), "ValueError: c");
  EXPECT_EQ(text(std::length_error("d")), "ValueError: d");
  EXPECT_EQ(text(std::range_error("e")), "ValueError: e");
  EXPECT_EQ(text(std::overflow_error("f")), "OverflowError: f");
  EXPECT_EQ(text(std::underflow_error("g")), "RuntimeError: g");
  EXPECT_EQ(text(std::logic_error("h")), "RuntimeError: h");
  EXPECT_EQ(text(std::bad_cast()), "RuntimeError: std::bad_cast");
  EXPECT_EQ(text(std::runtime_error("")), "RuntimeError");
}

TEST(Translate, KnowsWhatIsNoStandardException) {
  EXPECT_EQ(text(7), "RuntimeError: unknown C++ exception of type int");
  EXPECT_EQ(text(std::string("text")).find("RuntimeError: unknown C++ exception of type std::"),
            0U);
}

TEST(Translate, DecodesWhateverBytesAMessageHas) {
  EXPECT_EQ(text(std::runtime_error("\xc3\xa4 \xff")), "RuntimeError: \xc3\xa4 \\xff");
}

TEST(Translate, RestoresPythonErrors) {
  const Strong value = testing::evaluate("KeyError('key')");
  PyErr_SetObject(PyExc_KeyError, value.get());
  const Owned<Exception> error = translated(PythonError::take());
  EXPECT_EQ(error.get(), value.get());
}

TEST(Translate, GivesErrnoToTheOperatingSystemsErrors) {
  const Owned<Exception> missing =
      translated(std::system_error(ENOENT, std::generic_category(), "cannot read the map"));
  EXPECT_TRUE(missing.matches(PyExc_FileNotFoundError));
  EXPECT_EQ(repr_of(missing, "errno"), std::to_string(ENOENT));
  EXPECT_EQ(text_of(missing),
            "FileNotFoundError: [Errno 2] cannot read the map: No such file or directory");
  EXPECT_TRUE(
      translated(std::system_error(EACCES, std::system_category())).matches(PyExc_PermissionError));
  EXPECT_TRUE(translated(std::system_error(make_error_code(std::errc::timed_out)))
                  .matches(PyExc_TimeoutError));
  EXPECT_TRUE(
      translated(std::future_error(std::future_errc::no_state)).matches(PyExc_RuntimeError));
  EXPECT_TRUE(translated(std::ios_base::failure("text")).matches(PyExc_RuntimeError));
}

TEST(Translate, NamesTheFiles) {
  const Owned<Exception> one = translated(std::filesystem::filesystem_error(
      "remove", "/a", make_error_code(std::errc::no_such_file_or_directory)));
  EXPECT_TRUE(one.matches(PyExc_FileNotFoundError));
  EXPECT_EQ(repr_of(one, "filename"), "'/a'");
  EXPECT_EQ(repr_of(one, "filename2"), "None");
  const Owned<Exception> two = translated(std::filesystem::filesystem_error(
      "rename", "/a", "/b", make_error_code(std::errc::file_exists)));
  EXPECT_TRUE(two.matches(PyExc_FileExistsError));
  EXPECT_EQ(text_of(two), "FileExistsError: [Errno 17] File exists: '/a' -> '/b'");
  // No text, but a file's name.
  const Owned<Exception> bytes = translated(std::filesystem::filesystem_error(
      "remove", "\xff", make_error_code(std::errc::no_such_file_or_directory)));
  EXPECT_EQ(repr_of(bytes, "filename"), "'\\udcff'");
  const Owned<Exception> none = translated(std::filesystem::filesystem_error(
      "current_path", make_error_code(std::errc::no_such_file_or_directory)));
  EXPECT_EQ(repr_of(none, "filename"), "None");
}

TEST(Translate, MakesWhatIsNestedTheCause) {
  std::optional<Owned<Exception>> error;
  try {
    try {
      try {
        throw std::out_of_range("inner");
      } catch (...) {
        std::throw_with_nested(std::invalid_argument("middle"));
      }
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (...) {
    translate_current_exception();
    error = take_error();
  }
  EXPECT_EQ(text_of(*error), "RuntimeError: outer");
  const Owned<Exception> middle = error->cause().take();
  EXPECT_EQ(text_of(middle), "ValueError: middle");
  const Owned<Exception> inner = middle.cause().take();
  EXPECT_EQ(text_of(inner), "IndexError: inner");
  EXPECT_FALSE(inner.cause());
}

TEST(Translate, MakesAPythonErrorTheCause) {
  std::optional<Owned<Exception>> error;
  try {
    try {
      raise_value_error("inner");
      throw_python_error();
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (...) {
    translate_current_exception();
    error = take_error();
  }
  EXPECT_EQ(text_of(error->cause().take()), "ValueError: inner");
}

void nest(int depth) {
  try {
    if (depth == 0) throw std::runtime_error("innermost");
    nest(depth - 1);
  } catch (...) {
    std::throw_with_nested(std::runtime_error("outer"));
  }
}

TEST(Translate, EndsSomewhere) {
  try {
    nest(200);
  } catch (...) {
    translate_current_exception();
  }
  EXPECT_EQ(testing::take_error(), "RuntimeError");
}

TEST(Translate, KeepsAnErrorThatWasSetAsContext) {
  raise_value_error("set");
  const Owned<Exception> error = translated(std::runtime_error("thrown"));
  EXPECT_EQ(text_of(error), "RuntimeError: thrown");
  EXPECT_EQ(text_of(error.context().take()), "ValueError: set");
}

struct Unknown {};
class Own : public std::runtime_error {
  using runtime_error::runtime_error;
};
class Special : public Own {
  using Own::Own;
};
struct Thrower {};
struct Silent {};

const TranslateException<Own> translate_own([](const Own& error) {
  return raise(PyExc_LookupError, "own: %s", error.what());
});
const TranslateException<Special> translate_special([](const Special&) {
  return raise(PyExc_AssertionError, "special");
});
const TranslateException<Thrower> translate_thrower([](const Thrower&) -> Failed {
  raise_value_error("half done");
  throw std::out_of_range("by a translator");
});
const TranslateException<Silent> translate_silent([](const Silent&) { return Failed{}; });

TEST(Translate, AsksTranslatorsFirst) {
  EXPECT_EQ(text(Own("text")), "LookupError: own: text");
  EXPECT_EQ(text(Special("text")), "AssertionError: special") << "the last is asked first";
  EXPECT_EQ(text(std::runtime_error("text")), "RuntimeError: text");
  EXPECT_EQ(text(Unknown()).find("RuntimeError: unknown C++ exception of type "), 0U);
}

TEST(Translate, NestsInWhatTranslatorsMake) {
  std::optional<Owned<Exception>> error;
  try {
    try {
      throw std::out_of_range("inner");
    } catch (...) {
      std::throw_with_nested(Own("outer"));
    }
  } catch (...) {
    translate_current_exception();
    error = take_error();
  }
  EXPECT_EQ(text_of(*error), "LookupError: own: outer");
  EXPECT_EQ(text_of(error->cause().take()), "IndexError: inner");
}

TEST(Translate, AnswersForBadTranslators) {
  EXPECT_EQ(text(Thrower()), "IndexError: by a translator");
  EXPECT_EQ(text(Silent()).find("SystemError: "), 0U);
}

TEST(Translate, SetsSomeErrorWhateverFails) {
  for (long n = 0; n < 60; ++n) {
    for (int kind = 0; kind < 4; ++kind) {
      {
        const testing::FailingMemory failing(n);
        try {
          if (kind == 0) throw std::runtime_error("text");
          if (kind == 1) throw std::system_error(ENOENT, std::generic_category());
          if (kind == 2) {
            throw std::filesystem::filesystem_error("rename", "/a", "/b",
                                                    make_error_code(std::errc::file_exists));
          }
          nest(3);
        } catch (...) {
          translate_current_exception();
        }
      }
      ASSERT_TRUE(error_is_set()) << n << " " << kind;
      clear_error();
    }
  }
}

// As the interpreter ends threads up to 3.13.
TEST(Translate, KeepsThreadsThatMayNotReturn) {
  static std::atomic<bool> is_inside{false};
  static std::atomic<bool> came_back{false};
  const Detach detached;
  std::thread([] {
    try {
      pthread_exit(nullptr);
    } catch (...) {
      is_inside = true;
      translate_current_exception();
      came_back = true;
    }
  }).detach();
  EXPECT_TRUE(testing::eventually([] { return is_inside.load(); }));
  EXPECT_FALSE(testing::eventually([] { return came_back.load(); }, std::chrono::milliseconds(50)));
}

TEST(Translate, LeaksNothing) {
  testing::expect_no_leak([] {
    EXPECT_EQ(text(std::runtime_error("text")), "RuntimeError: text");
    raise_value_error("set");
    const Owned<Exception> missing = translated(std::filesystem::filesystem_error(
        "rename", "/a", "/b", make_error_code(std::errc::file_exists)));
    EXPECT_TRUE(missing.context());
    try {
      nest(3);
    } catch (...) {
      translate_current_exception();
      clear_error();
    }
  });
}

}  // namespace
}  // namespace tenure
