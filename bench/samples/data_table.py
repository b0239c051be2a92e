"""Looks keys up in a FrozenDict from an image and in a dict of the same items, and iterates over both.

Usage: data_table.py IMAGE CHUNKS SEED

The image's root maps str to int. Each side has functions with bytecode of its own; after one chunk
of each to warm up, CHUNKS are run of each, in an order shuffled anew each time. Prints {"ns": {side:
{kind: of one lookup, or of one item, in the fastest chunk}}, "type": the root's}. The keys that are
looked up are interned, and are the dict's own. What iterating over these keys takes is taken off.
"""

import json
import random
import sys
from time import perf_counter_ns
from types import FunctionType

import tenure

SOME = 1000
PASSES = 100


def lookup(table, keys):
    for key in keys:
        table[key]


def iterate_keys(table, keys):
    for key in table:
        pass


def iterate_items(table, keys):
    for key, value in table.items():
        pass


def empty(table, keys):
    for key in keys:
        pass


def own(function):
    """The same function with bytecode that nothing else has specialised."""
    return FunctionType(function.__code__.replace(), globals())


path, chunks, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
frozen = tenure.load(path).root
plain = {sys.intern(str(key)): value for key, value in frozen.items()}
every = list(plain)
rng.shuffle(every)
some = every[:SOME] * PASSES
sides = {"frozen": frozen, "dict": plain}
# (keys, how many lookups or items a chunk has)
kinds = {
    "lookup": (lookup, some, len(some)),
    "lookup-all": (lookup, every, len(every)),
    "keys": (iterate_keys, (), len(plain)),
    "items": (iterate_items, (), len(plain)),
    "empty": (empty, some, len(some)),
    "empty-all": (empty, every, len(every)),
}
work = [
    (side, kind, own(function), keys, count)
    for side in sides
    for kind, (function, keys, count) in kinds.items()
]
best = {side: {} for side in sides}
for number in range(chunks + 1):
    rng.shuffle(work)
    for side, kind, function, keys, count in work:
        table = sides[side]
        start = perf_counter_ns()
        function(table, keys)
        ns = (perf_counter_ns() - start) / count
        if number:
            best[side][kind] = min(ns, best[side].get(kind, ns))
for times in best.values():
    times["lookup"] -= times.pop("empty")
    times["lookup-all"] -= times.pop("empty-all")
print(json.dumps({"ns": best, "type": type(frozen).__name__}))
