"""``run --fast-exit=check``: what a full finalization of a program would still have done.

Runs the program once left fast and once to its full end, each time with the same input and with the
files as they were, and compares what can be seen from outside: output, error output, exit status, and
the files it touched. What also differs between two full runs is not counted.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

# How long others who hold the program's output may go on writing once it has ended.
_GRACE_SECONDS = 5.0
_MOST_LINES = 20


@dataclass
class Run:
    """What was seen of one run. Files are by name, where temporary ones have a number for a name."""

    status: int
    output: bytes
    errors: bytes
    seconds: float
    before: dict[str, tuple[object, ...]] = field(default_factory=dict)
    after: dict[str, tuple[object, ...]] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)


def check(command: Sequence[str]) -> int:
    """command: what follows the options of `run`. Returns 0 if nothing differs, else 1."""
    with tempfile.TemporaryDirectory(prefix="tenure-check-") as folder:
        given = _given_input(folder)
        env = {"PYTHONHASHSEED": str(random.randrange(1, 2**32)), **os.environ}
        fast = _run(command, "yes", f"{folder}/fast", given, env)
        full = _run(command, "no", f"{folder}/full", given, env)
        differences = dict(_differences(fast, full))
        unsteady: set[str] = set()
        if differences:
            again = _run(command, "no", f"{folder}/again", given, env)
            unsteady = set(dict(_differences(again, full)))
            if not unsteady.isdisjoint(("output", "error output")):
                # Times and addresses are what most programs print that is never the same.
                runs = [_without_numbers(run) for run in (fast, full, again)]
                masked = dict(_differences(runs[0], runs[1]))
                differences |= masked
                unsteady = set(dict(_differences(runs[2], runs[1])))
                for what in ("output", "error output"):
                    if what not in masked:
                        differences.pop(what, None)
    return _tell(fast, full, differences, unsteady)


def _tell(fast: Run, full: Run, differences: dict[str, str], unsteady: set[str]) -> int:
    counted = {what: text for what, text in differences.items() if what not in unsteady}
    for text in counted.values():
        print(text)
    for what in differences:
        if what in unsteady:
            print(f"{what}: not compared, because two full runs differ in it as well")
    if fast.skipped:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(fast.skipped.items()))
        print(f"left out: __del__ of {names}")
    seconds = f"{fast.seconds:.2f} s instead of {full.seconds:.2f} s"
    if fast.status:
        seconds += f"; exit status {fast.status}"
    if counted:
        print(f"a full finalization does more than --fast-exit ({seconds}); see above")
        return 1
    print(f"the same with --fast-exit and with a full finalization ({seconds})")
    return 0


def _without_numbers(run: Run) -> Run:
    masked = [re.sub(rb"(0x)?[0-9a-f]*[0-9][0-9a-f]*", b"#", text) for text in (run.output, run.errors)]
    return replace(run, output=masked[0], errors=masked[1])


def _given_input(folder: str) -> str | None:
    """The file with what stands on standard input; None for a terminal, which each run asks."""
    if sys.stdin is None or sys.stdin.closed:
        return os.devnull
    if sys.stdin.isatty():
        return None
    path = f"{folder}/input"
    with open(path, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _run(
    command: Sequence[str], how: str, folder: str, given: str | None, env: dict[str, str]
) -> Run:
    os.mkdir(folder)
    # As for a child of multiprocessing: with the options that this interpreter was given.
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    argv = [sys.executable, *options, "-m", "tenure", "run", f"--fast-exit=traced:{how}:{folder}"]
    start = time.perf_counter()
    with open(given or os.devnull, "rb") as source:
        process = subprocess.Popen(
            [*argv, *command],
            stdin=None if given is None else source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
    read: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    readers = [
        threading.Thread(target=_read, args=(stream, read[name]), daemon=True)
        for name, stream in (("out", process.stdout), ("err", process.stderr))
    ]
    for reader in readers:
        reader.start()
    try:
        status = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    seconds = time.perf_counter() - start
    for reader in readers:
        reader.join(_GRACE_SECONDS)
    run = Run(status, bytes(read["out"]), bytes(read["err"]), seconds)
    _look_at_files(run, folder)
    return run


def _read(stream: Any, into: bytearray) -> None:
    with stream:
        while data := os.read(stream.fileno(), 1 << 16):
            into += data


def _look_at_files(run: Run, folder: str) -> None:
    """Notes what became of the files it touched, and puts them back as they were."""
    try:
        with open(f"{folder}/touched", encoding="utf-8", errors="surrogateescape") as lines:
            entries = [ast.literal_eval(line) for line in lines]
    except FileNotFoundError:
        entries = []
    temporary: dict[str, str] = {}
    for entry in entries:
        path = entry["path"]
        if entry.get("temporary") and not any(path.startswith(f"{one}/") for one in temporary):
            temporary[path] = f"temporary file or folder {len(temporary) + 1}"
    first: dict[str, dict[str, Any]] = {}
    for entry in entries:
        # Forked children may note the same, later.
        first.setdefault(entry["path"], entry["was"])
    for path, was in first.items():
        if "__pycache__" in path:
            continue
        name = _name(path, temporary)
        run.before[name] = _summary(was.get("copy", path), was)
        run.after[name] = _summary(path)
    for path, was in first.items():
        _put_back(path, was)
    try:
        with open(f"{folder}/skipped", encoding="utf-8") as file:
            run.skipped = ast.literal_eval(file.read())
    except FileNotFoundError:
        pass


def _name(path: str, temporary: dict[str, str]) -> str:
    for folder, name in temporary.items():
        if path == folder or path.startswith(folder + "/"):
            return name + path[len(folder) :]
    return os.path.relpath(path) if path.startswith(os.getcwd() + "/") else path


def _summary(path: str, was: dict[str, Any] | None = None) -> tuple[object, ...]:
    """What is at a path, or was there and is in a copy now: equal if it looks the same."""
    if was is not None and was["kind"] != "file":
        return was["kind"], was.get("target")
    try:
        if os.path.islink(path):
            return "link", os.readlink(path)
        if os.path.isdir(path):
            return "folder", None
        if not os.path.isfile(path):
            return ("other" if os.path.lexists(path) else "missing"), None
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return "file", (os.path.getsize(path), digest)
    except OSError as error:
        return "unreadable", error.strerror


def _put_back(path: str, was: dict[str, Any]) -> None:
    kind = was["kind"]
    try:
        if kind == "file":
            shutil.copyfile(was["copy"], path)
            os.chmod(path, was["mode"])
        elif kind == "folder":
            os.makedirs(path, was["mode"], exist_ok=True)
        elif kind == "link" and not os.path.lexists(path):
            os.symlink(was["target"], path)
        elif kind == "missing" and os.path.lexists(path):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
    except OSError as error:
        print(f"tenure: cannot put {path} back: {error.strerror}", file=sys.stderr)


def _differences(one: Run, full: Run) -> Iterator[tuple[str, str]]:
    """(what differs, a sentence about it)."""
    if one.status != full.status:
        yield "exit status", f"exit status: {full.status} after a full end, {one.status} now"
    for what, ours, theirs in (
        ("output", one.output, full.output),
        ("error output", one.errors, full.errors),
    ):
        if ours != theirs:
            yield what, f"{what} differs (- only after a full end):\n{_diff(theirs, ours)}"
    for name in sorted(one.after.keys() | full.after.keys()):
        # Who did not touch it left it as the other found it.
        ours = one.after.get(name) or full.before[name]
        theirs = full.after.get(name) or one.before[name]
        if ours != theirs:
            yield name, f"{name}: {_describe(theirs)} after a full end, {_describe(ours)} now"


def _describe(summary: tuple[object, ...]) -> str:
    kind, detail = summary
    if kind == "file":
        size, digest = detail
        return f"{size:,} bytes ({digest[:8]})"
    return {"missing": "not there", "link": f"a link to {detail}"}.get(str(kind), f"a {kind}")


def _diff(theirs: bytes, ours: bytes) -> str:
    texts = [text.decode(errors="backslashreplace").splitlines() for text in (theirs, ours)]
    lines = [line for line in difflib.unified_diff(*texts, lineterm="", n=0)][2:]
    lines = [f"  {line}" for line in lines if not line.startswith("@@")]
    more = len(lines) - _MOST_LINES
    return "\n".join(lines[:_MOST_LINES] + ([f"  and {more:,} lines more"] if more > 0 else []))
