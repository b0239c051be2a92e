#include "tenure/immortal/image/sealing.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tenure/core/abi/fill.h"
#include "tenure/core/abi/strings.h"
#include "tenure/immortal/image/graph.h"
#include "tenure/immortal/image/objects.h"
#include "tenure/immortal/image/root_paths.h"
#include "tenure/immortal/image/sealed_write.h"
#include "tenure/immortal/image/verify.h"
#include "tenure/immortal/image/write_watch.h"
#include "tenure/immortal/image/writer.h"
#include "tenure/tests/support/editor.h"
#include "tenure/tests/support/images.h"
#include "tenure/tests/support/python.h"

namespace tenure::image {
namespace {

using testing::code_in;
using testing::describe;
using testing::image_of;
using testing::load_good;

std::vector<testing::Source> new_sources() {
  static int number = 0;
  auto sources = testing::sample_sources();
  sources.push_back({"unique", "number = " + std::to_string(5'000'000 + ++number) +
                                   "\ntext = '\\u20ac is not ASCII'\nraw = b'some more bytes'\n"
                                   "deep = ('some', ('tuples', (1000, 2.5, b'x y z')))\n"});
  return sources;
}

std::unique_ptr<Image> load_new() { return load_good(image_of(new_sources())); }

void seal_well(Image& image) {
  Problem problem;
  ASSERT_TRUE(seal(image, problem)) << describe(problem);
}

// Calls visit(object, shape, offset) for every object of the image.
template <typename Visit>
void for_all(const Image& image, Visit&& visit) {
  Problem problem;
  for (uint32_t group = 0; group < image.view().groups().size(); ++group) {
    ASSERT_TRUE(for_each_object(image.view(), group, problem,
                                [&](uint64_t offset, const abi::Shape& shape) {
                                  visit(image.object(offset), shape, offset);
                                  return true;
                                }));
  }
}

void run_module(Image& image, const char* module) {
  const Strong names = testing::execute(code_in(image, module));
}

bool is_protected(const Image& image, uint64_t offset) {
  for (const ByteRange& pages : sealed_pages(image)) {
    if (offset >= pages.begin && offset < pages.end) return true;
  }
  return false;
}

TEST(Seal, CanBeTakenOffAndPutOnAgain) {
  auto image = load_new();
  EXPECT_FALSE(is_sealed(*image));
  unseal(*image);
  for (int turn = 0; turn < 3; ++turn) {
    seal_well(*image);
    EXPECT_TRUE(is_sealed(*image));
    seal_well(*image);
    EXPECT_TRUE(is_sealed(*image));
    Verified verified;
    Problem problem;
    EXPECT_TRUE(verify(*image, verified, problem)) << describe(problem);
    unseal(*image);
    EXPECT_FALSE(is_sealed(*image));
    unseal(*image);
    for (const ByteRange& pages : sealed_pages(*image)) {
      auto* byte = reinterpret_cast<volatile char*>(image->mapping().base() + pages.begin);
      *byte = *byte;
    }
  }
}

TEST(Seal, FillsInEverythingButCode) {
  auto image = load_new();
  seal_well(*image);
  size_t texts = 0;
  for_all(*image, [&](PyObject* object, const abi::Shape& shape, uint64_t) {
    if (abi::is_written_in_use(shape)) return;
    EXPECT_FALSE(abi::has_unknown_hash(shape, object)) << testing::repr(object);
    EXPECT_EQ(abi::utf8_cache_bytes(shape, object), 0u) << testing::repr(object);
    if (shape.type == &PyUnicode_Type) {
      EXPECT_TRUE(abi::is_interned(object)) << testing::repr(object);
      texts += PyUnicode_IS_ASCII(object) ? 0 : 1;
    }
  });
  EXPECT_GT(texts, 2u);
}

TEST(Seal, ProtectsAllButThePagesOfCode) {
  auto image = load_new();
  seal_well(*image);
  size_t objects = 0;
  for_all(*image, [&](PyObject* object, const abi::Shape& shape, uint64_t offset) {
    ++objects;
    if (!abi::is_written_in_use(shape)) return;
    const size_t bytes = shape.bytes(object, ~size_t{0});
    EXPECT_FALSE(is_protected(*image, offset));
    EXPECT_FALSE(is_protected(*image, offset + bytes - 1));
  });
  EXPECT_GT(objects, 30u);
  for (const Kind kind :
       {Kind::kConstSegment, Kind::kTextSegment, Kind::kStringSegment, Kind::kTupleSegment}) {
    const DirectoryEntry* segment = image->view().entry(kind);
    ASSERT_NE(segment, nullptr);
    EXPECT_TRUE(is_protected(*image, segment->offset)) << kind_name(segment->kind);
    EXPECT_TRUE(is_protected(*image, segment->offset + segment->bytes - 1));
  }
  EXPECT_FALSE(is_protected(*image, 0));
}

// Everything a program could do with constants.
constexpr const char* kUses = R"(
import builtins, copy, gc, json, marshal, operator, pickle, re, struct, weakref
def use(value, depth=0):
    try:
        {value: 1}[value], {value}, frozenset((value,)), hash(value)
    except TypeError:
        pass
    value == value, value != 1, repr(value), str(value), f'{value!r:>10}', '%s' % (value,)
    bool(value), copy.copy(value), copy.deepcopy(value), [value] * 3, (value,) + (value,)
    if 'code' not in repr(value): pickle.loads(pickle.dumps(value))
    marshal.loads(marshal.dumps(value))
    gc.is_tracked(value), gc.get_referents(value), value.__sizeof__(), sys.getsizeof(value)
    for _ in range(3000 if depth == 0 else 3): kept = value; other = [kept, value]
    if isinstance(value, str):
        sys.intern(value)
        class Holder: pass
        holder = Holder()
        setattr(holder, value or 'x', 1), getattr(holder, value or 'x'), vars(holder)
        if not value.startswith('__'): setattr(Holder, value or 'x', 1), type('x', (), {value or 'x': 1})
        value.upper(), value + value, value[1:], value * 2, value.split(), value in value, value.encode('utf-8', 'surrogatepass')
        value.encode('utf-16', 'surrogatepass'), value.find('e'), value.join('ab'), value.isidentifier(), json.dumps(value)
        json.loads(json.dumps({value: value})), re.escape(value), value.translate({97: 98}), sorted([value, value])
        if value.isascii() and '\0' not in value:
            try: open(value)
            except OSError: pass
            hasattr(builtins, value), sys.modules.get(value), int.__name__ == value
    elif isinstance(value, bytes):
        value.decode('latin-1'), value + b'x', value[1:], memoryview(value).tobytes(), value.hex(), bytearray(value)
        struct.unpack('%ds' % len(value), value)
    elif isinstance(value, (int, float, complex)):
        value + 1, value * value, -value, value in (1, 2), value == value
    elif isinstance(value, tuple):
        value[1:], value * 2, value + (1,), list(value), set(map(repr, value)), sorted(map(repr, value)), value < value
        a, *b = value or (1,)
        (lambda *args: args)(*value), json.dumps(list(map(repr, value)))
        for item in value: use(item, depth + 1)
    elif type(value).__name__ == 'code':
        for part in (value.co_consts, value.co_names, value.co_filename, value.co_varnames, value.co_qualname, value.co_linetable):
            use(part, depth + 1)
    gc.collect() if depth == 0 else None
)";

TEST(Seal, LeavesNothingToWrite) {
  auto image = load_new();
  const Strong names = testing::run(kUses);
  const Strong first = Py_NewRef(code_in(*image, "first"));
  const Strong unique = Py_NewRef(code_in(*image, "unique"));
  const Strong part = Py_NewRef(code_in(*image, "second.part"));
  seal_well(*image);
  std::vector<WatchedArea> areas;
  for (const ByteRange& pages : sealed_pages(*image)) {
    areas.push_back({image->mapping().base() + pages.begin, pages.end - pages.begin});
  }
  const char* why = WriteWatch::start(areas);
  ASSERT_EQ(why, nullptr) << why;
  PyObject* use = PyDict_GetItemString(names.get(), "use");
  for (PyObject* code : {first.get(), unique.get(), part.get()}) {
    const Strong done = PyObject_CallOneArg(use, code);
    if (!done) PyErr_Print();
    EXPECT_TRUE(done);
    const Strong names_of_module = testing::execute(code);
  }
  PyGC_Collect();
  const auto result = WriteWatch::stop();
  EXPECT_TRUE(protect_again(*image));
  EXPECT_TRUE(result.writes.empty());
  const RootPaths paths(image->view(), image->mapping().base());
  for (const WriteRecord& write : result.writes) {
    const auto offset = write.address - reinterpret_cast<uint64_t>(image->mapping().base());
    const auto object = paths.object_at(offset);
    ADD_FAILURE() << (object ? paths.path_to(object->offset) : "no object") << ' '
                  << (object ? field_at(*object->shape, image->mapping().base() + object->offset,
                                        static_cast<int64_t>(offset - object->offset))
                                   .name
                             : "");
  }
}

// The code of a module whose constants are `values`, in an image.
std::unique_ptr<Image> load_constants(PyObject* values) {
  const Strong code = testing::compile("pass\n", "/sample/made.py");
  const Strong replace = testing::attribute(code.get(), "replace");
  const Strong keywords = Py_BuildValue("{s:O}", "co_consts", values);
  const Strong none = PyTuple_New(0);
  const Strong changed = PyObject_Call(replace.get(), none.get(), keywords.get());
  Graph graph(nullptr);
  const Strong origin = PyUnicode_FromString("/sample/made.py");
  Problem problem;
  std::vector<std::byte> file;
  if (!changed ||
      !graph.add_module("made", changed.get(), false, origin.get(), nullptr, 0, 0, problem) ||
      !write_image(graph, file, problem)) {
    ADD_FAILURE() << describe(problem);
    return nullptr;
  }
  return load_good(file);
}

TEST(Seal, GoesAsDeepAsTheGraph) {
  Strong deep = testing::evaluate("('the deepest text',)");
  for (int i = 0; i < 50'000; ++i) deep = PyTuple_Pack(2, deep.get(), Py_None);
  const Strong values = PyTuple_Pack(1, deep.get());
  auto image = load_constants(values.get());
  ASSERT_NE(image, nullptr);
  seal_well(*image);
  for_all(*image, [&](PyObject* object, const abi::Shape& shape, uint64_t) {
    if (abi::is_written_in_use(shape)) return;
    EXPECT_FALSE(abi::has_unknown_hash(shape, object));
  });
  // Taken apart from the top, or the interpreter goes as deep as it is.
  while (PyTuple_GET_SIZE(deep.get()) == 2) deep = Py_NewRef(PyTuple_GET_ITEM(deep.get(), 0));
}

TEST(Seal, IsInheritedByAForkedChild) {
  auto image = load_new();
  seal_well(*image);
  auto* byte = reinterpret_cast<volatile char*>(image->mapping().base() +
                                                sealed_pages(*image).front().begin);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);
    if (!is_sealed(*image)) _exit(1);
    unseal(*image);
    *byte = 1;
    Problem problem;
    if (!seal(*image, problem)) _exit(2);
    *byte = 2;
    _exit(3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  EXPECT_TRUE(is_sealed(*image));
}

TEST(Seal, IsNotPutOnADamagedImage) {
  const auto sources = new_sources();
  testing::Editor editor(image_of(sources));
  editor.part<std::byte>(editor.group_of("unique"), Kind::kBodySegment)[20] ^= std::byte{1};
  auto image = load_good(editor.file());
  Problem problem;
  EXPECT_FALSE(seal(*image, problem));
  EXPECT_NE(describe(problem).find("module 'unique' is damaged"), std::string::npos);
  EXPECT_FALSE(is_sealed(*image));
  run_module(*image, "first");
}

TEST(Seal, IsTakenOffBeforeTheInterpreterEnds) {
  EXPECT_EXIT(
      {
        auto first = load_new();
        auto second = load_new();
        seal_well(*first);
        seal_well(*second);
        run_module(*first, "first");
        if (Py_FinalizeEx() != 0) _exit(1);
        if (is_sealed(*first) || is_sealed(*second)) _exit(2);
        testing::start_python();
        auto third = load_new();
        seal_well(*third);
        run_module(*third, "unique");
        _exit(Py_FinalizeEx() == 0 && !is_sealed(*third) ? 0 : 3);
      },
      ::testing::ExitedWithCode(0), "");
}

// What the process says before it ends. The death tests of a program run in processes of their own.
TEST(SealedWrite, IsExplained) {
  const auto die = [](const char* module, auto choose) {
    auto image = load_new();
    seal_well(*image);
    signal(SIGSEGV, SIG_DFL);  // sanitizers have another idea of it
    if (!explain_sealed_writes()) _exit(1);
    PyObject* code = code_in(*image, module);
    const Strong constants = testing::attribute(code, "co_consts");
    *choose(constants.get()) = 1;
  };
  EXPECT_EXIT(die("unique",
                  [](PyObject* constants) { return reinterpret_cast<volatile char*>(constants); }),
              ::testing::KilledBySignal(SIGSEGV),
              "tenure: .*/sample.tenure is sealed, but something wrote to module 'unique': "
              "code\\.co_consts \\(tuple, offset 0x[0-9a-f]+\\), field ob_refcnt; the instruction "
              "is at 0x[0-9a-f]+ of /.*sealing_test \\(tenure.write_report\\(\\) tells more\\)");
  EXPECT_EXIT(die("unique",
                  [](PyObject* constants) {
                    PyObject* tuple = nullptr;
                    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); ++i) {
                      if (PyTuple_Check(PyTuple_GET_ITEM(constants, i))) {
                        tuple = PyTuple_GET_ITEM(constants, i);
                      }
                    }
                    PyObject* text = PyTuple_GET_ITEM(PyTuple_GET_ITEM(tuple, 1), 1);
                    return reinterpret_cast<volatile char*>(&PyTuple_GET_ITEM(text, 2));
                  }),
              ::testing::KilledBySignal(SIGSEGV),
              "module 'unique': code\\.co_consts\\[[0-9]+\\]\\[1\\]\\[1\\] \\(tuple, .*\\), field "
              "item 2;");
}

TEST(SealedWrite, OfOtherPagesIsNotExplained) {
  EXPECT_EXIT(
      {
        auto image = load_new();
        seal_well(*image);
        signal(SIGSEGV, SIG_DFL);
        if (!explain_sealed_writes()) _exit(1);
        unseal(*image);
        volatile uintptr_t nowhere = 8;
        *reinterpret_cast<volatile char*>(nowhere) = 1;
      },
      ::testing::KilledBySignal(SIGSEGV), "^[^a-z]*$");
}

}  // namespace
}  // namespace tenure::image
