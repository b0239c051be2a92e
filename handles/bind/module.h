// TENURE_MODULE: an extension module from C++ functions and classes.
//
//   double area(double width, double height) { return width * height; }
//
//   TENURE_MODULE(shapes, m, .doc = "Plane shapes.") {
//     m.def<&area>("area", arg("width"), arg("height") = 1.0, doc("Width times height."));
//     m.attr("unit", "cm");
//   }
//
// is `import shapes; shapes.area(2, height=3)`. The body runs for every interpreter that imports
// the module; after an error everything in it does nothing and the import raises. It may throw.
//
// A module says what it bears: `.per_interpreter_gil` where no C++ state of its own is shared
// between interpreters without a lock, `.free_threading` where attached threads may call into it at
// the same time. Without them it shares a GIL, and a free-threaded interpreter turns its GIL on.
//
// State of its own that every copy of the module has once:
//
//   struct Counters { Owned<Dict> seen; };
//   TENURE_MODULE_WITH_STATE(shapes, Counters, m) { m.make_state(Counters{...}); ... }
//
// A function whose first parameter is a Counters& gets it, without the caller passing it.
//
// Thread safety: attached. The records of functions and classes are the process's: the first import
// writes them, under a lock that others wait for.
#ifndef TENURE_HANDLES_BIND_MODULE_H_
#define TENURE_HANDLES_BIND_MODULE_H_

#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "tenure/handles/bind/classes.h"
#include "tenure/handles/bind/function.h"
#include "tenure/handles/bind/module_record.h"
#include "tenure/handles/bind/self.h"

namespace tenure {

struct ModuleOptions {
  const char* doc = nullptr;
  bool per_interpreter_gil = false;
  bool free_threading = false;
};

struct NoState {};

template <typename T>
class ClassBuilder;

namespace bind {

// Of each copy of a module, in front of the author's state.
struct CopyState {
  ModuleRecord* record;
  // A list: the types outlive their names in the module.
  PyObject* types;
  bool is_begun;
  bool has_state;
};

// The part of a module's builder that is the same for all.
class Module {
 public:
  Module(PyObject* module, ModuleRecord& record);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Whether nothing has failed so far. With false a Python error is set.
  [[nodiscard]] bool is_well() const { return is_well_; }
  bool check(bool is_well) { return is_well_ = is_well_ && is_well; }
  // Whether records are to be written.
  [[nodiscard]] bool is_first() const { return !record_.is_whole; }
  [[nodiscard]] Borrowed<> handle() const { return Borrowed<>(module_); }

  void add_function(FunctionRecord& record, const char* name, const Word* words, size_t count);
  // Makes its type. One that is not public is no attribute of the module.
  void add_class(ClassRecord& record, bool is_public);
  // Steals the value, null with an error set included.
  void add_value(const char* name, PyObject* value);
  void add_attribute(const char* name, const Passed& type, PyObject* value);
  // An exception class, a subclass of `base`, entered as the type of `slot`.
  void add_exception(ClassSlot& slot, const char* name, PyObject* base, const char* doc);

 private:
  bool enter(ClassSlot& slot, PyObject* type);

  PyObject* module_;
  ModuleRecord& record_;
  bool is_well_ = true;
};

template <typename State>
struct Copy {
  CopyState head;
  union {
    State state;
  };
};

template <typename State>
struct StateSelf {
  static constexpr bool kIsMethod = false;
  static State& get(PyObject* module) {
    return static_cast<Copy<State>*>(PyModule_GetState(module))->state;
  }
  static bool is_usable(PyObject* module) {
    return static_cast<CopyState*>(PyModule_GetState(module))->has_state;
  }
};

}  // namespace bind

// What the body of a TENURE_MODULE works with.
template <typename State = NoState>
class ModuleBuilder : public bind::Module {
 public:
  using Module::Module;

  // A function. `name` and the words: bind/parameters.h.
  template <auto kFunction, typename Site = decltype([] {}), typename... S>
  ModuleBuilder& def(const char* name, const S&... words) {
    using All = typename bind::Signature<kFunction>::Parameters;
    using First = std::remove_cvref_t<typename bind::FirstOf<All>::Type>;
    constexpr bool kSeesState = std::is_same_v<First, State> && !std::is_same_v<State, NoState>;
    using Self = std::conditional_t<kSeesState, bind::StateSelf<State>, void>;
    using Own = bind::ParametersAfter<Self, All>;
    using Form = bind::Shape<Own, bind::Types<S...>>;
    using Function = bind::Bound<kFunction, Site, Self, Form>;
    const bind::Word list[] = {bind::word_of(words)..., {}};
    if (is_first()) Function::keep_defaults(words...);
    add_function(Function::record, name, list, sizeof...(S));
    return *this;
  }

