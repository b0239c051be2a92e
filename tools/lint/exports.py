"""The extension exports its entry point and names of ours, and nothing that could meet another library's.

Nor does it ask for anything of mimalloc's: that library exports malloc() and free() as well, which would become those
of every program that imports us, and CPython has a copy of its own (see pool/mimalloc.h).
"""

import re
import subprocess
import sysconfig

_ALLOWED = re.compile(r"(?:PyInit|tenure)_\w+")
_MIMALLOC = re.compile(r"_?mi_[a-z]\w+")


def _run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def check_library(path):
    result = _run("nm", "--dynamic", "--format=posix", path)
    if result.returncode:
        return [f"{path}: {result.stderr.strip()}"]
    symbols = [line.split()[:2] for line in result.stdout.splitlines()]
    names = [name.split("@")[0] for name, kind in symbols if kind not in "Uvw"]
    problems = [f"{path}: exports {name}: prefix it with tenure_, or keep it inside (tools/bazel/exports.lds)"
                for name in names if not _ALLOWED.fullmatch(name)]
    if not any(name.startswith("PyInit_") for name in names):
        problems.append(f"{path}: exports no PyInit_ function, so it cannot be imported")
    wanted = [name.split("@")[0] for name, kind in symbols if kind in "Uvw"]
    problems += [f"{path}: wants {name} of whatever mimalloc there is: call it through pool/mimalloc.h"
                 for name in wanted if _MIMALLOC.fullmatch(name)]
    needed = re.findall(r"\(NEEDED\).*\[(libmimalloc[^\]]*)\]", _run("readelf", "--dynamic", path).stdout)
    problems += [f"{path}: is linked with {library}, whose malloc() becomes the process's: open it by pool/mimalloc.h"
                 for library in needed]
    return problems


def check(root):
    library = root / "out/python/tenure" / ("_tenure" + sysconfig.get_config_var("EXT_SUFFIX"))
    if not library.exists():
        return [f"{library.relative_to(root)}: not there; does //python/tenure:package build?"]
    return check_library(library)
