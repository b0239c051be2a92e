"""The supported CPythons: a new one is added here, in .bazelrc and in .ci/run."""

_RELEASES = ["3.13", "3.14", "3.15"]

# Not Debian's: dev makes them when they are asked for (see tools/free_threaded.sh), so their files may be absent.
FREE_THREADED_VERSIONS = ["3.13t"]

PYTHON_VERSIONS = _RELEASES + [release + "d" for release in _RELEASES] + FREE_THREADED_VERSIONS

def _prefix(version):
    return "/usr/local/python" + version if version in FREE_THREADED_VERSIONS else "/usr"

def interpreter_path(version):
    """The interpreter for a value of //tools/python:version."""
    if version.endswith("d"):
        return "/usr/bin/python" + version[:-1] + "-dbg"
    return _prefix(version) + "/bin/python" + version

def headers_path(version):
    """The folder of its Python.h."""
    return _prefix(version) + "/include/python" + version

def embed_linkopts(version):
    """What links its library."""
    if version not in FREE_THREADED_VERSIONS:
        return ["-lpython" + version]
    folder = _prefix(version) + "/lib"
    return ["-L" + folder, "-Wl,-rpath," + folder, "-lpython" + version]

def extension_suffix(version):
    """That interpreter's EXT_SUFFIX; were it wrong, no test could import an extension."""
    return ".cpython-{}-x86_64-linux-gnu.so".format(version.replace(".", ""))
