"""The rules Tenure's own code is built and tested with."""

load("@bazel_skylib//rules:write_file.bzl", "write_file")
load("//tools/bazel/private:compile_fail.bzl", "compile_fail_test")
load("//tools/bazel/private:python.bzl", "python_extension", "python_package", "python_unit_test")
load("//tools/python:versions.bzl", "FREE_THREADED_VERSIONS")

def when_free_threaded(yes, no):
    """`yes` for free-threaded interpreters, else `no`."""
    return select({
        "//tools/python:is_" + version: yes
        for version in FREE_THREADED_VERSIONS
    } | {"//conditions:default": no})

# For target_compatible_with: not for free-threaded interpreters. What depends on such a target is then not for them
# either, and `bazel test //...` leaves it out.
NEEDS_GIL = when_free_threaded(["@platforms//:incompatible"], [])

# The interpreter's own headers, which core/abi includes, are not quite C++ when they are free-threaded. Our own code
# is let off nothing: -Werror turns what is permitted into errors again.
_OWN_HEADERS_COPTS = when_free_threaded(["-fpermissive"], [])

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wvla",
    # CPython's method tables are made of casts, its static structs of first fields only, and its slots of
    # functions that seldom need every argument.
    "-Wno-cast-function-type",
    "-Wno-missing-field-initializers",
    "-Wno-unused-parameter",
    "-Werror",
]

# Who may build on what is below immortal/: not handles or pool, its siblings.
IMMORTAL_USERS = [
    "//:__pkg__",
    "//bench:__subpackages__",
    "//examples:__subpackages__",
    "//immortal:__subpackages__",
    "//python:__subpackages__",
    "//tests:__subpackages__",
]

# What a C compiler would warn of not knowing.
_CXXOPTS = [
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
]

# What has to compile for free-threaded interpreters too.
_FREE_THREADED_PACKAGES = [
    "core",
    "handles",
    "handles/bind",
    "immortal",
    "pool",
]

def _copts(exceptions, copts):
    return _COPTS + _CXXOPTS + ([] if exceptions else ["-fno-exceptions"]) + copts

def _compile_free_threaded(name, srcs, hdrs, copts, deps):
    """Compiles a unit and each of its headers once more, free-threaded: Debian has no such build of any version."""
    write_file(
        name = name + ".headers",
        out = name + ".headers.cc",
        content = ["#include \"tenure/{}/{}\"".format(native.package_name(), header) for header in hdrs],
    )
    native.cc_library(
        name = name + ".free_threaded",
        testonly = True,
        srcs = srcs + [name + ".headers.cc"],
        copts = copts + ["-DPy_GIL_DISABLED=1"],
        linkstatic = True,
        deps = deps + [":" + name],
    )

def tenure_cc_library(name, srcs = [], hdrs = [], deps = [], exceptions = False, copts = [], visibility = None, **kwargs):
    """One unit. Headers of core/abi are included as "tenure/core/abi/x.h".

    Private unless `visibility` says otherwise; without exceptions unless `exceptions` is set.
    """
    if native.package_name() in _FREE_THREADED_PACKAGES:
        _compile_free_threaded(name, srcs, hdrs, _copts(exceptions, copts), deps)
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _copts(exceptions, copts) + (_OWN_HEADERS_COPTS if native.package_name() == "core/abi" else []),
        include_prefix = "tenure/" + native.package_name(),
        visibility = visibility or ["//visibility:private"],
        deps = deps,
        **kwargs
    )

def tenure_cc_test(name, srcs, deps = [], python = True, main = None, exceptions = True, copts = [], env = {}, data = [], size = "small", **kwargs):
    """A GoogleTest program.

    Args:
      python: link libpython of the selected version, to start an interpreter in the program.
      main: a library with main(); GoogleTest's own when not given.
    """
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs,
        copts = _copts(exceptions, copts),
        env = _SANITIZER_ENV | env,
        data = data + ["//tools/bazel:tsan.supp"],
        deps = deps + ["//tools/third_party:gtest", main or "//tools/third_party:gtest_main"] +
               (["//tools/python:embed"] if python else []),
        **kwargs
    )

