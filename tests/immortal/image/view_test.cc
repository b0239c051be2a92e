// Every refusal of view.cc, each reached by a file that is right in everything else.

#include "tenure/immortal/image/view.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"

namespace tenure::image {
namespace {

using testing::Editor;

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

const std::vector<std::byte>& sample() {
  static const auto bytes = testing::image_of(testing::sample_sources());
  return bytes;
}

// What parsing answers: "" if all is well, else the problem.
std::string parsed(std::span<const std::byte> file) {
  View view;
  Problem problem;
  return View::parse(file, view, problem) ? "" : testing::describe(problem);
}

// What parsing says of the sample after `damage`, its checksums made right again.
std::string after(const std::function<void(Editor&)>& damage) {
  Editor editor(sample());
  damage(editor);
  editor.fix();
  return parsed(editor.file());
}

TEST(View, ReadsAGoodFile) {
  View view;
  Problem problem;
  ASSERT_TRUE(View::parse(sample(), view, problem)) << testing::describe(problem);
  EXPECT_EQ(view.groups().size(), 3u);
  ASSERT_EQ(view.modules().size(), 2u);
  EXPECT_EQ(view.text(view.modules()[0].name), "first");
  EXPECT_EQ(view.text(view.modules()[0].origin), "/sample/first.py");
  EXPECT_EQ(view.modules()[0].flags, uint32_t{kPackage});
  EXPECT_EQ(view.modules()[1].flags, 0u);
  EXPECT_EQ(view.find_module("second.part"), &view.modules()[1]);
  for (const char* absent : {"", "a", "firs", "first.", "second", "z"}) {
    EXPECT_EQ(view.find_module(absent), nullptr) << absent;
  }
  EXPECT_EQ(view.group_name(kCommonGroup), "common group");
  EXPECT_EQ(view.group_name(view.modules()[0].group), "module 'first'");
  EXPECT_EQ(view.group_name(99), "group 99");
  for (uint32_t group = 0; group < 3; ++group) {
    EXPECT_TRUE(view.check_group(group, View::Parts::kAll, problem));
    EXPECT_TRUE(view.check_group(group, View::Parts::kWithoutRelocation, problem));
  }
  for (const DirectoryEntry& entry : view.directory()) {
    EXPECT_STRNE(kind_name(entry.kind), "unknown part");
    EXPECT_EQ(view.entry(static_cast<Kind>(entry.kind)), &entry);
    if (entry.kind < kFirstSegmentKind) continue;
    EXPECT_TRUE(view.in_segment(entry.offset, entry.bytes));
    EXPECT_FALSE(view.in_segment(entry.offset, entry.bytes + 1));
    EXPECT_FALSE(view.in_segment(entry.offset - 1, 1) && entry.offset == kPageBytes);
  }
  EXPECT_FALSE(view.in_segment(0, 1));
  EXPECT_FALSE(view.in_segment(kHuge, 1));
  EXPECT_FALSE(view.in_segment(kPageBytes, kHuge));
}

TEST(FirstPage, IsRefusedForWhatItIsNot) {
  EXPECT_EQ(parsed({}), "file is empty");
  for (size_t bytes : {1u, 7u, 8u, 100u, 4095u}) {
    EXPECT_EQ(parsed(std::span(sample()).first(bytes)),
              "file is truncated: it ends after " + std::to_string(bytes) +
                  " bytes, inside the header; freeze it again");
  }
  for (size_t i = 0; i < sizeof kMagic; ++i) {
    EXPECT_EQ(after([i](Editor& editor) { editor.header().magic[i] ^= 0x20; }),
              "header is not that of a Tenure image");
  }
  EXPECT_EQ(after([](Editor& editor) { editor.header().format_version = 3; }),
            "header has image format 3, this Tenure reads format 2; freeze it again");
}

TEST(FirstPage, IsRefusedWhenItsChecksumIsWrong) {
  for (size_t at : {size_t{12}, sizeof(Header), kPageBytes - 1}) {
    auto bytes = sample();
    bytes[at] ^= std::byte{1};
    EXPECT_EQ(parsed(bytes), "header is damaged: its checksum is wrong; freeze the image again")
        << at;
  }
}

TEST(FirstPage, IsRefusedWhenItsSizesMakeNoSense) {
  constexpr const char* kSizes = "header makes no sense: its sizes are impossible";
  EXPECT_EQ(after([](Editor& editor) { editor.header().header_bytes += 8; }), kSizes);
  EXPECT_EQ(after([](Editor& editor) { editor.header().file_bytes += 1; }), kSizes);
  EXPECT_EQ(after([](Editor& editor) { editor.header().file_bytes = uint64_t{1} << 48; }), kSizes);
  const std::string bytes = std::to_string(sample().size());
  EXPECT_EQ(parsed(std::span(sample()).first(sample().size() - kPageBytes)),
            "file is truncated: it has " + std::to_string(sample().size() - kPageBytes) +
                " bytes instead of " + bytes + "; freeze it again");
  auto longer = sample();
  longer.push_back(std::byte{0});
  EXPECT_EQ(parsed(longer), "file is too long: it has " + std::to_string(longer.size()) +
                                " bytes instead of " + bytes + "; freeze it again");
}

TEST(Header, IsRefusedForNumbersNoImageHas) {
  EXPECT_EQ(
      after([](Editor& editor) { editor.header().directory_count = kMaxDirectoryEntries + 1; }),
      "header names more tables than fit into its page");
  EXPECT_EQ(after([](Editor& editor) { editor.header().directory_count = ~0u; }),
            "header names more tables than fit into its page");
  for (uint64_t base : {uint64_t{0}, uint64_t{1} << 20, (uint64_t{1} << 40) + 8, uint64_t{1} << 47,
                        (uint64_t{1} << 47) - kPageBytes, kHuge, kHuge << 12}) {
    EXPECT_EQ(after([base](Editor& editor) { editor.header().preferred_base = base; }),
              "header asks for an address no image can have")
        << base;
  }
  EXPECT_EQ(after([](Editor& editor) { editor.header().hash_policy = 3; }),
            "header wants hash policy 3, which this Tenure does not know; use a newer one");
  EXPECT_EQ(after([](Editor& editor) { editor.binding().build_id_bytes = 33; }),
            "header has a build id that is too long");
}

TEST(Header, IsRefusedForVersionsOfTheInterpreters) {
  constexpr const char* kClaim = "header claims code versions that belong to the interpreter";
  for (uint32_t first : {0u, 1u, abi::kFirstImageVersion - 1, ~0u}) {
    EXPECT_EQ(after([first](Editor& editor) { editor.header().first_code_version = first; }),
              kClaim);
  }
  EXPECT_EQ(after([](Editor& editor) { editor.header().code_version_count = ~0u; }), kClaim);
  EXPECT_EQ(after([](Editor& editor) {
              editor.header().first_code_version = 0;
              editor.header().code_version_count = 0;
            }),
            "")
      << "whoever takes none may start anywhere";
}

TEST(Directory, IsRefusedForKindsThatMustBeUnderstood) {
  EXPECT_EQ(after([](Editor& editor) { editor.append(33, kMustUnderstand, {}); }),
            "unknown part (kind 33) is needed and not known to this Tenure; use a newer one");
  EXPECT_EQ(after([](Editor& editor) { editor.append(1000, kMustUnderstand, {}); }),
            "unknown part (kind 1000) is needed and not known to this Tenure; use a newer one");
}

// Room to grow: what is new and not marked as needed is passed over.
TEST(Directory, PassesOverOtherKinds) {
  const std::string content(5000, 'n');
  for (uint32_t kind : {33u, 200u, ~0u}) {
    EXPECT_EQ(
        after([&](Editor& editor) { editor.append(kind, 0, std::as_bytes(std::span(content))); }),
        "")
        << kind;
    EXPECT_EQ(after([&](Editor& editor) {
                editor.append(kind, kBulk, std::as_bytes(std::span(content)));
              }),
              "")
        << kind;
  }
}

TEST(Directory, IsRefusedForPlacesOutsideTheFile) {
  const uint64_t end = sample().size();
  struct Place {
    uint64_t offset;
    uint64_t bytes;
  };
  for (const Place& place :
       {Place{end + 8, 0}, Place{end, 1}, Place{end - 8, 16}, Place{kHuge - 7, 8},
        Place{kPageBytes, kHuge}, Place{0, 8}, Place{kPageBytes - 8, 8}}) {
    EXPECT_EQ(after([&](Editor& editor) {
                editor.entry(Kind::kText).offset = place.offset;
                editor.entry(Kind::kText).bytes = place.bytes;
              }),
              "text table (kind 1) points outside the file: offset " +
                  std::to_string(place.offset) + ", " + std::to_string(place.bytes) + " bytes");
  }
}

TEST(Directory, IsRefusedForCrookedPlaces) {
  EXPECT_EQ(after([](Editor& editor) { editor.entry(Kind::kText).offset += 4; }),
            "text table (kind 1) is not aligned");
  EXPECT_EQ(after([](Editor& editor) {
              editor.entry(Kind::kConstSegment).offset += 16;
              editor.entry(Kind::kConstSegment).bytes -= 16;
            }),
            "const segment (kind 64) is not aligned");
}

TEST(Directory, IsRefusedForTwoOfAKindAndForOverlaps) {
  EXPECT_EQ(after([](Editor& editor) {
              const DirectoryEntry text = editor.entry(Kind::kText);
              editor.entry(Kind::kPrograms).kind = text.kind;
            }),
            "text table (kind 1) occurs twice");
  EXPECT_EQ(after([](Editor& editor) {
              editor.entry(Kind::kPrograms).offset = editor.entry(Kind::kExternals).offset;
            }),
            "program table (kind 7) overlaps the external table (kind 6)");
}

TEST(Directory, IsRefusedWhenAChecksumIsWrong) {
  for (Kind kind : {Kind::kText, Kind::kGroups, Kind::kExtents, Kind::kModules, Kind::kExternals,
                    Kind::kPrograms}) {
    Editor editor(sample());
    editor.table<std::byte>(kind)[0] ^= std::byte{1};
    EXPECT_EQ(parsed(editor.file()),
              std::string(kind_name(static_cast<uint32_t>(kind))) + " (kind " +
                  std::to_string(static_cast<uint32_t>(kind)) +
                  ") is damaged: its checksum is wrong; freeze the image again");
  }
}

TEST(Directory, IsRefusedForTablesOfHalfAnEntry) {
  struct Table {
    Kind kind;
    const char* name;
  };
  for (const Table& table :
       {Table{Kind::kGroups, "group table"}, Table{Kind::kExtents, "extent table"},
        Table{Kind::kModules, "module table"}, Table{Kind::kExternals, "external table"}}) {
    EXPECT_EQ(after([&](Editor& editor) { editor.entry(table.kind).bytes -= 4; }),
              std::string(table.name) + " has a size that is no multiple of its entries");
  }
  EXPECT_EQ(after([](Editor& editor) {
              editor.append(static_cast<uint32_t>(Kind::kRoots), 0,
                            std::as_bytes(std::span("12345", 5)));
            }),
            "root table has a size that is no multiple of its entries");
}

TEST(Groups, AreRefusedWhenThereAreNone) {
  EXPECT_EQ(after([](Editor& editor) { editor.entry(Kind::kGroups).bytes = 0; }),
            "group table is empty");
}

TEST(Groups, AreRefusedForExtentsOutsideTheTable) {
  constexpr const char* kOutside = "group 1 has extents outside the extent table";
  auto edit = [](const std::function<void(GroupEntry&)>& damage) {
    return after([&](Editor& editor) { damage(editor.table<GroupEntry>(Kind::kGroups)[1]); });
  };
  EXPECT_EQ(edit([](GroupEntry& group) { ++group.first_extent; }), kOutside);
  EXPECT_EQ(edit([](GroupEntry& group) { group.first_extent = ~0u; }), kOutside);
  EXPECT_EQ(edit([](GroupEntry& group) { group.extent_count = ~0u; }), kOutside);
  EXPECT_EQ(edit([](GroupEntry& group) { group.extent_count = 1000; }), kOutside);
}

// Damage to the extent that a module's group has of some kind.
std::string with_extent(Kind kind, const std::function<void(Editor&, ExtentEntry&)>& damage) {
  return after(
      [&](Editor& editor) { damage(editor, editor.extent(editor.group_of("first"), kind)); });
}

TEST(Groups, AreRefusedForExtentsOfNoTable) {
  constexpr const char* kNone = "group 1 has an extent in no table or segment of this file";
  for (uint32_t kind : {33u, 72u, 1000u, ~0u, static_cast<uint32_t>(Kind::kText)}) {
    EXPECT_EQ(with_extent(Kind::kReplacedTupleSegment,
                          [kind](Editor&, ExtentEntry& extent) { extent.kind = kind; })
                  .empty(),
              false);
    EXPECT_EQ(
        with_extent(Kind::kActions, [kind](Editor&, ExtentEntry& extent) { extent.kind = kind; }),
        kNone);
  }
}

TEST(Groups, AreRefusedForExtentsOutOfOrder) {
  EXPECT_EQ(with_extent(Kind::kActionSlots,
                        [](Editor&, ExtentEntry& extent) {
                          extent.kind = static_cast<uint32_t>(Kind::kActions);
                        }),
            "group 1 has its extents out of order");
}

TEST(Groups, AreRefusedForExtentsOutsideTheirTable) {
  constexpr const char* kOutside = "group 1 points outside the string uses (kind 10)";
  auto edit = [](const std::function<void(ExtentEntry&)>& damage) {
    return with_extent(Kind::kStringUses, [&](Editor&, ExtentEntry& extent) { damage(extent); });
  };
  EXPECT_EQ(edit([](ExtentEntry& extent) { extent.offset = 0; }), kOutside);
  EXPECT_EQ(edit([](ExtentEntry& extent) { extent.offset = kHuge - 7; }), kOutside);
  EXPECT_EQ(edit([](ExtentEntry& extent) { extent.bytes = kHuge - 7; }), kOutside);
  EXPECT_EQ(edit([](ExtentEntry& extent) { extent.bytes += 1 << 20; }), kOutside);
  EXPECT_EQ(edit([](ExtentEntry& extent) { extent.bytes -= 4; }), kOutside) << "half an entry";
}

TEST(Groups, AreRefusedForCrookedExtents) {
  EXPECT_EQ(with_extent(Kind::kActionSlots,
                        [](Editor&, ExtentEntry& extent) {
                          extent.offset += 2;
                          extent.bytes -= 4;
                        }),
            "group 1 is not aligned in the action slots (kind 9)");
  EXPECT_EQ(with_extent(Kind::kTupleSegment,
                        [](Editor&, ExtentEntry& extent) {
                          extent.offset += 8;
                          extent.bytes -= 8;
                        }),
            "group 1 is not aligned in the tuple segment (kind 67)");
}

TEST(Groups, AreRefusedForSharingBytes) {
  EXPECT_EQ(with_extent(Kind::kInternalSlots,
                        [](Editor& editor, ExtentEntry& extent) {
                          const uint32_t second = editor.group_of("second.part");
                          editor.extent(second, Kind::kInternalSlots).offset =
                              extent.offset + extent.bytes - 1;
                        }),
            "group 2 overlaps another group in the internal slots (kind 12)");
}

TEST(Externals, AreRefusedForProgramsOutsideTheirTable) {
  for (uint32_t bytes : {~0u, 100'000u}) {
    EXPECT_EQ(after([bytes](Editor& editor) {
                editor.table<ExternalEntry>(Kind::kExternals)[3].program_bytes = bytes;
              }),
              "external 3 has its program outside the program table");
  }
  EXPECT_EQ(
      after([](Editor& editor) { editor.table<ExternalEntry>(Kind::kExternals)[0].program = ~0u; }),
      "external 0 has its program outside the program table");
}

std::string with_module(const std::function<void(ModuleEntry&)>& damage) {
  return after([&](Editor& editor) { damage(editor.table<ModuleEntry>(Kind::kModules)[1]); });
}

TEST(Modules, AreRefusedForNamesOutsideTheText) {
  constexpr const char* kOutside = "module 1 has its name outside the text table";
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.name.offset = ~0u; }), kOutside);
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.name.bytes = ~0u; }), kOutside);
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.origin.bytes = ~0u; }), kOutside);
}

