// Every refusal of a group's own tables, each reached by a file that is right in everything else.

#include "tenure/immortal/image/preparation.h"

#include <cstring>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/image.h"
#include "tenure/immortal/image/varint.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::describe;
using testing::Editor;
using testing::image_of;
using testing::load_good;

// One module with a string that the interpreter has before, and a set.
std::vector<std::byte> new_image() {
  static int number = 0;
  return image_of({{"sample", "def f(x): return sys.modules, x in {'red', 'green', " +
                                  std::to_string(5'000'000 + ++number) + "}\n"}});
}

enum class Place { kHome, kElsewhere };

// What preparing says of the only module of an image after `damage`; "" if it works.
std::string after(const std::function<void(Editor&, uint32_t)>& damage, Place place) {
  Editor editor(new_image());
  std::unique_ptr<Image> in_the_way;
  if (place == Place::kElsewhere) in_the_way = load_good(editor.file());
  const uint32_t group = editor.group_of("sample");
  damage(editor, group);
  editor.fix();
  auto image = load_good(editor.file());
  EXPECT_EQ(image->is_prelinked(), place == Place::kHome);
  Problem problem;
  if (image->prepare(group, problem)) return "";
  EXPECT_FALSE(image->is_prepared(group));
  return describe(problem);
}

// Overwrites the first bytes of a group's stream.
void put(Editor& editor, uint32_t group, Kind kind, const std::string& bytes) {
  const auto part = editor.part<char>(group, kind);
  ASSERT_LE(bytes.size(), part.size());
  std::memcpy(part.data(), bytes.data(), bytes.size());
}

std::string varints(std::initializer_list<uint64_t> values) {
  std::string bytes;
  for (uint64_t value : values) put_varint(bytes, value);
  return bytes;
}

TEST(Preparation, AcceptsTheSampleAsItIs) {
  EXPECT_EQ(after([](Editor&, uint32_t) {}, Place::kHome), "");
  EXPECT_EQ(after([](Editor&, uint32_t) {}, Place::kElsewhere), "");
}

TEST(InternalSlots, MustLieInTheGroup) {
  for (uint64_t slot : {uint64_t{0}, uint64_t{1}, uint64_t{511}, uint64_t{1} << 20,
                        uint64_t{1} << 61, ~uint64_t{0}}) {
    EXPECT_EQ(
        after([=](Editor& editor,
                  uint32_t group) { put(editor, group, Kind::kInternalSlots, varints({slot})); },
              Place::kElsewhere),
        "module 'sample' has a slot outside the group in its internal slots, at offset " +
            std::to_string(slot * 8))
        << slot;
  }
}

TEST(InternalSlots, MustBeWholeNumbers) {
  const std::string why = after(
      [](Editor& editor, uint32_t group) {
        editor.part<char>(group, Kind::kInternalSlots).back() = static_cast<char>(0x80);
      },
      Place::kElsewhere);
  EXPECT_EQ(why.find("module 'sample' has a slot outside the group in its internal slots"), 0u)
      << why;
}

TEST(InternalSlots, AreNotReadAtHome) {
  EXPECT_EQ(after([](Editor& editor,
                     uint32_t group) { put(editor, group, Kind::kInternalSlots, varints({0})); },
                  Place::kHome),
            "");
}

// At home nothing is relocated unless the interpreter is another build.
std::string after_in_another_build(const std::function<void(Editor&, uint32_t)>& damage) {
  return after(
      [&](Editor& editor, uint32_t group) {
        editor.binding().witness ^= 1;
        damage(editor, group);
      },
      Place::kElsewhere);
}

TEST(ExternalSlots, MustNameAnExternalThatExists) {
  for (uint64_t external : {uint64_t{100}, ~uint64_t{0}}) {
    EXPECT_EQ(after_in_another_build([=](Editor& editor, uint32_t group) {
                put(editor, group, Kind::kExternalSlots, varints({external, 1}));
              }),
              "module 'sample' names an external that does not exist");
  }
  EXPECT_EQ(after_in_another_build([](Editor& editor, uint32_t group) {
              const auto part = editor.part<char>(group, Kind::kExternalSlots);
              std::memset(part.data(), 0x80, part.size());
            }),
            "module 'sample' names an external that does not exist");
}

TEST(ExternalSlots, MustLieInTheGroup) {
  const std::string why = after_in_another_build([](Editor& editor, uint32_t group) {
    put(editor, group, Kind::kExternalSlots, varints({0, 1, 3}));
  });
  EXPECT_EQ(why,
            "module 'sample' has a slot outside the group in its external slots, at offset 24");
}

