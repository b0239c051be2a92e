// Why an image was refused: becomes tenure.ImageError where Python hears of it.
#ifndef TENURE_IMMORTAL_IMAGE_PROBLEM_H_
#define TENURE_IMMORTAL_IMAGE_PROBLEM_H_

#include <string>

namespace tenure::image {

struct Problem {
  std::string where;          // the part of the file: "header", "module 'json.decoder'"
  std::string what;           // one sentence: the cause, and the way out where there is one
  bool python_error = false;  // a Python exception is set and says it better (MemoryError)

  // Fills in the reason and answers false, for `return problem.refuse(…)`.
  bool refuse(std::string at, std::string why) {
    where = std::move(at);
    what = std::move(why);
    return false;
  }

  bool refuse_with_python_error(std::string at) {
    where = std::move(at);
    what.clear();
    python_error = true;
    return false;
  }
};

}  // namespace tenure::image

#endif  // TENURE_IMMORTAL_IMAGE_PROBLEM_H_
