"""Live objects made immortal: tenure.immortalize() and tenure.prefork()."""

import gc
from time import perf_counter
from types import SimpleNamespace

from . import _tenure


class Immortalized(SimpleNamespace):
    """What immortalize() did.

    objects: int, how many objects it made immortal. bytes: int, what these take up. left_alone: dict of
    int, how many distinct "types", "modules" and "foreign" objects (of another interpreter) it met and
    left as they are.
    """


class PreforkReport(SimpleNamespace):
    """What prefork() did; print it to read it.

    objects, bytes: what it made immortal. skipped: dict of int, what it left as it was, by reason:
    "running" (frames, generators, coroutines, tracebacks), "unfinished" (tuples being filled), "lent"
    (memoryviews), "threads" (marks that a thread leaves), "finalizers" (objects that do something when
    they go). hashes, utf8: int, hashes and UTF-8 forms filled in. left_behind: int, bytes of half-used
    memory that is not used again. collected: int, objects that the collector found to be garbage.
    frozen: int, objects the collector will not look at that are not immortal.
    private_before, private_after: int, private memory of this process in bytes, a multiple of pages.
    milliseconds: float, how long all of it took.
    """

    def __str__(self) -> str:
        skipped = ", ".join(f"{count} {why}" for why, count in self.skipped.items() if count)
        return (
            f"{self.objects:,} objects of {_mib(self.bytes)} made immortal in {self.milliseconds:.0f} ms"
            f" ({self.collected:,} were garbage)\n"
            f"left as they were: {skipped or 'none'}\n"
            f"filled in: {self.hashes:,} hashes, {self.utf8:,} UTF-8 forms\n"
            f"half-used memory left behind: {_mib(self.left_behind)}\n"
            f"private memory: {_mib(self.private_before)} before, {_mib(self.private_after)} after"
        )


def immortalize(
    obj: object, *, types: bool = False, modules: bool = False, finalizers: bool = False
) -> Immortalized:
    """Makes an object, and all that it owns, immortal, in place.

    Nothing of it is ever freed again, the collector never looks at it, and referring to it writes
    nothing: its pages stay shared after a fork, and the process has nothing to take apart at exit.
    Mutable objects can still be changed; what is put into them later is an object like any other.

    Types and modules are left alone, and so is a function's globals, unless types or modules is True;
    `obj` itself is not, whatever it is. Returns an Immortalized with counts.

    Raises TypeError, with the path to the object ($.a[3].b), and changes nothing, if there is something
    that must end: a frame, generator, coroutine or traceback, a lock that is held, a thread that runs, a
    memoryview, or, unless finalizers is True, anything with a finalizer, which will never run: objects
    with __del__, files, sockets. RuntimeError without a GIL, MemoryError if memory ran out.
    """
    counts = _tenure.immortalize(obj, types=types, modules=modules, finalizers=finalizers)
    left_alone = {kind: counts.pop(kind) for kind in ("types", "modules", "foreign")}
    return Immortalized(**counts, left_alone=left_alone)


def prefork(*, utf8: bool = True, fresh_memory: bool = True) -> PreforkReport:
    """Prepares this process for being forked, so that its children copy little: call it once, right before.

    Collects garbage, makes everything that is alive immortal but for what must end, fills in hashes and,
    if utf8, the UTF-8 forms of strs that are not ASCII, leaves half-used memory behind if fresh_memory,
    so that children allocate on pages of their own, and freezes the collector (gc.freeze()). What is
    alive now stays until the process and its children exit, and then ends without finalizers.

    May be called again, for what has been made since. Other threads may run, and wait meanwhile.
    Returns a PreforkReport. Raises RuntimeError in an interpreter other than the main one and without a
    GIL, MemoryError if memory ran out.
    """
    start = perf_counter()
    private_before = _private_memory()
    collected = gc.collect()
    counts = _tenure.prefork(utf8=utf8, fresh_memory=fresh_memory)
    gc.freeze()
    milliseconds = (perf_counter() - start) * 1e3
    return PreforkReport(
        **counts,
        collected=collected,
        frozen=gc.get_freeze_count(),
        private_before=private_before,
        private_after=_private_memory(),
        milliseconds=milliseconds,
    )


def _private_memory() -> int:
    """Bytes that no other process shares; 0 where the system does not say."""
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
            return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    except OSError:
        return 0


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
