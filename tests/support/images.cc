#include "tenure/tests/support/images.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tenure/immortal/graph/frozen_dict.h"
#include "tenure/immortal/image/assembly.h"
#include "tenure/immortal/image/data_writer.h"
#include "tenure/immortal/image/writer.h"
#include "tenure/tests/support/python.h"

namespace tenure::testing {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  if (PyErr_Occurred()) PyErr_Print();
  Py_FatalError(("test: " + what).c_str());
}

}  // namespace

void add_sources(image::Graph& graph, const std::vector<Source>& sources) {
  for (const Source& source : sources) {
    const Strong code = compile(source.text, "/sample/" + source.name + ".py");
    const Strong origin = PyUnicode_FromFormat("/sample/%s.py", source.name.c_str());
    const Strong cached = PyUnicode_FromFormat("/sample/%s.pyc", source.name.c_str());
    image::Problem problem;
    if (!graph.add_module(source.name, code.get(), source.is_package, origin.get(), cached.get(),
                          source.text.size(), 0, problem)) {
      give_up(describe(problem));
    }
  }
}

std::vector<std::byte> image_of(const std::vector<Source>& sources) {
  image::Graph graph(nullptr);
  add_sources(graph, sources);
  std::vector<std::byte> file;
  image::Problem problem;
  if (!image::write_image(graph, file, problem)) give_up(describe(problem));
  return file;
}

const std::vector<Source>& sample_sources() {
  static const std::vector<Source> sources = {{"first",
                                               R"(
"""Something of everything an image can hold."""
numbers = (0, 1, 255, 257, -6, 10 ** 30, -(10 ** 25), 0.5, -0.0, 0.0, 2.5j, True, None, ...)
texts = ('', 'a', 'identifier', 'not an identifier', '\xe9t\xe9', '\u20ac uro', '\U0001f40d')
raw = (b'', b'x', b'some bytes', b'\0' * 100)
nested = ((), ((1000, (2000, (3000,))), 'shared text of both'))

def member(item, extra=1234567):
    return item in {'red', 'green', 'blue', 77777}

def slices(items):
    return items[10:2000:3]

class Sample:
    """A class body runs once."""
    limit = 987654321
    def method(self, *args, key='value', **rest):
        try:
            return [each * self.limit for each in args]
        except TypeError as error:
            raise ValueError(f'{error!r} is wrong') from error

def closure(seed):
    def inner(step):
        nonlocal seed
        seed += step
        return seed
    return inner

async def waits(source):
    async for item in source:
        yield item
)",
                                               true},
                                              {"second.part", R"(
def shared(value, word='shared text of both'):
    return (value, word, 10 ** 30, 123456.789, b'some bytes')

def total(count):
    result = 0
    for step in range(count):
        result += step
    return result
)"}};
  return sources;
}

std::vector<std::byte> data_image_of(PyObject* roots, image::DataGraph::Options options) {
  if (!graph::ready_frozen_dict()) give_up("no FrozenDict");
  image::DataGraph data(std::move(options));
  image::Assembly assembly(1);
  image::Problem problem;
  PyObject* name = nullptr;
  PyObject* object = nullptr;
  for (Py_ssize_t at = 0; PyDict_Next(roots, &at, &name, &object);) {
    if (!data.add_root(PyUnicode_AsUTF8(name), object, problem)) give_up(describe(problem));
  }
  if (!image::write_data(data, assembly, problem)) give_up(describe(problem));
  assembly.finish({});
  std::vector<std::byte> file;
  for (const auto& piece : assembly.pieces()) file.insert(file.end(), piece.begin(), piece.end());
  return file;
}

const char* sample_data() {
  return R"((lambda date, cycle: (cycle.append(cycle), cycle.append({'self': cycle}), {
    'numbers': [0, 1, 255, 257, -6, 10 ** 30, -(10 ** 25), 0.5, -0.0, 0.0, 2.5j, True, None, ...,
                float('inf'), float('nan'), complex(float('nan'), -0.0)],
    'texts': ['', 'a', 'identifier', 'not an identifier', '\xe9t\xe9', '\u20ac uro', '\U0001f40d',
              'lone \ud800', 'nul \0', 'x' * 5000],
    'raw': [b'', b'x', b'some bytes', b'\0' * 100],
    'nested': ((), [[], [[], {}]], ({'a': 1, 'b': [1, 2, {'c': ('deep', 'er')}]},)),
    'big': {f'key {i}': i * 1.5 for i in range(300)},
    'keys': {1: 'int', 2.5: 'float', b'k': 'bytes', ('t', 1): 'tuple', None: 'none', 1j: 'complex',
             frozenset({1}): 'set', date.date(2020, 2, 29): 'date', range(4): 'range'},
    'sets': [{1, 'two', (3, 4)}, frozenset({frozenset({5}), 'six'}), set()],
    'other': [range(10, 10 ** 20, 7), slice(1, None, 'step'), date.date(2024, 2, 29),
              date.datetime(2024, 2, 29, 12, 30, 59, 999999, tzinfo=date.timezone.utc, fold=1),
              date.time(1, 2, 3, 4, tzinfo=date.timezone(date.timedelta(hours=5), 'name')),
              date.timedelta(-5, 3, 1), date.timezone(date.timedelta(minutes=-90))],
    'cycle': cycle,
  })[-1])(__import__('datetime'), []))";
}

image::DataGraph::Options keep_all() {
  image::DataGraph::Options options;
  options.keep_lists = options.keep_dicts = options.keep_sets = true;
  return options;
}

TemporaryFolder::TemporaryFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "tenure-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) give_up("no temporary folder");
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryFolder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) give_up("cannot write " + path);
}

std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<std::byte> bytes(in ? static_cast<size_t>(in.tellg()) : 0);
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) give_up("cannot read " + path);
  return bytes;
}

std::unique_ptr<image::Image> load_bytes(std::span<const std::byte> bytes, image::Problem& problem,
                                         image::Check check) {
  const TemporaryFolder folder;
  write_bytes(folder / "sample.tenure", bytes);
  return image::Image::load(folder / "sample.tenure", check, problem);
}

std::unique_ptr<image::Image> load_good(std::span<const std::byte> bytes) {
  image::Problem problem;
  auto image = load_bytes(bytes, problem);
  if (image == nullptr) give_up(describe(problem));
  return image;
}

PyObject* code_in(image::Image& image, const std::string& module) {
  const image::ModuleEntry* entry = image.view().find_module(module);
  if (entry == nullptr) give_up("no module " + module);
  image::Problem problem;
  if (!image.prepare(entry->group, problem)) give_up(describe(problem));
  return image.object(entry->code);
}

Strong execute(PyObject* code) {
  Strong globals = PyDict_New();
  if (!globals || PyDict_SetItemString(globals.get(), "__builtins__", PyEval_GetBuiltins()) < 0) {
    give_up("no namespace");
  }
  const Strong name = PyUnicode_FromString("sample");
  PyDict_SetItemString(globals.get(), "__name__", name.get());
  const Strong result = PyEval_EvalCode(code, globals.get(), globals.get());
  if (!result) give_up("frozen code failed");
  return globals;
}

std::string describe(const image::Problem& problem) {
  return problem.python_error ? "Python error" : problem.where + " " + problem.what;
}

}  // namespace tenure::testing
