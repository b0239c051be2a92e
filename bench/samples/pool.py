"""Makes and drops instances of native classes, in warm loops.

Usage: pool.py MODULE time ITERATIONS CHUNKS SEED
       pool.py MODULE count ITERATIONS CHUNKS KIND
       pool.py pool_memory alloc ROUNDS
       pool.py pool_memory grow ALIVE

Imports the module and makes a loop for each class and kind that it has, with bytecode that nothing
else has specialised. "one" makes an instance and drops it; "many" makes ALIVE in a list and drops
the list; both are for one instance. "time" runs each loop CHUNKS times, in an order shuffled anew each
time, and prints {"version": the module's, if it says so, "ns": {KIND: of an instance in the
fastest chunk}}; "empty" is a loop that makes nothing. "count" runs one loop, for instructions to be
counted. "alloc" and "grow" print what the module says of memory without anything around it.
"""

import gc
import importlib
import json
import sys
from itertools import repeat
from time import perf_counter_ns

ALIVE = 1000


def empty(subject, times):
    for _ in times:
        pass


def point(subject, times):
    for _ in times:
        subject(1.5, 2.5)


def node(subject, times):
    for _ in times:
        subject("a")


def many_points(subject, times):
    for _ in times:
        [subject(1.5, 2.5) for _ in range(ALIVE)]


def many_nodes(subject, times):
    for _ in times:
        [subject("a") for _ in range(ALIVE)]


# The loop, the name in the module, and how many instances an iteration makes.
KINDS = {
    "empty": (empty, "Point", 1),
    "point": (point, "Point", 1),
    "node": (node, "Node", 1),
    "many-points": (many_points, "Point", ALIVE),
    "many-nodes": (many_nodes, "Node", ALIVE),
    # What only Tenure's side has.
    "unpooled-point": (point, "UnpooledPoint", 1),
    "unpooled-node": (node, "UnpooledNode", 1),
    "unpooled-many-points": (many_points, "UnpooledPoint", ALIVE),
    "unpooled-many-nodes": (many_nodes, "UnpooledNode", ALIVE),
}


def check(module):
    """That the module does what all are to do: a side that does less would be fast."""
    point, node = module.Point(1.5, 2.5), module.Node([])
    node.held.append(node)
    right = [
        point.x == 1.5,
        not gc.is_tracked(point),
        gc.is_tracked(node),
        any(o is node for o in gc.get_objects()),
    ]
    gc.collect()
    del node
    right.append(gc.collect() >= 2)
    if not all(right):
        sys.exit(f"{module.__name__} does not do what it is to do: {right}")


def prepare(module, kind):
    """(a loop with bytecode of its own, what it calls, instances of an iteration)."""
    loop, name, instances = KINDS[kind]
    return type(loop)(loop.__code__.replace(), globals()), getattr(module, name), instances


def run(prepared, iterations):
    loop, subject, instances = prepared
    times = repeat(None, max(1, iterations // instances))
    start = perf_counter_ns()
    loop(subject, times)
    return perf_counter_ns() - start


def measure(prepared, iterations, chunks, seed):
    """Nanoseconds of an instance in the fastest chunk of each loop."""
    import random  # here, since counting does without it

    rng, order = random.Random(seed), list(prepared)
    best = dict.fromkeys(order, float("inf"))
    for _ in range(chunks):
        rng.shuffle(order)
        for kind in order:
            best[kind] = min(best[kind], run(prepared[kind], iterations) / iterations)
    return best


def allocations(module, rounds):
    """Nanoseconds that an instance's memory takes, by kind, side and how many are alive."""
    gc.disable()
    measured = [
        (kind, side, alive)
        for alive in (1, 100, ALIVE)
        for kind in ("point", "node")
        for side in ("default", "slots", "inlined")
    ]
    measured.append(("point", "nothing", 100))
    return {
        f"{kind} {side} {alive}": module.alloc(kind, side, alive, rounds)
        for kind, side, alive in measured
    }


def main(name, mode, *rest):
    module = importlib.import_module(name)
    if mode == "alloc":
        print(json.dumps(allocations(module, int(rest[0]))))
        return
    if mode == "grow":
        kinds = ("point", "node")
        print(json.dumps({kind: module.grow(kind, "slots", int(rest[0]), 0) for kind in kinds}))
        return
    iterations, chunks, last = int(rest[0]), int(rest[1]), rest[2]
    kinds = [kind for kind, (_, subject, _) in KINDS.items() if hasattr(module, subject)]
    prepared = {kind: prepare(module, kind) for kind in kinds}
    for _ in range(2):
        for one in prepared.values():
            run(one, iterations)
    if mode == "count":
        for _ in range(chunks):
            run(prepared[last], iterations)
        return
    check(module)
    ns = measure(prepared, iterations, chunks, int(last))
    print(json.dumps({"version": getattr(module, "version", None), "ns": ns}))


main(*sys.argv[1:])
