#include "tenure/immortal/image/verify.h"

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/objects.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using abi::ShapeId;
using testing::describe;
using testing::Editor;
using testing::image_of;
using testing::load_good;

std::vector<std::byte> new_image() {
  static int number = 0;
  auto sources = testing::sample_sources();
  sources.push_back({"unique", "number = " + std::to_string(3'000'000 + ++number) + "\n"});
  return image_of(sources);
}

// The offsets of the objects of a group that have that shape.
std::vector<uint64_t> objects_of(Editor& editor, uint32_t group, ShapeId id) {
  View view;
  Problem problem;
  EXPECT_TRUE(View::parse(editor.file(), view, problem)) << describe(problem);
  std::vector<uint64_t> offsets;
  EXPECT_TRUE(for_each_object(view, group, problem, [&](uint64_t offset, const abi::Shape& shape) {
    if (shape.id == id) offsets.push_back(offset);
    return true;
  }));
  return offsets;
}

// What verifying says after damage of which no checksum tells; "" if it finds nothing wrong.
std::string after(const std::function<void(Editor&, uint32_t)>& damage) {
  Editor editor(new_image());
  damage(editor, editor.group_of("first"));
  editor.fix();
  auto image = load_good(editor.file());
  Verified verified;
  Problem problem;
  return verify(*image, verified, problem) ? "" : describe(problem);
}

// The same, the damage being a number somewhere in the last object of a shape: the first tuples are
// what sets are made from, which preparing reads.
template <typename Number>
std::string with(ShapeId id, size_t at, Number number) {
  return after([=](Editor& editor, uint32_t group) {
    *editor.at<Number>(objects_of(editor, group, id).back() + at) = number;
  });
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

#define EXPECT_FAULT(why, end) EXPECT_TRUE(ends_with(why, end)) << (why)

TEST(Verify, CountsWhatItWalks) {
  const auto file = new_image();
  for (int i = 0; i < 2; ++i) {  // at home, and relocated
    auto image = load_good(file);
    Verified verified;
    Problem problem;
    ASSERT_TRUE(verify(*image, verified, problem)) << describe(problem);
    EXPECT_GT(verified.objects, 100u);
    EXPECT_GT(verified.references, verified.objects);
    EXPECT_GT(verified.bytes, 32 * verified.objects / 2);
    EXPECT_LT(verified.bytes, file.size());
    Verified again;
    ASSERT_TRUE(verify(*image, again, problem)) << "as often as one likes";
    EXPECT_EQ(again.objects, verified.objects);
    EXPECT_EQ(again.references, verified.references);
  }
}

TEST(Verify, AcceptsAnImageInUse) {
  auto image = load_good(new_image());
  const Strong names = testing::execute(testing::code_in(*image, "first"));
  const Strong more = testing::execute(testing::code_in(*image, "second.part"));
  Verified verified;
  Problem problem;
  EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
}

// Tables that only relocating reads are checked all the same.
TEST(Verify, ChecksEveryChecksum) {
  for (Kind kind : {Kind::kInternalSlots, Kind::kExternalSlots, Kind::kObjects, Kind::kConstSegment,
                    Kind::kStringUses, Kind::kBodySegment}) {
    Editor editor(new_image());
    const uint32_t group = editor.group_of("first");
    editor.part<char>(group, kind)[0] ^= 1;
    auto image = load_good(editor.file());
    Verified verified;
    Problem problem;
    EXPECT_FALSE(verify(*image, verified, problem));
    EXPECT_EQ(describe(problem).find("module 'first' is damaged in the " +
                                     std::string(kind_name(static_cast<uint32_t>(kind)))),
              0u)
        << describe(problem);
  }
}

TEST(Verify, FindsMortalObjects) {
  for (ShapeId id : {ShapeId::kInt, ShapeId::kFloat, ShapeId::kTuple, ShapeId::kBytes}) {
    EXPECT_FAULT(with<uint64_t>(id, 0, 1), " is not immortal");
  }
}

TEST(Verify, SaysWhere) {
  std::string expected;
  const std::string why = after([&](Editor& editor, uint32_t group) {
    const uint64_t offset = objects_of(editor, group, ShapeId::kFloat).at(1);
    *editor.at<uint64_t>(offset) = 1;
    expected = "module 'first' is wrong: the object at offset " + std::to_string(offset) +
               " is not immortal";
  });
  EXPECT_EQ(why, expected);
}

TEST(Verify, FindsAnotherType) {
  EXPECT_FAULT(with<uint64_t>(ShapeId::kFloat, 8, reinterpret_cast<uint64_t>(&PyLong_Type)),
               " is of another type than its shape");
  EXPECT_FAULT(with<uint64_t>(ShapeId::kBytes, 8, 0), " is of another type than its shape");
}

TEST(Verify, FindsSizesThatDoNotFit) {
  EXPECT_FAULT(with<int64_t>(ShapeId::kBytes, 16, 1 << 30), " is larger than its place");
  EXPECT_FAULT(with<int64_t>(ShapeId::kTuple, 16, -1), " is larger than its place");
  EXPECT_FAULT(with<int64_t>(ShapeId::kTuple, 16, 1 << 30), " is larger than its place");
  EXPECT_FAULT(with<uint64_t>(ShapeId::kInt, 16, ~uint64_t{0}), " is larger than its place");
}

TEST(Verify, FindsContentsNoInterpreterMakes) {
  EXPECT_FAULT(with<uint64_t>(ShapeId::kInt, 16, 1 << 3 | 3), " is an int with an impossible sign");
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 for (uint64_t offset : objects_of(editor, group, ShapeId::kBytes)) {
                   const size_t content = abi::shape(ShapeId::kBytes)->fixed_bytes;
                   if (*editor.at<char>(offset + content + 1) == 0) continue;
                   *editor.at<int64_t>(offset + 16) = 1;
                   return;
                 }
               }),
               " is a bytes without its final zero");
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 *editor.at<uint64_t>(objects_of(editor, group, ShapeId::kTuple).at(0) - 16) = 8;
               }),
               " is known to the collector");
}

