"""Repositories over what the distribution has installed."""

load("//tools/python:versions.bzl", "PYTHON_VERSIONS", "headers_path")

_RULES = "/usr/share/bazel/rules/"
_TOOLS = "/usr/share/bazel/tools/"

_PACKAGED = {
    "bazel_features": _TOOLS + "features",
    "bazel_skylib": _TOOLS + "skylib",
    "platforms": _TOOLS + "platforms",
    "rules_cc": _RULES + "cc",
    "rules_java": _RULES + "java",
    "rules_license": _RULES + "license",
    "rules_proto": _RULES + "proto",
    "rules_python": _RULES + "python",
}

def _python_headers_impl(ctx):
    # An interpreter that has not been made yet is one without headers: the link may lead nowhere.
    ctx.symlink(ctx.attr.path, "include")
    ctx.symlink(ctx.attr.build_file, "BUILD.bazel")

_python_headers = repository_rule(
    implementation = _python_headers_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "path": attr.string(mandatory = True),
    },
    local = True,
)

def system_repositories():
    for name, path in _PACKAGED.items():
        native.local_repository(name = name, path = path)
    native.new_local_repository(
        name = "nanobind",
        build_file = "//tools/third_party:nanobind.BUILD",
        path = "/usr/share/nanobind",
    )
    native.new_local_repository(
        name = "iso_codes",
        build_file = "//tools/third_party:iso_codes.BUILD",
        path = "/usr/share/iso-codes",
    )
    for version in PYTHON_VERSIONS:
        _python_headers(
            name = "system_python" + version,
            build_file = "//tools/bazel:python.BUILD",
            path = headers_path(version),
        )
