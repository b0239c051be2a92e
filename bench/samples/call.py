"""Calls what a binding made, in warm loops, each of one kind of call.

Usage: call.py MODULE time ITERATIONS CHUNKS SEED
       call.py MODULE count ITERATIONS CHUNKS KIND

Imports the module, makes a loop for each kind of call that it has, with bytecode that nothing else
has specialised, and runs all of them for two chunks of ITERATIONS to warm up. "time" runs each
CHUNKS times more, in an order shuffled anew each time, and prints {"version": the module's, if it
says so, "ns": {KIND: of an iteration in the fastest chunk}}. "count" runs the loop of one kind
CHUNKS times more: what a run of none has not done is the loop's. The kind "empty" is a loop that
calls nothing.
"""

import importlib
import sys
from itertools import repeat
from time import perf_counter_ns


def empty(subject, times):
    for _ in times:
        pass


def nothing(subject, times):
    for _ in times:
        subject()


def one(subject, times):
    for _ in times:
        subject("a")


def three(subject, times):
    for _ in times:
        subject("a", "b", "c")


def three_keywords(subject, times):
    for _ in times:
        subject(x="a", y="b", z="c")


def floats(subject, times):
    for _ in times:
        subject(1.5, 2.5, 3.5)


def construct(subject, times):
    for _ in times:
        subject(1.5, 2.5)


def method(subject, times):
    for _ in times:
        subject.length2()


def method_argument(subject, times):
    for _ in times:
        subject.scale(1.0)


def attribute(subject, times):
    for _ in times:
        subject.x


# The loop, the name in the module, and whether the loop is given an object of that class.
KINDS = {
    "empty": (empty, "nothing", False),
    "nothing": (nothing, "nothing", False),
    "one": (one, "one", False),
    "three": (three, "three", False),
    "three-keywords": (three_keywords, "three", False),
    "floats": (floats, "add", False),
    "construct": (construct, "Vector", False),
    "method": (method, "Vector", True),
    "method-argument": (method_argument, "Vector", True),
    "attribute": (attribute, "Vector", True),
    # What only C's side has, and only Cython's.
    "nothing-noargs": (nothing, "nothing_noargs", False),
    "nothing-fastcall": (nothing, "nothing_fastcall", False),
    "nothing-keywords": (nothing, "nothing_keywords", False),
    "one-o": (one, "one_o", False),
    "one-fastcall": (one, "one_fastcall", False),
    "one-keywords": (one, "one_keywords", False),
    "construct-pooled": (construct, "PooledVector", False),
}


def check(module):
    """That the module does what all are to do: a side that does less would be fast."""
    vector = module.Vector(1.5, y=2.0)
    vector.scale(f=2.0)
    right = [
        module.nothing() is None,
        module.one(1) is None,
        module.three(1, z=3, y=2) is None,
        module.add(1.0, z=2, y=4.0) == 7.0,
        (vector.length2(), vector.x) == (25.0, 3.0),
    ]
    for wrong in (
        lambda: module.nothing(1),
        lambda: module.one(),
        lambda: module.three(1, 2),
        lambda: module.three(1, 2, 3, w=4),
        lambda: module.add(1.0, 2.0, "3"),
        lambda: module.Vector(1.0),
        lambda: module.Vector.length2(1.0),
        lambda: vector.scale("2"),
    ):
        try:
            wrong()
        except TypeError:
            continue
        right.append(False)
    if not all(right):
        sys.exit(f"{module.__name__} does not do what it is to do: {right}")


def prepare(module, kind):
    """(a loop with bytecode of its own, what it calls)."""
    loop, name, of_object = KINDS[kind]
    subject = getattr(module, name)
    function = type(loop)(loop.__code__.replace(), globals())
    return function, subject(1.5, 2.5) if of_object else subject


def measure(prepared, iterations, chunks, seed):
    """Nanoseconds of an iteration of each loop in its fastest chunk."""
    import random  # here, since counting does without it

    rng, order = random.Random(seed), list(prepared)
    best = dict.fromkeys(order, float("inf"))
    for _ in range(chunks):
        rng.shuffle(order)
        for kind in order:
            loop, subject = prepared[kind]
            times = repeat(None, iterations)
            start = perf_counter_ns()
            loop(subject, times)
            took = perf_counter_ns() - start
            best[kind] = min(best[kind], took / iterations)
    return best


def main(name, mode, iterations, chunks, last):
    module = importlib.import_module(name)
    iterations, chunks = int(iterations), int(chunks)
    kinds = [kind for kind, (_, subject, _) in KINDS.items() if hasattr(module, subject)]
    prepared = {kind: prepare(module, kind) for kind in kinds}
    for _ in range(2):
        for loop, subject in prepared.values():
            loop(subject, repeat(None, iterations))
    if mode == "count":
        loop, subject = prepared[last]
        for _ in range(chunks):
            loop(subject, repeat(None, iterations))
        return
    check(module)
    import json

    ns = measure(prepared, iterations, chunks, int(last))
    print(json.dumps({"version": getattr(module, "version", None), "ns": ns}))


main(*sys.argv[1:])
