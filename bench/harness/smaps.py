"""What of a process's memory is shared, from /proc/PID/smaps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S{4} \S+ \S+ \d+ *(?P<path>.*)$")
_FIELDS = {
    "Size": "size",
    "Rss": "resident",
    "Shared_Clean": "shared_clean",
    "Private_Clean": "private_clean",
    "Private_Dirty": "private_dirty",
    "Anonymous": "copied",
}


@dataclass(frozen=True)
class Pages:
    """KiB of some mappings, as the kernel counts them.

    `size` is what is mapped; `resident` what of it this process has touched (or the kernel mapped
    along with what it touched). `shared_clean` is resident, in another process's page table too,
    and unchanged since it was read from the file. `private_clean` is resident and unchanged, but
    at the moment in this process alone. `copied` are pages that were written to and so are this
    process's own; they and nothing else of a private file mapping are `private_dirty`. What is not
    resident is still in the file only: it costs no process anything, and is counted as neither
    shared nor private.
    """

    size: int = 0
    resident: int = 0
    shared_clean: int = 0
    private_clean: int = 0
    private_dirty: int = 0
    copied: int = 0

    def __add__(self, other: Pages) -> Pages:
        return Pages(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def parse(lines: Iterable[str], path: str | None = None) -> Pages:
    """Sums the mappings of the file `path`, or all mappings, of the text of an smaps file."""
    total = Pages()
    wanted = False
    for line in lines:
        if mapping := _MAPPING.match(line):
            wanted = path is None or mapping["path"] == path
            continue
        key, _, rest = line.partition(":")
        if wanted and (field := _FIELDS.get(key)):
            total += Pages(**{field: int(rest.split()[0])})
    return total


def of_file(pid: int, file: Path) -> Pages:
    """The pages of a process's mappings of one file."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="surrogateescape") as lines:
        return parse(lines, os.path.realpath(file))


def of_process(pid: int) -> Pages:
    """The pages of all of a process."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="surrogateescape") as lines:
        return parse(lines)
