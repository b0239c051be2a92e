"""Drops references on a thread that is attached, one side after the other, in rounds.

Usage: decref_drop.py PYO3|- SIDE,... COUNT ROUNDS SEED

Each round has every side twice, in an order shuffled anew: dropping COUNT references to 250
objects, which stay alive, in one loop ("in_loop") and each in a function of its own ("apart").
Prints {"version": what the PyO3 library is, "sides": {SIDE: {"in_loop": [CPU ns for each drop,
...], "apart": [...]}}}, without the first two rounds.
"""

import json
import random
import sys

import decref_bench

OBJECTS = 250
WARMUP = 2

pyo3, sides, count, rounds, seed = sys.argv[1:]
version = None if pyo3 == "-" else decref_bench.load_pyo3(pyo3)
times = max(int(count) // OBJECTS, 1)
kinds = {"in_loop": False, "apart": True}

objects = [object() for _ in range(OBJECTS)]
samples = {name: {kind: [] for kind in kinds} for name in sides.split(",")}
rng = random.Random(int(seed))
order = [(name, kind) for name in samples for kind in kinds]
for number in range(WARMUP + int(rounds)):
    rng.shuffle(order)
    for name, kind in order:
        cpu = decref_bench.drop(name, objects, times, kinds[kind])
        if number >= WARMUP:
            samples[name][kind].append(cpu / (times * OBJECTS))
print(json.dumps({"version": version, "sides": samples}))