TEST(ExternalSlots, MustBeAsManyAsTheySay) {
  const std::string why = after_in_another_build([](Editor& editor, uint32_t group) {
    const auto part = editor.part<char>(group, Kind::kExternalSlots);
    // Slots in the group, more of them than the stream has.
    const std::string first(part.begin() + 2, part.begin() + 5);
    put(editor, group, Kind::kExternalSlots, varints({0, 1'000'000}));
    std::memcpy(part.data() + 4, first.data(), first.size());
    std::memset(part.data() + 4 + first.size(), 0, part.size() - 4 - first.size());
  });
  EXPECT_EQ(why.find("module 'sample' has a slot outside the group in its external slots"), 0u)
      << why;
}

// All pointers of a file are for one address. If that is not the header's, none is right.
TEST(PreferredBase, MustBeTheOneThePointersAreFor) {
  EXPECT_EQ(
      after([](Editor& editor, uint32_t) { editor.header().preferred_base += uint64_t{1} << 30; },
            Place::kHome),
      "module 'sample' was not written for the address that the header prefers");
}

TEST(Strings, MustHaveTheirSlots) {
  EXPECT_EQ(after(
                [](Editor& editor, uint32_t group) {
                  editor.part<StringUse>(group, Kind::kStringUses)[0].slot_count |= 0x00ffffff;
                },
                Place::kHome),
            "module 'sample' uses more string slots than it has");
}

TEST(Strings, MustBeThere) {
  for (uint32_t string : {0u, 1u, 512u, 1u << 20, ~0u}) {
    EXPECT_EQ(after(
                  [=](Editor& editor, uint32_t group) {
                    for (StringUse& use : editor.part<StringUse>(group, Kind::kStringUses)) {
                      if (use.slot_count & kIdentifier) use.string = string;
                    }
                  },
                  Place::kHome),
              "module 'sample' names a string where there is none, at offset " +
                  std::to_string(uint64_t{string} * 8))
        << string;
  }
}

// A string that lies right but whose length reaches out of its segment.
TEST(Strings, MustEndInTheirSegment) {
  const std::string why = after(
      [](Editor& editor, uint32_t group) {
        const auto uses = editor.part<StringUse>(group, Kind::kStringUses);
        for (const StringUse& use : uses) {
          if ((use.slot_count & kIdentifier) == 0) continue;
          // Behind the count and the type.
          *editor.at<uint64_t>(uint64_t{use.string} * 8 + 16) = uint64_t{1} << 30;
        }
      },
      Place::kHome);
  EXPECT_EQ(why.find("module 'sample' names a string where there is none, at offset"), 0u) << why;
}

TEST(Strings, AreOnlyReplacedInSlotsOfTheGroup) {
  const std::string why = after(
      [](Editor& editor, uint32_t group) {
        for (uint32_t& slot : editor.part<uint32_t>(group, Kind::kStringSlots)) slot = 7;
      },
      Place::kHome);
  EXPECT_EQ(why, "module 'sample' has a slot outside the group in its string slots, at offset 56");
}

TEST(Actions, MustHaveTheirSlots) {
  for (uint32_t count : {2u, 1000u, ~0u}) {
    EXPECT_EQ(after(
                  [=](Editor& editor, uint32_t group) {
                    editor.part<ActionEntry>(group, Kind::kActions)[0].slot_count = count;
                  },
                  Place::kHome),
              "module 'sample' uses more action slots than it has");
  }
}

TEST(Actions, MustHaveTheirArgument) {
  for (uint64_t argument : {uint64_t{0}, uint64_t{8}, uint64_t{kPageBytes}, ~uint64_t{0}}) {
    EXPECT_EQ(after(
                  [=](Editor& editor, uint32_t group) {
                    editor.part<ActionEntry>(group, Kind::kActions)[0].argument = argument;
                  },
                  Place::kHome),
              "module 'sample' has an action without its argument, at offset " +
                  std::to_string(argument));
  }
}

TEST(Actions, MustHaveATupleOfTheRightSizeForArgument) {
  for (int64_t size : {int64_t{-1}, int64_t{1'000'000}, int64_t{1} << 62}) {
    const std::string why = after(
        [=](Editor& editor, uint32_t group) {
          const auto action = editor.part<ActionEntry>(group, Kind::kActions)[0];
          *editor.at<int64_t>(action.argument + 16) = size;
        },
        Place::kHome);
    EXPECT_EQ(why.find("module 'sample' has an action without its argument"), 0u) << why;
  }
}