TEST(Modules, AreRefusedForNamesOutOfOrder) {
  constexpr const char* kOrder = "module 1 is out of order: module names are sorted and differ";
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.name.bytes = 0; }), kOrder);
  EXPECT_EQ(after([](Editor& editor) {
              const auto modules = editor.table<ModuleEntry>(Kind::kModules);
              modules[1].name = modules[0].name;
            }),
            kOrder);
  EXPECT_EQ(after([](Editor& editor) {
              const auto modules = editor.table<ModuleEntry>(Kind::kModules);
              std::swap(modules[0], modules[1]);
            }),
            kOrder);
}

TEST(Modules, AreRefusedForWhatTheyName) {
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.group = 3; }),
            "module 1 belongs to a group that does not exist");
  EXPECT_THAT(with_module([](ModuleEntry& module) { module.group = kCommonGroup; }),
              ::testing::HasSubstr("module 1 has its code outside its group"));
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.code = 0; }),
            "module 1 has no code or no origin");
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.origin_object = 0; }),
            "module 1 has no code or no origin");
  for (uint64_t offset :
       {uint64_t{8}, uint64_t{kPageBytes} + 4, sample().size() - 8, kHuge - 7, kHuge}) {
    const std::string outside =
        "module 1 names an object outside its group, at offset " + std::to_string(offset);
    EXPECT_EQ(with_module([=](ModuleEntry& module) { module.code = offset; }),
              "module 1 has its code outside its group, at offset " + std::to_string(offset));
    EXPECT_EQ(with_module([=](ModuleEntry& module) { module.origin_object = offset; }), outside);
    EXPECT_EQ(with_module([=](ModuleEntry& module) { module.cached_object = offset; }), outside);
  }
  EXPECT_EQ(with_module([](ModuleEntry& module) { module.cached_object = 0; }), "");
}