# An interpreter keeps memory until its process ends, so leaks are not for these to judge.
_ASAN = "detect_leaks=0:abort_on_error=1"
_ASAN_AND_UBSAN = {
    "ASAN_OPTIONS": _ASAN,
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

# Children of a fork may start threads, which ThreadSanitizer does not stand unless it is told to. What it does not report
# it does not count on stderr either, where tests look. The path is from where Bazel starts a test.
_TSAN = "halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:print_suppressions=0:suppressions=tools/bazel/tsan.supp"

# For `env` of a test that asks for sizes that no memory holds.
ASKS_FOR_TOO_MUCH = {
    "ASAN_OPTIONS": _ASAN + ":allocator_may_return_null=1",
    "TSAN_OPTIONS": _TSAN + ":allocator_may_return_null=1",
}

# What orders threads inside a free-threaded interpreter is hidden from TSan, which does not see its atomics.
_SANITIZER_ENV = when_free_threaded(
    _ASAN_AND_UBSAN | {"TSAN_OPTIONS": _TSAN + ":ignore_noninstrumented_modules=1"},
    _ASAN_AND_UBSAN | {"TSAN_OPTIONS": _TSAN},
)

def tenure_cc_benchmark(name, srcs, deps = [], python = True, main = None, exceptions = True, copts = [], **kwargs):
    """A Google Benchmark program; `main` as for tenure_cc_test."""
    native.cc_binary(
        name = name,
        srcs = srcs,
        copts = _copts(exceptions, copts),
        deps = deps + ["//tools/third_party:benchmark", main or "//tools/third_party:benchmark_main"] +
               (["//tools/python:embed"] if python else []),
        **kwargs
    )

def tenure_py_extension(name, srcs = [], deps = [], exceptions = True, copts = [], linkopts = [], visibility = None, **kwargs):
    """An extension module, `name` plus the selected interpreter's EXT_SUFFIX; exports only PyInit_* and tenure_*.

    Sources may be C++ or, named .c, C.
    """
    native.cc_binary(
        name = name + ".so",
        srcs = srcs,
        additional_linker_inputs = ["//tools/bazel:exports.lds"],
        conlyopts = ["-std=c11"],
        copts = _COPTS + copts,
        cxxopts = _CXXOPTS + ([] if exceptions else ["-fno-exceptions"]),
        linkopts = [
            "-Wl,--version-script=$(location //tools/bazel:exports.lds)",
            # Modules may be loaded with their symbols in sight of each other; each uses its own.
            "-Wl,-Bsymbolic",
            "-Wl,--gc-sections",
            "-Wl,-z,now,-z,relro",
        ] + linkopts,
        linkshared = True,
        visibility = ["//visibility:private"],
        deps = deps + ["//tools/python:headers"],
        **kwargs
    )
    python_extension(
        name = name,
        library = name + ".so",
        visibility = visibility,
    )

def tenure_py_package(name, srcs, extensions = [], package = "tenure", visibility = None, **kwargs):
    """A folder <name>/<package>/ with the sources and the extensions: put <name> on sys.path."""
    python_package(
        name = name,
        srcs = srcs,
        extensions = extensions,
        package = package,
        visibility = visibility,
        **kwargs
    )

def tenure_py_test(name, main, srcs = [], data = [], packages = ["//python/tenure:package"], env = {}, size = "small", **kwargs):
    """A file of unittest cases, run by the selected interpreter with `packages` on its path.

    Args:
      main: the file with the cases.
      srcs: modules it imports from its own folder.
      data: other files it reads, found from the folder it is started in, the runfiles root.
      packages: tenure_py_package targets.
    """
    python_unit_test(
        name = name,
        main = main,
        srcs = srcs,
        data = data,
        env = _SANITIZER_ENV | env,
        packages = packages,
        size = size,
        **kwargs
    )

def tenure_compile_fail_test(name, src, expect, deps = [], exceptions = False, copts = [], size = "small", **kwargs):
    """Passes when the compiler refuses `src` with a message that the extended regular expression `expect` matches."""
    compile_fail_test(
        name = name,
        size = size,
        src = src,
        copts = _copts(exceptions, copts),
        expect = expect,
        deps = deps + ["//tools/python:headers"],
        **kwargs
    )
