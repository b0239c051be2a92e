"""clang-tidy, as .clang-tidy says, on every C++ source; what was clean and has not changed is not looked at again."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tempfile

import sources

_OURS = re.compile(r'^\s*#\s*include\s*"tenure/([^"]+)"', re.MULTILINE)


class _Fingerprints:
    """A hash of a source and all of our headers that it can see."""

    def __init__(self, root, salt):
        self._root = root
        self._salt = salt
        self._included = {}

    def _headers(self, path):
        if path not in self._included:
            text = (self._root / path).read_text() if (self._root / path).exists() else ""
            self._included[path] = _OURS.findall(text)
        return self._included[path]

    def is_complete(self, path):
        """Whether the headers of ours that a source names are all in the tree."""
        return all((self._root / header).exists() for header in self._headers(path))

    def of(self, path):
        seen, waiting = set(), [path]
        while waiting:
            if (current := waiting.pop()) not in seen:
                seen.add(current)
                waiting += self._headers(current)
        digest = hashlib.sha256(self._salt)
        for name in sorted(seen):
            if (self._root / name).exists():
                digest.update(name.encode() + b"\0" + (self._root / name).read_bytes())
        return digest.hexdigest()


def _tidy(root, include, path):
    result = subprocess.run(
        # Literals of thousands of characters are looked at by the compiler, one by one.
        ["clang-tidy", "--quiet", path, "--", "-x", "c++", "-std=c++20", "-fconstexpr-steps=100000000", "-I", include,
         "-isystem", "/usr/include/python3.14", "-isystem", "/usr/share/nanobind/include"],
        cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode == 0:
        return []
    # A header's name leads through the include folder made for this run.
    output = (result.stdout or result.stderr).replace(include + "/tenure/", "").replace(f"{root}/", "")
    return output.splitlines()


def check(root, memory=None):
    memory = memory or root / "out/lint-tidy.json"
    try:
        clean = json.loads(memory.read_text())
    except (OSError, ValueError):
        clean = {}
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    settings = [root / folder / ".clang-tidy" for folder in (".", "tests")]
    salt = version + b"".join(path.read_bytes() for path in settings if path.exists())
    prints = _Fingerprints(root, salt)
    # What must not compile is not for a tool that has to compile it, nor what needs headers that the build makes.
    wanted = {path: prints.of(path) for path in map(str, sources.files(root, (".cc",)))
              if not path.startswith("tests/compile_fail/") and not path.endswith("_fail.cc")
              and prints.is_complete(path)}
    stale = [path for path, mark in wanted.items() if clean.get(path) != mark]
    problems = []
    with tempfile.TemporaryDirectory() as include:
        # The build gives headers their prefix; here a link does.
        pathlib.Path(include, "tenure").symlink_to(root)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda path: _tidy(root, include, path), stale)
            for done, (path, found) in enumerate(zip(stale, results), 1):
                print(f"  {done}/{len(stale)} {path}", flush=True)
                problems += found
                if found:
                    wanted.pop(path)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps(wanted))
    return problems