// The offset of the first item of the sample's tuple of numbers, which nothing looks into.
uint64_t item_of(Editor& editor, uint32_t group) {
  for (uint64_t offset : objects_of(editor, group, ShapeId::kTuple)) {
    if (*editor.at<int64_t>(offset + 16) == 14) {
      return offset + abi::shape(ShapeId::kTuple)->fixed_bytes;
    }
  }
  ADD_FAILURE() << "there is no such tuple";
  return 0;
}

TEST(Verify, FindsReferencesToNoObject) {
  static int ours = 0;
  const Strong other = testing::evaluate("[]");
  const auto wrong = {uint64_t{0}, uint64_t{1}, reinterpret_cast<uint64_t>(&ours),
                      reinterpret_cast<uint64_t>(other.get())};
  for (uint64_t address : wrong) {
    EXPECT_FAULT(after([=](Editor& editor, uint32_t group) {
                   *editor.at<uint64_t>(item_of(editor, group)) = address;
                 }),
                 " refers, in reference 0, to something that is no object of the image");
  }
  // Inside the image, and between two objects.
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 *editor.at<uint64_t>(item_of(editor, group)) =
                     editor.header().preferred_base + kPageBytes + 8;
               }),
               " refers, in reference 0, to something that is no object of the image");
}

// Found before anything looks at what the reference leads to. References 5 to 7 are strings, which
// preparing may replace by the interpreter's own.
TEST(Verify, FindsReferencesOfCodeToNoObject) {
  for (uint64_t address : {uint64_t{0}, uint64_t{16}, ~uint64_t{15}}) {
    for (size_t index : {0u, 1u, 2u, 3u, 4u, 8u}) {
      const std::string why = after([=](Editor& editor, uint32_t group) {
        size_t left = index;
        for (const abi::Field& field : abi::shape(ShapeId::kCode)->fields) {
          if (!abi::is_reference(field.role) || left-- != 0) continue;
          const uint64_t code = objects_of(editor, group, ShapeId::kCode).at(0);
          *editor.at<uint64_t>(code + field.offset) = address;
        }
      });
      EXPECT_FAULT(why, " refers, in reference " + std::to_string(index) +
                            ", to something that is no object of the image");
    }
  }
}

// The tuple stands behind the code that looks through it.
TEST(Verify, FindsTuplesOfCodeThatAreLargerThanTheirPlace) {
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 const uint64_t code = objects_of(editor, group, ShapeId::kCode).at(0);
                 const abi::Field& names = abi::shape(ShapeId::kCode)->fields[4];
                 const uint64_t tuple = *editor.at<uint64_t>(code + names.offset);
                 *editor.at<int64_t>(tuple - editor.header().preferred_base + 16) = 1 << 30;
               }),
               " is larger than its place");
}

TEST(Verify, FindsCodeWithPartsOfTheWrongType) {
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 const uint64_t code = objects_of(editor, group, ShapeId::kCode).at(0);
                 const abi::Shape& shape = *abi::shape(ShapeId::kCode);
                 // co_consts names what co_exceptiontable should: a bytes.
                 *editor.at<uint64_t>(code + shape.fields[3].offset) =
                     *editor.at<uint64_t>(code + shape.fields[5].offset);
               }),
               " is code without constants");
}

TEST(Verify, FindsWrongCodeVersions) {
  auto with_version = [](const std::function<uint32_t(Editor&, uint32_t)>& choose) {
    return after([&](Editor& editor, uint32_t group) {
      const auto code = objects_of(editor, group, ShapeId::kCode);
      const uint32_t own = abi::code_version(editor.at<std::byte>(code.at(1)));
      abi::set_code_version(editor.at<std::byte>(code.at(1)), choose(editor, own));
    });
  };
  EXPECT_FAULT(with_version([](Editor&, uint32_t) { return 5u; }),
               " is code with a version of the interpreter's");
  EXPECT_FAULT(
      with_version([](Editor& editor, uint32_t) { return editor.header().first_code_version - 1; }),
      " is code with a version outside the image's");
  EXPECT_FAULT(with_version([](Editor& editor, uint32_t) {
                 return editor.header().first_code_version + editor.header().code_version_count;
               }),
               " is code with a version outside the image's");
  EXPECT_FAULT(with_version([](Editor&, uint32_t own) { return own - 1; }),
               " is code with the version of another one");
}

TEST(Verify, FindsObjectsThatAreListedTwice) {
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 const auto list = editor.part<uint8_t>(group, Kind::kObjects);
                 // The first entry: its distance in some bytes, its shape. Then the second.
                 size_t at = 0;
                 while (list[at] & 0x80) ++at;
                 list[at + 2] = 0;
                 list[at + 3] = list[at + 1];
               }),
               " is listed twice");
}

TEST(Verify, FindsModulesWithoutCode) {
  EXPECT_FAULT(after([](Editor& editor, uint32_t group) {
                 for (ModuleEntry& module : editor.table<ModuleEntry>(Kind::kModules)) {
                   if (module.group == group) {
                     module.code = objects_of(editor, group, ShapeId::kTuple).at(0);
                   }
                 }
               }),
               " is not the code of a module");
}

}  // namespace
}  // namespace tenure::image
