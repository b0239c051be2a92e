"""C++ is formatted as .clang-format says."""

import re
import subprocess

import sources

_WARNING = re.compile(r"^(.+?):(\d+):\d+: (?:error|warning):")


def check(root):
    paths = sources.files(root, sources.CPP_SUFFIXES)
    if not paths:
        return []
    result = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", *map(str, paths)], cwd=root, stderr=subprocess.PIPE, text=True)
    first = {}
    for line in result.stderr.splitlines():
        if match := _WARNING.match(line):
            first.setdefault(match[1], match[2])
    problems = [f"{path}:{line}: run clang-format -i on this file" for path, line in first.items()]
    if result.returncode and not problems:
        problems = result.stderr.splitlines()
    return problems