  // A class: bind/class.h, which has to be included.
  template <typename T>
  ClassBuilder<T> class_(const char* name, Doc documentation = {nullptr}) {
    return ClassBuilder<T>(*this, name, documentation.text);
  }

  // An attribute: a C++ value, or a handle, whose reference is given up or another one made.
  template <typename V>
  ModuleBuilder& attr(const char* name, V&& value) {
    if (is_well()) {
      using To = ToPython<std::decay_t<V>>;
      add_attribute(name, bind::passed_as<To>, To::convert(std::forward<V>(value)));
    }
    return *this;
  }

  // A Python exception class that E becomes where it gets out of a function, with what() as its
  // message; `base` is the class it derives from. Borrows.
  template <typename E>
  ModuleBuilder& exception(const char* name, PyObject* base = PyExc_Exception,
                           Doc documentation = {nullptr}) {
    static const TranslateException<E> translate([](const E& error) -> Failed {
      PyTypeObject* const type = bind::type_of(bind::class_info<E>.slot, typeid(E).name());
      if (type == nullptr) return {};
      PyErr_Format(reinterpret_cast<PyObject*>(type), "%s", error.what());
      return {};
    });
    if (is_first()) bind::class_info<E>.name = name;
    add_exception(bind::class_info<E>.slot, name, base, documentation.text);
    return *this;
  }

  // The state of this copy of the module. Once, before anything calls a function that wants it.
  ModuleBuilder& make_state(State&& state) {
    if (!is_well()) return *this;
    auto* copy = static_cast<bind::Copy<State>*>(PyModule_GetState(handle().get()));
    ::new (&copy->state) State(std::move(state));
    copy->head.has_state = true;
    return *this;
  }
};

namespace bind {

// Runs the body of a module for a new copy. 0, or -1 with a Python error set.
int execute(PyObject* module, ModuleRecord& record, void (*body)(PyObject* module, ModuleRecord&));

// The definition for CPython, of static storage.
struct Definition {
  PyModuleDef def;
  PyModuleDef_Slot slots[4];
};
PyObject* initialise(Definition& definition, const char* name, const ModuleOptions& options,
                     int (*exec)(PyObject*), Py_ssize_t size, traverseproc traverse, inquiry clear,
                     freefunc free);
// The types are nobody's to find any more, and the copy's no longer.
void end_copy_of(CopyState& copy);

// Everything of a module that its state's type and its body decide.
template <typename State, void (*kBody)(ModuleBuilder<State>&)>
struct Definer {
  static inline ModuleRecord record;
  static inline Definition definition;

  static void body(PyObject* module, ModuleRecord& record) {
    ModuleBuilder<State> builder(module, record);
    kBody(builder);
  }
  static int exec(PyObject* module) { return execute(module, record, &body); }

  static Copy<State>* copy(PyObject* module) {
    return static_cast<Copy<State>*>(PyModule_GetState(module));
  }
  static int traverse(PyObject* module, visitproc visit, void* arg) {
    Copy<State>* const here = copy(module);
    if (here == nullptr) return 0;
    Py_VISIT(here->head.types);
    if (!here->head.has_state) return 0;
    return visit_references(here->state,
                            [&](const Object& member) { return visit(member.get(), arg); });
  }
  static int clear(PyObject* module) {
    Copy<State>* const here = copy(module);
    if (here == nullptr) return 0;
    end_copy_of(here->head);
    if (std::exchange(here->head.has_state, false)) here->state.~State();
    return 0;
  }
  static void free(void* module) { clear(static_cast<PyObject*>(module)); }

  static PyObject* init(const char* name, const ModuleOptions& options) {
    return initialise(definition, name, options, &exec, sizeof(Copy<State>), &traverse, &clear,
                      &free);
  }
};

}  // namespace bind
}  // namespace tenure

// See the top of this file. The options are ModuleOptions, written as .doc = "...".
#define TENURE_MODULE(name, m, ...) \
  TENURE_MODULE_WITH_STATE(name, ::tenure::NoState, m __VA_OPT__(, ) __VA_ARGS__)

#define TENURE_MODULE_WITH_STATE(name, State, m, ...)                               \
  [[gnu::cold]] static void tenure_body_of_##name(::tenure::ModuleBuilder<State>&); \
  PyMODINIT_FUNC PyInit_##name() {                                                  \
    return ::tenure::bind::Definer<State, &tenure_body_of_##name>::init(            \
        #name, ::tenure::ModuleOptions{__VA_ARGS__});                               \
  }                                                                                 \
  static void tenure_body_of_##name([[maybe_unused]] ::tenure::ModuleBuilder<State>& m)

#endif  // TENURE_HANDLES_BIND_MODULE_H_
