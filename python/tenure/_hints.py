"""What the writer is told about how an image will be used.

Two kinds of objects are written to soon after loading: those that name a string which the
interpreter has interned before, because its own copy wins, and the code of functions that run.
Knowing them lets the writer keep them together and the rest unwritten. Only the order of objects in
the file depends on these hints.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from types import CodeType

# Splitting makes strings that nobody has interned; interning tells whether an equal one was.
_ASK = """
import sys
names = sys.stdin.buffer.read().decode("utf-8", "surrogatepass").split("\\n")
known = [name for name in names if sys.intern(name) is not name]
sys.stdout.buffer.write("\\n".join(known).encode("utf-8", "surrogatepass"))
"""


def _names(codes: Iterable[CodeType]) -> set[str]:
    names: set[str] = set()
    waiting: list[object] = list(codes)
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            names.add(item)
        elif isinstance(item, (tuple, frozenset)):
            waiting.extend(item)
        elif isinstance(item, CodeType):
            names.update(item.co_names, item.co_varnames, item.co_cellvars, item.co_freevars)
            names.update((item.co_name, item.co_qualname))
            waiting.extend(item.co_consts)
    # Longer ones are texts, and nobody has interned those.
    return {name for name in names if len(name) < 100 and "\n" not in name}


def familiar_strings(codes: Iterable[CodeType]) -> set[str]:
    """The strings named by `codes` that a bare interpreter has interned when it has started.

    Asks a child process (isolated mode, so that the answer does not depend on the environment).
    Empty if that cannot be started.
    """
    question = "\n".join(sorted(_names(codes))).encode("utf-8", "surrogatepass")
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", _ASK], input=question, capture_output=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return set()
    return set(child.stdout.decode("utf-8", "surrogatepass").split("\n"))


def functions_that_ran(codes: Iterable[CodeType], ran: set[tuple[str, int, str]]) -> set[int]:
    """The ids of those code objects, nested in `codes`, that `ran` names."""
    found: set[int] = set()
    waiting = list(codes) if ran else []
    while waiting:
        code = waiting.pop()
        if (code.co_filename, code.co_firstlineno, code.co_qualname) in ran:
            found.add(id(code))
        waiting.extend(const for const in code.co_consts if isinstance(const, CodeType))
    return found
