"""The supported CPythons: a new one is added here, in .bazelrc and in .ci/run."""

_RELEASES = ["3.13", "3.14", "3.15"]

PYTHON_VERSIONS = _RELEASES + [release + "d" for release in _RELEASES]

def interpreter_path(version):
    """The interpreter Debian installs for a value of //tools/python:version."""
    if version.endswith("d"):
        return "/usr/bin/python" + version[:-1] + "-dbg"
    return "/usr/bin/python" + version

def extension_suffix(version):
    """That interpreter's EXT_SUFFIX; were it wrong, no test could import an extension."""
    return ".cpython-{}-x86_64-linux-gnu.so".format(version.replace(".", ""))
