"""Rules for what the selected interpreter imports and runs."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("//tools/python:versions.bzl", "FREE_THREADED_VERSIONS", "extension_suffix", "interpreter_path")

PythonPackageInfo = provider(
    "A folder to put on sys.path.",
    fields = {"folder": "its path among the runfiles, under the workspace's root"},
)

_VERSION = {"_version": attr.label(default = "//tools/python:version")}
_SANITIZER = {"_sanitizer": attr.label(default = "//tools/bazel:sanitizer")}

# Attributes of a rule that runs the selected interpreter: see python_command().
RUNS_PYTHON = _VERSION | _SANITIZER

def _version(ctx):
    return ctx.attr._version[BuildSettingInfo].value

def _extension_impl(ctx):
    module = ctx.actions.declare_file(ctx.label.name + extension_suffix(_version(ctx)))
    ctx.actions.symlink(output = module, target_file = ctx.file.library)
    return [DefaultInfo(files = depset([module]), runfiles = ctx.runfiles(files = [module]))]

python_extension = rule(
    implementation = _extension_impl,
    attrs = {"library": attr.label(allow_single_file = True, mandatory = True)} | _VERSION,
)

def _package_impl(ctx):
    files = []
    places = [(file, file.short_path.removeprefix(ctx.label.package + "/")) for file in ctx.files.srcs]
    # Extensions may be built in a folder of their own; in the package they stand at its top.
    places += [(file, file.basename) for file in ctx.files.extensions]
    for file, relative in places:
        link = ctx.actions.declare_file("/".join([ctx.label.name, ctx.attr.package, relative]))
        ctx.actions.symlink(output = link, target_file = file)
        files.append(link)
    return [
        DefaultInfo(files = depset(files), runfiles = ctx.runfiles(files = files)),
        PythonPackageInfo(folder = ctx.label.package + "/" + ctx.label.name),
    ]

python_package = rule(
    implementation = _package_impl,
    attrs = {
        "extensions": attr.label_list(),
        "package": attr.string(mandatory = True),
        "srcs": attr.label_list(allow_files = True, mandatory = True),
    },
)

# A sanitizer's runtime has to be first in the process, which for an uninstrumented interpreter means preloading it;
# and libstdc++ with it, or the runtime finds no exception functions to wrap.
_PRELOAD = {
    "asan": "libasan.so",
    "tsan": "libtsan.so",
}

_LAUNCHER = """#!/bin/bash
set -euo pipefail
root=$TEST_SRCDIR/$TEST_WORKSPACE
cd "$root"
export PYTHONPATH={python_path} PYTHONNOUSERSITE=1 TENURE_TEST_PYTHON={interpreter}
{preload}exec {interpreter} -B "$root/tools/python/run_tests.py" "$root/{main}" "$@"
"""

_PRELOAD_LINES = """\
export LD_PRELOAD=$(g++ -print-file-name={runtime}):$(g++ -print-file-name=libstdc++.so)
"""

# Python's tests start programs in other folders, and some that are to die of SIGSEGV.
_TSAN_LINE = """\
export TSAN_OPTIONS="$TSAN_OPTIONS:handle_segv=0:suppressions=$root/{suppressions}"
"""

# pymalloc would hide from the sanitizer what happens inside its arenas. Free-threaded builds have but mimalloc.
_MALLOC_LINE = """\
export PYTHONMALLOC=malloc
"""

def python_command(ctx):
    """The selected interpreter's path, and lines of shell that make it fit to load our extensions."""
    sanitizer = ctx.attr._sanitizer[BuildSettingInfo].value
    preload = _PRELOAD_LINES.format(runtime = _PRELOAD[sanitizer]) if sanitizer in _PRELOAD else ""
    if preload and _version(ctx) not in FREE_THREADED_VERSIONS:
        preload += _MALLOC_LINE
    return interpreter_path(_version(ctx)), preload

def _unittest_impl(ctx):
    interpreter, preload = python_command(ctx)
    if ctx.attr._sanitizer[BuildSettingInfo].value == "tsan":
        preload += _TSAN_LINE.format(suppressions = ctx.file._suppressions.short_path)
    folders = [package[PythonPackageInfo].folder for package in ctx.attr.packages]
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        script,
        _LAUNCHER.format(
            interpreter = interpreter,
            main = ctx.file.main.short_path,
            preload = preload,
            python_path = ":".join(["\"$root/{}\"".format(folder) for folder in folders]),
        ),
        is_executable = True,
    )
    runfiles = ctx.runfiles(files = [ctx.file.main, ctx.file._runner, ctx.file._suppressions] + ctx.files.srcs + ctx.files.data)
    runfiles = runfiles.merge_all([
        target[DefaultInfo].default_runfiles
        for target in ctx.attr.packages + ctx.attr.data
    ])
    return [
        DefaultInfo(executable = script, runfiles = runfiles),
        testing.TestEnvironment(ctx.attr.env),
    ]

python_unit_test = rule(
    implementation = _unittest_impl,
    attrs = {
        "data": attr.label_list(allow_files = True),
        "env": attr.string_dict(),
        "main": attr.label(allow_single_file = [".py"], mandatory = True),
        "packages": attr.label_list(providers = [PythonPackageInfo]),
        "srcs": attr.label_list(allow_files = [".py"]),
        "_runner": attr.label(default = "//tools/python:run_tests.py", allow_single_file = True),
        "_suppressions": attr.label(default = "//tools/bazel:tsan.supp", allow_single_file = True),
    } | RUNS_PYTHON,
    test = True,
)
