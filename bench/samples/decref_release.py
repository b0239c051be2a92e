"""Makes a container of many objects and drops it, at once or a little at a time.

Usage: decref_release.py KIND COUNT BUDGET_NS

KIND is list, tuple, dict or set. A budget of 0 drops it at once; with any other, drains with that
budget take it apart. Prints {"wall", "cpu": ms altogether, "longest_wall": ms of the longest step,
"longest": the same without the time in which other programs had the processor, "steps"}.
"""

import json
import sys

import decref_bench

# No two objects in a container are one, and all go with it.
MAKE = {
    "list": lambda numbers: list(numbers),
    "tuple": lambda numbers: tuple(numbers),
    "dict": lambda numbers: {number: float(number) for number in numbers},
    "set": lambda numbers: set(numbers),
}

kind, count, budget = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
box = [MAKE[kind](range(1000, 1000 + count))]
if budget:
    *times, steps = decref_bench.release(box, budget)
else:
    *times, steps = decref_bench.drop_at_once(box)
names = ("wall", "cpu", "longest_wall", "longest")
result = {name: ns / 1e6 for name, ns in zip(names, times, strict=True)}
print(json.dumps(result | {"steps": steps}))
