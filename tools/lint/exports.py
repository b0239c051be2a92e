"""The extension exports its entry point and names of ours, and nothing that could meet another library's."""

import re
import subprocess
import sysconfig

_ALLOWED = re.compile(r"(?:PyInit|tenure)_\w+")


def check_library(path):
    result = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", str(path)], capture_output=True, text=True)
    if result.returncode:
        return [f"{path}: {result.stderr.strip()}"]
    names = [line.split()[0].split("@")[0] for line in result.stdout.splitlines()]
    problems = [f"{path}: exports {name}: prefix it with tenure_, or keep it inside (tools/bazel/exports.lds)"
                for name in names if not _ALLOWED.fullmatch(name)]
    if not any(name.startswith("PyInit_") for name in names):
        problems.append(f"{path}: exports no PyInit_ function, so it cannot be imported")
    return problems


def check(root):
    library = root / "out/python/tenure" / ("_tenure" + sysconfig.get_config_var("EXT_SUFFIX"))
    if not library.exists():
        return [f"{library.relative_to(root)}: not there; does //python/tenure:package build?"]
    return check_library(library)