// What an action's argument holds is hashed, so it has to be known for an object before.
TEST(Actions, MustHaveObjectsInTheirArgument) {
  static const int ours = 0;
  const auto not_objects = {uint64_t{0}, uint64_t{1}, uint64_t{1} << 50,
                            reinterpret_cast<uint64_t>(&ours),
                            reinterpret_cast<uint64_t>(&PyList_Type)};
  auto with_item = [](const std::function<uint64_t(Editor&, uint64_t)>& item) {
    return after(
        [&](Editor& editor, uint32_t group) {
          const uint64_t argument = editor.part<ActionEntry>(group, Kind::kActions)[0].argument;
          // An int, the first in the order of elements, which neither interning nor moving writes.
          const uint64_t first = argument + abi::shape(abi::ShapeId::kTuple)->fixed_bytes;
          *editor.at<uint64_t>(first) = item(editor, argument);
        },
        Place::kHome);
  };
  constexpr const char* kNoObject = "module 'sample' has an action whose argument holds no object";
  for (uint64_t address : not_objects) {
    EXPECT_EQ(with_item([=](Editor&, uint64_t) { return address; }), kNoObject) << address;
  }
  // In the image, where there is no object, and where there is a tuple that holds itself.
  EXPECT_EQ(with_item([](Editor& editor, uint64_t argument) {
              return editor.header().preferred_base + argument + 8;
            }),
            kNoObject);
  EXPECT_EQ(with_item([](Editor& editor, uint64_t argument) {
              return editor.header().preferred_base + argument;
            }),
            kNoObject);
}

TEST(Actions, MustBeKnown) {
  for (uint16_t number : {uint16_t{0}, uint16_t{12}, uint16_t{0xffff}}) {
    EXPECT_EQ(after(
                  [=](Editor& editor, uint32_t group) {
                    editor.part<ActionEntry>(group, Kind::kActions)[0].action = number;
                  },
                  Place::kHome),
              "module 'sample' has an action (number " + std::to_string(number) +
                  ") that this Tenure cannot do; use a newer one");
  }
}

TEST(Actions, MustFitTheirArgument) {
  // A slice of three is what the set's tuple would make; of two, nothing does.
  const std::string why = after(
      [](Editor& editor, uint32_t group) {
        auto& action = editor.part<ActionEntry>(group, Kind::kActions)[0];
        action.action = static_cast<uint16_t>(Action::kSlice);
        *editor.at<int64_t>(action.argument + 16) = 2;
      },
      Place::kHome);
  EXPECT_EQ(why,
            "module 'sample' has an action (number 2) that this Tenure cannot do; use a newer one");
}

TEST(Actions, AreOnlyPutIntoSlotsOfTheGroup) {
  EXPECT_EQ(after([](Editor& editor,
                     uint32_t group) { editor.part<uint32_t>(group, Kind::kActionSlots)[0] = 9; },
                  Place::kHome),
            "module 'sample' has a slot outside the group in its action slots, at offset 72");
}

// Others may have the string by then: it is interned before actions are done.
TEST(Actions, AreNotPutIntoStrings) {
  const std::string why = after(
      [](Editor& editor, uint32_t group) {
        for (const StringUse& use : editor.part<StringUse>(group, Kind::kStringUses)) {
          const ExtentEntry& own = editor.extent(group, Kind::kStringSegment);
          const uint64_t offset = uint64_t{use.string} * kSlotBytes;
          if (offset < own.offset || offset >= own.offset + own.bytes) continue;
          editor.part<uint32_t>(group, Kind::kActionSlots)[0] = use.string + 1;
        }
      },
      Place::kHome);
  EXPECT_EQ(why.find("module 'sample' has a slot outside the group in its action slots"), 0u)
      << why;
}

TEST(Objects, MustBeListedRightForTheirVersionsToMove) {
  auto with_list = [](const std::string& bytes) {
    return after([&](Editor& editor, uint32_t group) { put(editor, group, Kind::kObjects, bytes); },
                 Place::kElsewhere);
  };
  EXPECT_EQ(with_list(varints({256}) + "\x63"),
            "module 'sample' has an object of shape 99, which this Tenure does not know; use a "
            "newer one");
  for (uint64_t place : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 20, uint64_t{1} << 60}) {
    EXPECT_EQ(with_list(varints({place}) + "\x01"),
              "module 'sample' lists an object outside the segments, at offset " +
                  std::to_string(place * 16))
        << place;
  }
  EXPECT_EQ(with_list(std::string(11, '\xff')),
            "module 'sample' has a damaged object list; freeze the image again");
}

}  // namespace
}  // namespace tenure::image
