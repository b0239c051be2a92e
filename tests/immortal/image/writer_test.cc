#include "tenure/immortal/image/writer.h"

#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tenure/core/abi/code.h"
#include "tenure/core/abi/identity.h"
#include "tenure/core/abi/shape.h"
#include "tenure/immortal/image/objects.h"
#include "tenure/immortal/image/varint.h"
#include "tenure/immortal/image/view.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::Editor;
using testing::image_of;
using testing::sample_sources;

View view_of(std::span<const std::byte> file) {
  View view;
  Problem problem;
  EXPECT_TRUE(View::parse(file, view, problem)) << testing::describe(problem);
  return view;
}

// The image without the addresses of the interpreter that wrote it.
std::vector<std::byte> without_addresses(const std::vector<std::byte>& file) {
  const View view = view_of(file);
  Editor editor(file);
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    StreamReader in(view.part(group, Kind::kExternalSlots));
    while (!in.at_end()) {
      in.varint();
      const uint64_t count = in.varint();
      uint64_t slot = 0;
      for (uint64_t i = 0; i < count; ++i) *editor.at<uint64_t>((slot += in.varint()) * 8) = 0;
    }
    EXPECT_FALSE(in.failed());
  }
  for (ExternalEntry& external : editor.table<ExternalEntry>(Kind::kExternals))
    external.address = 0;
  editor.binding().load_bias = 0;
  editor.binding().witness = 0;
  editor.fix();
  return editor.file();
}

TEST(WriteImage, IsReadBack) {
  const auto file = image_of(sample_sources());
  const View view = view_of(file);
  const abi::Identity& self = abi::identity();
  const Header& header = view.header();
  EXPECT_EQ(std::memcmp(header.magic, "TENURE\r\n", 8), 0);
  EXPECT_EQ(header.file_bytes, file.size());
  EXPECT_EQ(header.file_bytes % kPageBytes, 0u);
  EXPECT_EQ(header.preferred_base % (1 << 21), 0u);
  EXPECT_EQ(header.binding.python_version, self.python_version);
  EXPECT_EQ(header.binding.bytecode_magic, self.bytecode_magic);
  EXPECT_EQ(header.binding.debug, self.debug ? 1u : 0u);
  EXPECT_EQ(header.binding.free_threaded, 0u);
  EXPECT_EQ(header.binding.load_bias, self.load_bias);
  EXPECT_EQ(header.binding.witness, self.witness);
  EXPECT_EQ(header.binding.build_id_bytes, self.build_id_bytes);
  Problem problem;
  EXPECT_TRUE(check_binding(header.binding, false, problem));
  const ModuleEntry* module = view.find_module("first");
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(module->source_bytes, sample_sources()[0].text.size());
}

TEST(WriteImage, SortsModulesByName) {
  const auto file =
      image_of({{"b", "x = 1\n"}, {"a.b", "x = 2\n"}, {"a", "x = 3\n"}, {"B", "x = 4\n"}});
  const View view = view_of(file);
  std::vector<std::string> names;
  std::vector<uint32_t> groups;
  for (const ModuleEntry& module : view.modules()) {
    names.emplace_back(view.text(module.name));
    groups.push_back(module.group);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"B", "a", "a.b", "b"}));
  EXPECT_EQ(groups, (std::vector<uint32_t>{4, 3, 2, 1})) << "groups stay in the order of adding";
}

TEST(WriteImage, TakesAGraphOfNothing) {
  const auto file = image_of({});
  const View view = view_of(file);
  EXPECT_TRUE(view.modules().empty());
  EXPECT_EQ(view.groups().size(), 1u);
  EXPECT_EQ(view.header().code_version_count, 0u);
}

