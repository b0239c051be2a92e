"""References that native code dropped where it must not touch Python objects.

Extension modules that use Tenure's handles, or its C interface, may drop references on any thread; what
they drop on threads that are not attached to the interpreter is put on a queue, and done by a thread
that is. That needs no help: while the interpreter runs, each is done within `bound()`. These functions
look at the queues, and empty them now.
"""

from . import _tenure


def stats() -> dict[str, int]:
    """Counts since the interpreter started, of all extension modules together.

    pushed: references that were deferred, or leaked at once. drained: those that were dropped.
    pending: those that still wait. leaked: those that never will be dropped, because the policy of
    their type says so, memory ran out, or their interpreter had ended. pushed = drained + pending +
    leaked whenever nothing is being drained. high_water: the most that were pending when a drain
    began. drains, longest_drain_ns: how often something was found, and the longest time it took, in
    nanoseconds. pending_calls, reaper_drains: drains by the interpreter's pending calls, and by the
    thread that attaches for it. dismantling: containers that are being taken apart. lanes: the most
    threads that pushed at a time. queues: one for each copy of Tenure that extension modules contain.
    """
    return _tenure.deferred_stats()


def flush() -> int:
    """Drops everything that was deferred before, and what that defers in turn; returns how many.

    Does nothing when called by a destructor that itself was deferred. What destructors raise is
    reported by sys.unraisablehook.
    """
    return _tenure.deferred_flush()


def bound() -> float:
    """How long a deferred reference waits at most while its interpreter runs, in seconds."""
    return _tenure.deferred_bound()


def set_bound(seconds: float) -> None:
    """Sets `bound()`, between 0.001 and 3600 seconds, for the queues there are; 0.1 unless told.

    Raises ValueError for any other number, TypeError for what is none.
    """
    _tenure.deferred_set_bound(seconds)
