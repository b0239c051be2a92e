"""Repositories over what the distribution has installed."""

load("//tools/python:versions.bzl", "PYTHON_VERSIONS")

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

def system_repositories():
    for name, path in _PACKAGED.items():
        native.local_repository(name = name, path = path)
    for version in PYTHON_VERSIONS:
        native.new_local_repository(
            name = "system_python" + version,
            build_file = "//tools/bazel:python.BUILD",
            path = "/usr/include/python" + version,
        )