TEST(WriteImage, AlignsWhatIsMappedAndWhatIsRead) {
  const auto file = image_of(sample_sources());
  const View view = view_of(file);
  uint64_t end = kPageBytes;
  bool tables = false;
  for (const DirectoryEntry& entry : view.directory()) {
    const bool segment = entry.kind >= kFirstSegmentKind;
    EXPECT_EQ(entry.offset % (segment ? kPageBytes : 8), 0u);
    EXPECT_EQ((entry.flags & kMustUnderstand) != 0, true);
    EXPECT_EQ((entry.flags & kBulk) != 0,
              segment || entry.kind >= static_cast<uint32_t>(Kind::kActions));
    if (segment) {
      end = std::max(end, entry.offset + entry.bytes);
    } else {
      tables = true;
    }
  }
  EXPECT_TRUE(tables);
  for (const DirectoryEntry& entry : view.directory()) {
    if (entry.kind < kFirstSegmentKind) {
      EXPECT_GE(entry.offset, end) << "tables stand behind the segments";
    }
  }
}

// Every pointer in the file, by the tables: inside, to an object of the image; outside, to the
// interpreter's own.
TEST(WriteImage, LinksEveryReference) {
  const auto file = image_of(sample_sources());
  const View view = view_of(file);
  const uint64_t base = view.header().preferred_base;
  std::set<uint64_t> objects;
  std::set<uint64_t> externals;
  for (const ExternalEntry& external : view.externals()) externals.insert(external.address);
  Problem problem;
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    ASSERT_TRUE(for_each_object(view, group, problem, [&](uint64_t offset, const abi::Shape&) {
      return objects.insert(offset).second;
    }));
  }
  std::set<uint64_t> slots;
  size_t references = 0;
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    ASSERT_TRUE(
        for_each_object(view, group, problem, [&](uint64_t offset, const abi::Shape& shape) {
          EXPECT_EQ(offset % abi::kObjectAlignment, 0u);
          const std::byte* object = file.data() + offset;
          const size_t bytes = shape.bytes(object, file.size() - offset);
          EXPECT_GT(bytes, 0u);
          uint64_t type;
          std::memcpy(&type, object + abi::kTypeOffset, sizeof type);
          EXPECT_EQ(type, reinterpret_cast<uint64_t>(shape.type));
          abi::for_each_reference(
              shape, const_cast<std::byte*>(object), bytes, [&](PyObject** slot) {
                ++references;
                const auto to = reinterpret_cast<uint64_t>(*slot);
                if (to - base < file.size()) {
                  EXPECT_TRUE(objects.contains(to - base));
                  slots.insert(
                      static_cast<uint64_t>(reinterpret_cast<std::byte*>(slot) - file.data()) / 8);
                } else {
                  EXPECT_TRUE(externals.contains(to));
                }
              });
          return true;
        }));
  }
  EXPECT_GT(references, 100u);
  std::set<uint64_t> listed;
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    StreamReader in(view.part(group, Kind::kInternalSlots));
    uint64_t slot = 0;
    while (!in.at_end()) listed.insert(slot += in.varint());
  }
  EXPECT_EQ(listed, slots) << "the slots to relocate are those that point into the image";
}

TEST(WriteImage, NumbersCodeObjectsFromItsOwnRange) {
  const auto file = image_of(sample_sources());
  const View view = view_of(file);
  std::set<uint32_t> versions;
  Problem problem;
  for (uint32_t group = 0; group < view.groups().size(); ++group) {
    ASSERT_TRUE(
        for_each_object(view, group, problem, [&](uint64_t offset, const abi::Shape& shape) {
          if (shape.id == abi::ShapeId::kCode) {
            EXPECT_TRUE(versions.insert(abi::code_version(file.data() + offset)).second);
          }
          return true;
        }));
  }
  const Header& header = view.header();
  ASSERT_EQ(versions.size(), header.code_version_count);
  EXPECT_EQ(*versions.begin(), header.first_code_version);
  EXPECT_EQ(*versions.rbegin(), header.first_code_version + header.code_version_count - 1);
  EXPECT_GE(header.first_code_version, abi::kFirstImageVersion);
}

