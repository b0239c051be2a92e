"""What a run for ``--fast-exit=check`` does to files, seen from within it.

An audit hook notes every path that the program is about to write to, remove, rename or make, and keeps
what was there: the repr of a dict a line in the file ``touched`` of a folder, with copies beside it.
Forked children go on noting; other programs that it starts do not.
"""

from __future__ import annotations

import posix
import stat
import sys
import threading
from collections.abc import Callable
from os import fsdecode
from typing import Any

# Events, and which of their arguments are paths.
_PATHS = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "sqlite3.connect": (0,),
    "tempfile.mkstemp": (0,),
    "tempfile.mkdtemp": (0,),
}


def start(spec: str) -> tuple[str, Callable[[dict[str, int]], None] | None]:
    """Begins to note; spec is "HOW:FOLDER". Returns how to leave, and what to report to."""
    how, _, folder = spec.partition(":")
    sys.addaudithook(_make_hook(folder))
    return how, _make_report(folder) if how == "yes" else None


def _make_report(folder: str) -> Callable[[dict[str, int]], None]:
    def report(others: dict[str, int]) -> None:
        """Notes the classes whose __del__ was left out."""
        file = posix.open(f"{folder}/skipped", posix.O_WRONLY | posix.O_CREAT)
        posix.write(file, repr(others).encode())
        posix.close(file)

    return report


def _make_hook(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    # The hook is there to the end, when the globals of modules, also of the library's, are gone: all
    # that it needs it has from here.
    writes = posix.O_WRONLY | posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | posix.O_APPEND
    log = posix.open(f"{folder}/touched", posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND)
    kept_state = _make_kept_state()
    getcwd, getpid, write = posix.getcwd, posix.getpid, posix.write
    normalized, decode, paths_of = posix._path_normpath, fsdecode, _PATHS
    errors = (OSError, TypeError, ValueError)
    seen: set[str] = set()
    busy = threading.local()
    busy.now = False

    def touch(path: object, event: str) -> None:
        if isinstance(path, int):
            return
        name = decode(path)
        name = normalized(name if name.startswith("/") else f"{getcwd()}/{name}")
        names = [name]
        if event == "sqlite3.connect":
            others = [f"{name}-wal", f"{name}-shm", f"{name}-journal"]
            names = [] if ":memory:" in name else [name, *others]
        for name in names:
            if name in seen or name.startswith(("/dev/", "/proc/", "/sys/", folder)):
                continue
            seen.add(name)
            entry = {"path": name, "was": kept_state(name, f"{folder}/{getpid()}-{len(seen)}")}
            if event.startswith("tempfile."):
                entry["temporary"] = True
            write(log, f"{entry!r}\n".encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            chosen = arguments[:1] if arguments[2] & writes else ()
        elif event in paths_of:
            chosen = [arguments[i] for i in paths_of[event]]
        else:
            return
        if getattr(busy, "now", False):
            return
        busy.now = True
        try:
            for path in chosen:
                touch(path, event)
        except errors:
            pass  # what cannot be looked at is the program's to fail with
        finally:
            busy.now = False

    return hook


def _make_kept_state() -> Callable[[str, str], dict[str, Any]]:
    lstat, readlink, read, write = posix.lstat, posix.readlink, posix.read, posix.write
    open_, close, error = posix.open, posix.close, OSError
    mode_of, is_link, is_folder, is_file = stat.S_IMODE, stat.S_ISLNK, stat.S_ISDIR, stat.S_ISREG
    reading, writing = posix.O_RDONLY, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC

    def kept_state(path: str, copy: str) -> dict[str, Any]:
        """What is there, with the contents of a file in the file `copy`."""
        try:
            mode = lstat(path).st_mode
        except error:
            return {"kind": "missing"}
        if is_link(mode):
            return {"kind": "link", "target": readlink(path)}
        if is_folder(mode):
            return {"kind": "folder", "mode": mode_of(mode)}
        if not is_file(mode):
            return {"kind": "other"}
        source, target = open_(path, reading), open_(copy, writing, 0o600)
        try:
            while data := read(source, 1 << 20):
                write(target, data)
        finally:
            close(source)
            close(target)
        return {"kind": "file", "mode": mode_of(mode), "copy": copy}

    return kept_state
