"""Pushes deferred decrefs from threads that are not attached, one side after the other, in rounds.

Usage: decref_push.py PYO3|- SIDE[=COUNT],... THREADS COUNT ROUNDS SEED

Each round has every side once, in an order shuffled anew. Each of THREADS threads pushes COUNT
references (or as many as the side has of its own) to 250 objects; when all are done, one drain does
the decrefs. A sample during which other programs took a processor away is taken again, for each side
up to 10 times as often as there are rounds (twice, if they are long). Prints {"version": what the
PyO3 library is, "boost": such as "Boost 1.92", "disturbed": how many samples were so to the end,
"sides": {SIDE: {"wall": [ns for each push, ...], "cpu": [...], "drain": [CPU ns for each decref,
...]}}}, without the first two rounds.
"""

import json
import random
import sys

import decref_bench

OBJECTS = 250
WARMUP = 2

pyo3, sides, threads, count, rounds, seed = sys.argv[1:]
threads, count, rounds = int(threads), int(count), int(rounds)
version = None if pyo3 == "-" else decref_bench.load_pyo3(pyo3)
counts = {}
for side in sides.split(","):
    name, _, own = side.partition("=")
    counts[name] = max(int(own or count) // OBJECTS, 1) * OBJECTS

objects = [object() for _ in range(OBJECTS)]
samples = {name: {"wall": [], "cpu": [], "drain": []} for name in counts}
disturbed, again_left = 0, dict.fromkeys(counts, (10 if count <= 100_000 else 2) * rounds)
rng = random.Random(int(seed))
order = list(counts)
for number in range(WARMUP + rounds):
    rng.shuffle(order)
    for name in order:
        while True:
            *took, again = decref_bench.push(name, objects, threads, counts[name] // OBJECTS)
            if not again or number < WARMUP or again_left[name] == 0:
                break
            again_left[name] -= 1
        if number >= WARMUP:
            disturbed += again
            for key, ns in zip(("wall", "cpu", "drain"), took, strict=True):
                samples[name][key].append(ns / (counts[name] * threads))
versions = {"version": version, "boost": decref_bench.boost}
print(json.dumps({**versions, "disturbed": disturbed, "sides": samples}))