TEST(Roots, AreRefusedForPlacesOutsideTheImage) {
  auto with_root = [](const std::function<void(Editor&, RootEntry&)>& damage) {
    return after([&](Editor& editor) {
      RootEntry root{};
      root.name = editor.table<ModuleEntry>(Kind::kModules)[0].name;
      root.object = editor.table<ModuleEntry>(Kind::kModules)[0].code;
      root.group = editor.table<ModuleEntry>(Kind::kModules)[0].group;
      damage(editor, root);
      editor.append(static_cast<uint32_t>(Kind::kRoots), 0, std::as_bytes(std::span(&root, 1)));
    });
  };
  EXPECT_EQ(with_root([](Editor&, RootEntry&) {}), "");
  constexpr const char* kOutside = "root 0 points outside its group";
  EXPECT_EQ(with_root([](Editor&, RootEntry& root) { root.name.bytes = ~0u; }), kOutside);
  EXPECT_EQ(with_root([](Editor&, RootEntry& root) { root.group = 3; }), kOutside);
  EXPECT_EQ(with_root([](Editor&, RootEntry& root) { root.object += 4; }), kOutside);
  EXPECT_EQ(with_root([](Editor&, RootEntry& root) { root.object = kHuge - 7; }), kOutside);
}

TEST(Binding, IsRefusedForOtherInterpreters) {
  Editor editor(sample());
  const Binding good = editor.binding();
  auto refusal = [&good](const std::function<void(Binding&)>& change) {
    Binding binding = good;
    change(binding);
    Problem problem;
    return check_binding(binding, false, problem) ? "" : testing::describe(problem);
  };
  EXPECT_EQ(refusal([](Binding&) {}), "");
  EXPECT_EQ(refusal([](Binding& binding) { binding.python_version ^= 0x100; }), "")
      << "another patch release of the same minor version";
  for (const auto& change : std::vector<std::function<void(Binding&)>>{
           [](Binding& binding) { binding.python_version = 0x030c01f0; },
           [](Binding& binding) { ++binding.bytecode_magic; },
           [](Binding& binding) { binding.free_threaded = 1; },
           [](Binding& binding) { ++binding.layout_fingerprint; }}) {
    const std::string text = refusal(change);
    EXPECT_EQ(text.find("header was made by CPython 3."), 0u) << text;
    EXPECT_NE(text.find("this is CPython 3."), std::string::npos) << text;
    EXPECT_NE(text.find("freeze it again with this one"), std::string::npos) << text;
  }
  EXPECT_NE(refusal([](Binding& binding) { binding.free_threaded = 1; }).find("without a GIL"),
            std::string::npos);
  EXPECT_NE(refusal([](Binding& binding) { ++binding.layout_fingerprint; }).find("laid out"),
            std::string::npos);
}

