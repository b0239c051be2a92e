#include "tenure/immortal/image/root_paths.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/immortal/image/objects.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::describe;
using testing::image_of;
using testing::load_good;

const abi::Shape& shape_of_id(abi::ShapeId id) { return *abi::shape(id); }

TEST(FieldAt, NamesEveryByte) {
  const abi::Shape& tuple = shape_of_id(abi::ShapeId::kTuple);
  EXPECT_EQ(field_at(tuple, nullptr, 0).name, "ob_refcnt");
  EXPECT_EQ(field_at(tuple, nullptr, 9).name, "ob_type");
  EXPECT_EQ(field_at(tuple, nullptr, 16).name, "ob_size");
  EXPECT_EQ(field_at(tuple, nullptr, -1).name, "collector's head");
  EXPECT_EQ(field_at(tuple, nullptr, -16).begin, -16);
  const FieldPlace item = field_at(tuple, nullptr, tuple.fixed_bytes + 3 * 8 + 5);
  EXPECT_EQ(item.name, "item");
  EXPECT_EQ(item.item, 3);
  EXPECT_EQ(item.begin, tuple.fixed_bytes + 3 * 8);
  EXPECT_EQ(item.bytes, 8u);
  const abi::Shape& bytes = shape_of_id(abi::ShapeId::kBytes);
  EXPECT_EQ(field_at(bytes, nullptr, bytes.fixed_bytes).name, "contents");
  for (size_t id = 1; id < abi::kShapeIdEnd; ++id) {
    const abi::Shape& shape = shape_of_id(static_cast<abi::ShapeId>(id));
    for (int64_t at = 0; at < shape.fixed_bytes; ++at) {
      const FieldPlace field = field_at(shape, nullptr, at);
      EXPECT_EQ(field.item, -1);
      EXPECT_GE(at, field.begin) << shape.name;
      EXPECT_LT(at, field.begin + static_cast<int64_t>(field.bytes)) << shape.name;
    }
  }
}

class RootPathsTest : public ::testing::Test {
 protected:
  // Loads modules and prepares all of them.
  void load(const std::vector<testing::Source>& sources) {
    image_ = load_good(image_of(sources));
    Problem problem;
    ASSERT_TRUE(image_->prepare_all(problem)) << describe(problem);
    paths_.emplace(image_->view(), image_->mapping().base());
  }

  // The path to an object, which has to lie in the image.
  std::string path_to(PyObject* object) const {
    const auto offset =
        static_cast<uint64_t>(reinterpret_cast<std::byte*>(object) - image_->mapping().base());
    const auto found = paths_->object_at(offset);
    if (!found) return "not in the image";
    EXPECT_EQ(found->offset, offset);
    return paths_->path_to(found->offset);
  }

  PyObject* code(const char* module) { return testing::code_in(*image_, module); }

  std::unique_ptr<Image> image_;
  std::optional<RootPaths> paths_;
};

TEST_F(RootPathsTest, LeadFromTheModule) {
  load({{"paths.sample",
         "A = (1000, (2.5, ('some text', b'some bytes')))\ndef f(): return 'inner text'\n"}});
  PyObject* module = code("paths.sample");
  EXPECT_EQ(path_to(module), "module 'paths.sample': code");
  const Strong constants = testing::attribute(module, "co_consts");
  PyObject* tuple = nullptr;
  PyObject* function = nullptr;
  std::string tuple_path;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants.get()); ++i) {
    PyObject* constant = PyTuple_GET_ITEM(constants.get(), i);
    const std::string path = "module 'paths.sample': code.co_consts[" + std::to_string(i) + "]";
    if (PyTuple_CheckExact(constant)) tuple = constant, tuple_path = path;
    if (!PyCode_Check(constant)) continue;
    function = constant;
    EXPECT_EQ(path_to(function), path);
  }
  ASSERT_NE(tuple, nullptr);
  ASSERT_NE(function, nullptr);
  EXPECT_EQ(path_to(tuple), tuple_path);
  PyObject* inner = PyTuple_GET_ITEM(PyTuple_GET_ITEM(tuple, 1), 1);
  EXPECT_EQ(path_to(PyTuple_GET_ITEM(inner, 0)), tuple_path + "[1][1][0]");
  EXPECT_EQ(path_to(PyTuple_GET_ITEM(inner, 1)), tuple_path + "[1][1][1]");
  const ModuleEntry& entry = image_->view().modules()[0];
  EXPECT_EQ(path_to(image_->object(entry.cached_object)), "module 'paths.sample': __cached__");
}

TEST_F(RootPathsTest, GoThroughWhatActionsMake) {
  load(
      {{"paths.sets", "def f(x): return x in {'not an identifier', 77777.5, ('a pair', 1000)}\n"}});
  PyObject* function = testing::inner_code(code("paths.sets"));
  const Strong constants = testing::attribute(function, "co_consts");
  PyObject* set = nullptr;
  Py_ssize_t number = 0;
  for (; set == nullptr; ++number) {
    PyObject* constant = PyTuple_GET_ITEM(constants.get(), number);
    if (PyFrozenSet_CheckExact(constant)) set = constant;
  }
  const std::string start =
      path_to(constants.get()) + "[" + std::to_string(number - 1) + "].<made of>";
  const Strong elements = PySequence_List(set);
  std::set<std::string> ends;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(elements.get()); ++i) {
    PyObject* element = PyList_GET_ITEM(elements.get(), i);
    const std::string path = path_to(element);
    // The compiler may have left parts of it among the constants, which is a shorter way.
    if (!path.starts_with(start)) continue;
    ends.insert(path.substr(start.size()));
    if (!PyTuple_CheckExact(element)) continue;
    EXPECT_EQ(path_to(PyTuple_GET_ITEM(element, 0)), path + "[0]");
  }
  EXPECT_FALSE(ends.empty());
  for (const std::string& end : ends) {
    EXPECT_TRUE(end == "[0]" || end == "[1]" || end == "[2]") << end;
  }
}

TEST_F(RootPathsTest, ThereIsOneToEveryObjectThatIsReferredTo) {
  load(testing::sample_sources());
  Problem problem;
  size_t objects = 0;
  size_t reached = 0;
  for (uint32_t group = 0; group < image_->view().groups().size(); ++group) {
    ASSERT_TRUE(for_each_object(
        image_->view(), group, problem, [&](uint64_t offset, const abi::Shape& shape) {
          const size_t bytes = shape.bytes(image_->object(offset), ~size_t{0});
          for (const uint64_t at :
               {offset, offset + 1, offset + bytes - 1, offset - shape.prefix_bytes}) {
            const auto found = paths_->object_at(at);
            EXPECT_TRUE(found && found->offset == offset && found->shape == &shape) << at;
          }
          ++objects;
          reached += !paths_->path_to(offset).empty();
          return true;
        }));
  }
  // Strings that were replaced by the interpreter's own are not referred to any more.
  EXPECT_GE(reached + image_->stats().strings_replaced, objects);
  EXPECT_GT(reached, objects / 2);
}

TEST_F(RootPathsTest, AreNotThereForWhatIsNoObject) {
  load({{"paths.none", "x = 'some text of no interest'\n"}});
  EXPECT_FALSE(paths_->object_at(0));
  EXPECT_FALSE(paths_->object_at(image_->view().header().file_bytes));
  EXPECT_EQ(paths_->path_to(17), "");
}

}  // namespace
}  // namespace tenure::image
