"""Who writes to images, and where: ``tenure.write_report()``."""

from collections.abc import Callable, Sequence
from os.path import basename
from reprlib import Repr
from typing import Any, NamedTuple

from ._tenure import watch_writes


class Write(NamedTuple):
    """What one instruction wrote to one field of one object."""

    image: str
    """The image file."""
    offset: int
    """Where in it, in bytes."""
    object: Any
    """The object; None if there is none at that place."""
    shape: str | None
    """What it is, such as "tuple" or "str (ASCII)"."""
    path: str | None
    """How it is reached from a root or module; None if it is not."""
    field: str | None
    """The field, such as "ob_refcnt", "hash" or "item 3"."""
    before: bytes
    """What the field held before the first of these writes; at most 64 bytes."""
    after: bytes
    """What it held after the last one."""
    count: int
    """How often it was written."""
    binary: str | None
    """The executable or library that the instruction is in; None if in none."""
    instruction: int
    """Where in that file's memory; an address if there is no file."""
    symbol: str | None
    """The exported function before the instruction and the distance from it; None if unknown."""

    def __str__(self) -> str:
        place = f"0x{self.instruction:x}" + (f" ({self.symbol})" if self.symbol else "")
        writer = f"{self.binary or 'no binary'} at {place}"
        if self.field is None:
            what = f"offset 0x{self.offset:x} of {self.image}, which is no object"
        else:
            value = "" if self.object is None else f" {_short.repr(self.object)}"
            what = f"{self.path or f'offset 0x{self.offset:x}'}: {self.shape}{value}, field {self.field}"
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"{what}: {_number(self.before)} -> {_number(self.after)}, {times}, by {writer}"


class WriteReport:
    """What write_report() saw. str() of it is for people."""

    result: Any
    """What the callable returned; None if it raised."""
    writes: Sequence[Write]
    """In the order of their first time."""
    unrecorded: int
    """Writes that are not among these, because there were too many different ones."""

    def __init__(self, result: Any, writes: Sequence[Write], unrecorded: int) -> None:
        self.result = result
        self.writes = writes
        self.unrecorded = unrecorded

    @property
    def binaries(self) -> dict[str | None, int]:
        """The files that wrote, and how often; those with the most writes first."""
        counts: dict[str | None, int] = {}
        for write in self.writes:
            counts[write.binary] = counts.get(write.binary, 0) + write.count
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def __str__(self) -> str:
        if not self.writes:
            return "nothing was written to an image"
        total = sum(write.count for write in self.writes) + self.unrecorded
        lines = [f"{total} {'write' if total == 1 else 'writes'} to images, by"]
        for binary, count in self.binaries.items():
            lines.append(f"  {count:6} {binary or 'no binary'}")
        image = None
        for write in self.writes:
            if write.image != image:
                image = write.image
                lines.append(f"{image}:")
            lines.append(f"  {write._replace(binary=basename(write.binary or '') or None)}")
        if self.unrecorded:
            lines.append(f"{self.unrecorded} more were not recorded: too many different ones")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<tenure.WriteReport: {len(self.writes)} places written>"


def write_report(
    callable: Callable[..., Any], /, *args: Any, fill: bool = True, **kwargs: Any
) -> WriteReport:
    """Calls callable(*args, **kwargs) and reports every write to a loaded image meanwhile.

    For finding out who keeps pages from being shared, such as extension modules that count the
    references of immortal objects. A write takes some hundred times as long as usual or more, and all
    images are prepared as by Image.preload(). With fill=True the images are sealed before, so that what the interpreter
    itself writes once is there already; with fill=False it shows, too. Afterwards images are sealed
    or not as they were before. Code is not watched.

    Seen are the writes of all threads, but not the kernel's: a system call that should fill a
    buffer on a watched page fails with EFAULT. One report at a time in a process.

    An exception of the callable is raised again, with the report as its attribute `write_report`.
    Raises RuntimeError if no image is loaded, without a GIL, or if instructions cannot be run one by one: under a
    debugger, or Valgrind. Raises ImageError for a damaged image, as Image.preload().
    """
    result, error, writes, unrecorded = watch_writes(callable, args, kwargs, fill)
    report = WriteReport(result, [Write(*fields[:-1], *fields[-1]) for fields in writes], unrecorded)
    if error is not None:
        error.write_report = report
        try:
            raise error
        finally:
            del error
    return report


def _number(data: bytes) -> str:
    """Fields are numbers as the processor writes them; other bytes are shown as they are."""
    if len(data) in (2, 4, 8):
        return f"0x{int.from_bytes(data, 'little'):x}"
    return repr(data)


_short = Repr()