TEST(Binding, OfDataIsTheSameForAllOptimizationLevels) {
  Editor editor(sample());
  Binding binding = editor.binding();
  ++binding.optimization;
  Problem problem;
  EXPECT_FALSE(check_binding(binding, false, problem));
  EXPECT_TRUE(check_binding(binding, true, problem)) << testing::describe(problem);
}

// A linker changes addresses, and no checksum knows.
TEST(View, OfABinaryIsTakenAtItsWord) {
  Editor editor(sample());
  editor.header().preferred_base = 0x400000;
  editor.table<ExternalEntry>(Kind::kExternals)[0].address += 8;
  View view;
  Problem problem;
  EXPECT_FALSE(View::parse(editor.file(), view, problem));
  EXPECT_TRUE(View::parse(editor.file(), view, problem, Source::kBinary))
      << testing::describe(problem);
  editor.table<ExternalEntry>(Kind::kExternals)[0].program = 1u << 30;
  EXPECT_FALSE(View::parse(editor.file(), view, problem, Source::kBinary))
      << "what it says must make sense all the same";
}

TEST(CheckGroup, FindsDamageWhereItIs) {
  for (Kind kind : {Kind::kActions, Kind::kStringSlots, Kind::kInternalSlots, Kind::kObjects,
                    Kind::kConstSegment, Kind::kBodySegment, Kind::kCodeSegment}) {
    Editor editor(sample());
    const uint32_t first = editor.group_of("first");
    const ExtentEntry extent = editor.extent(first, kind);
    *editor.at<std::byte>(extent.offset + extent.bytes - 1) ^= std::byte{0x40};
    View view;
    Problem problem;
    ASSERT_TRUE(View::parse(editor.file(), view, problem));
    EXPECT_FALSE(view.check_group(first, View::Parts::kAll, problem));
    const auto number = static_cast<uint32_t>(kind);
    EXPECT_EQ(testing::describe(problem),
              "module 'first' is damaged in the " + std::string(kind_name(number)) + " (kind " +
                  std::to_string(number) + "), between bytes " + std::to_string(extent.offset) +
                  " and " + std::to_string(extent.offset + extent.bytes) +
                  " of the file; freeze the image again");
    const bool for_relocation = kind == Kind::kInternalSlots || kind == Kind::kObjects;
    EXPECT_EQ(view.check_group(first, View::Parts::kWithoutRelocation, problem), for_relocation);
    EXPECT_TRUE(view.check_group(kCommonGroup, View::Parts::kAll, problem))
        << "the others are whole";
  }
}

}  // namespace
}  // namespace tenure::image
