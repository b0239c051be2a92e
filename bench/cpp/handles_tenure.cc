// Tenure's side.

#include "tenure/bench/cpp/handles_sides.h"
#include "tenure/handles/handles.h"
#include "tenure/handles/name.h"

namespace tenure::bench {

namespace {

Result<void> len(const Subjects& subjects, size_t times) {
  PyObject* const list = subjects.list;
  for (size_t i = 0; i < times; ++i) {
    const Borrowed<List> view(fresh(list));
    use(view.size());
  }
  return {};
}

Result<void> attribute(const Subjects& subjects, size_t times) {
  PyObject* const object = subjects.object;
  for (size_t i = 0; i < times; ++i) {
    const Borrowed<> view(fresh(object));
    const Owned<> found = TENURE_TRY(view.getattr("name"_name));
    use(found.get());
  }
  return {};
}

Result<void> append(const Subjects& subjects, size_t times) {
  PyObject* const room = subjects.room;
  const Borrowed<> none(Py_None);
  for (size_t i = 0; i < times; ++i) {
    const Borrowed<List> view(fresh(room));
    TENURE_TRY(view.append(none));
  }
  return {};
}

Result<void> lookup(const Subjects& subjects, size_t times) {
  PyObject* const dict = subjects.dict;
  const Borrowed<Str> key(subjects.key);
  for (size_t i = 0; i < times; ++i) {
    const Borrowed<Dict> view(fresh(dict));
    const Lookup<> found = view.get(key);
    if (!found.ok()) return Failed{};
    if (found) use((*found).get());
  }
  return {};
}

Result<void> temporaries(const Subjects& /*subjects*/, size_t times) {
  for (size_t i = 0; i < times; ++i) {
    const Owned<Int> number = TENURE_TRY(Int::make(kFirstNumber + i));
    const Owned<Str> text = TENURE_TRY(number.str());
    use(text.get());
  }
  return {};
}

template <Result<void> (*kWork)(const Subjects& subjects, size_t times)>
bool work(const Subjects* subjects, size_t times) {
  return static_cast<bool>(kWork(*subjects, times));
}

}  // namespace

Side tenure_side() {
  return {"", work<len>, work<attribute>, work<append>, work<lookup>, work<temporaries>};
}

}  // namespace tenure::bench