TEST(WriteImage, MarksIdentifiersAmongTheStringsOfAGroup) {
  const auto file = image_of({{"sample", "identifier = ' not one '\n"}});
  const View view = view_of(file);
  size_t identifiers = 0;
  size_t others = 0;
  for (const StringUse& use : view.table_part<StringUse>(1, Kind::kStringUses)) {
    const bool named = (use.slot_count & kIdentifier) != 0;
    ++(named ? identifiers : others);
    // A label may lead to an identifier, which something else looks something up by.
    const DirectoryEntry* segment = view.segment_at(uint64_t{use.string} * kSlotBytes);
    ASSERT_NE(segment, nullptr);
    if (segment->kind != static_cast<uint32_t>(Kind::kTextSegment) || named) {
      EXPECT_EQ(segment->kind, static_cast<uint32_t>(Kind::kStringSegment));
    }
  }
  EXPECT_GE(identifiers, 1u);
  EXPECT_GE(others, 2u) << "the text and a path that only the import system asks for";
}

// Deterministic, byte for byte.

TEST(Determinism, TheSameGraphGivesTheSameBytes) {
  Graph graph(nullptr);
  testing::add_sources(graph, sample_sources());
  Problem problem;
  std::vector<std::byte> first;
  std::vector<std::byte> second;
  ASSERT_TRUE(write_image(graph, first, problem));
  ASSERT_TRUE(write_image(graph, second, problem));
  EXPECT_EQ(first, second);
}

TEST(Determinism, TheSameSourcesGiveTheSameBytes) {
  const auto first = image_of(sample_sources());
  // Other objects at other addresses meanwhile.
  const Strong ballast = testing::evaluate("[str(n) for n in range(10000)]");
  EXPECT_EQ(image_of(sample_sources()), first);
}

TEST(Determinism, UsingTheObjectsBeforeChangesNothing) {
  auto image_after = [](bool use) {
    const Strong code = testing::compile(sample_sources()[0].text, "/sample/first.py");
    if (use) {
      PyObject_Hash(code.get());
      const Strong bytes = testing::attribute(code.get(), "co_code");
      const Strong names = testing::attribute(code.get(), "co_varnames");
    }
    Graph graph(nullptr);
    const Strong origin = PyUnicode_FromString("/sample/first.py");
    Problem problem;
    EXPECT_TRUE(graph.add_module("first", code.get(), true, origin.get(), nullptr, 0, 0, problem));
    std::vector<std::byte> file;
    EXPECT_TRUE(write_image(graph, file, problem));
    return file;
  };
  EXPECT_EQ(image_after(false), image_after(true));
}

TEST(Determinism, OtherSourcesGiveAnotherImage) {
  const auto one = image_of({{"sample", "x = 'one text'\n"}});
  const auto two = image_of({{"sample", "x = 'two text'\n"}});
  const Header first = view_of(one).header();
  const Header second = view_of(two).header();
  EXPECT_NE(first.content_id[0], second.content_id[0]);
  EXPECT_NE(first.content_id[1], second.content_id[1]);
  EXPECT_NE(first.preferred_base, second.preferred_base);
  const auto renamed = image_of({{"other", "x = 'one text'\n"}});
  EXPECT_NE(view_of(renamed).header().content_id[1], first.content_id[1]);
}

// Another process with other hashes and at other addresses writes the same image but for those.
TEST(Determinism, HashesAndAddressesOfTheProcessDoNotMatter) {
  constexpr const char* kPath = "TENURE_TEST_IMAGE";
  const testing::TemporaryFolder folder;
  const auto mine = without_addresses(image_of(sample_sources()));
  for (const char* seed : {"0", "1", "4242"}) {
    const std::string path = folder / seed;
    // The child is this program started anew: it finds both variables, and the parent's path.
    const char* inherited = std::getenv(kPath);
    if (inherited == nullptr) setenv(kPath, path.c_str(), 1);
    setenv(testing::kHashSeedVariable, seed, 1);
    EXPECT_EXIT(
        {
          testing::write_bytes(std::getenv(kPath), image_of(sample_sources()));
          _exit(0);
        },
        ::testing::ExitedWithCode(0), "");
    if (inherited == nullptr) {
      EXPECT_EQ(without_addresses(testing::read_bytes(path)), mine) << "seed " << seed;
      unsetenv(kPath);
    }
  }
  unsetenv(testing::kHashSeedVariable);
}

}  // namespace
}  // namespace tenure::image
