// Images for tests: from source text to a loaded image.
#ifndef TENURE_TESTS_SUPPORT_IMAGES_H_
#define TENURE_TESTS_SUPPORT_IMAGES_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenure/core/strong.h"
#include "tenure/immortal/image/data_graph.h"
#include "tenure/immortal/image/graph.h"
#include "tenure/immortal/image/image.h"

namespace tenure::testing {

// A module to freeze. Its origin is "/sample/NAME.py", its cached "/sample/NAME.pyc".
struct Source {
  std::string name;
  std::string text;
  bool is_package = false;
};

// Adds modules to a graph; ends the program if one is refused.
void add_sources(image::Graph& graph, const std::vector<Source>& sources);

// The bytes of an image of these modules. Ends the program if it cannot be made.
std::vector<std::byte> image_of(const std::vector<Source>& sources);

// Two modules with something of everything an image can hold, "first" and "second.part", that share
// constants. Every call answers the same sources.
const std::vector<Source>& sample_sources();

// The bytes of an image of data, its roots the items of a dict from str. Ends the program if it
// cannot be made.
std::vector<std::byte> data_image_of(PyObject* roots, image::DataGraph::Options options = {});

// An expression for roots with something of everything an image of data can hold, and cycles. Every
// call answers the same.
const char* sample_data();

// How the lists, dicts and sets of the roots of an image are to be kept: all of them.
image::DataGraph::Options keep_all();

// A folder that is gone at the end of its scope.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  // The names in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::string path_;
};

void write_bytes(const std::string& path, std::span<const std::byte> bytes);
std::vector<std::byte> read_bytes(const std::string& path);

// Image::load() of bytes, by way of a temporary file.
std::unique_ptr<image::Image> load_bytes(std::span<const std::byte> bytes, image::Problem& problem,
                                         image::Check check = image::Check::kLazy);

// As load_bytes(); ends the program if the image is refused.
std::unique_ptr<image::Image> load_good(std::span<const std::byte> bytes);

// The code object of a module, its group prepared; ends the program if that fails. Borrowed.
PyObject* code_in(image::Image& image, const std::string& module);

// Runs code in a new namespace, and answers that: a dict. Ends the program on an error.
Strong execute(PyObject* code);

// "WHERE WHAT", for comparing; "Python error" if one says it better.
std::string describe(const image::Problem& problem);

}  // namespace tenure::testing

#endif  // TENURE_TESTS_SUPPORT_IMAGES_H_
