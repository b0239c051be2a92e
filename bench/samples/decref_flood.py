"""Runs Python code that never calls Tenure while other threads push, and watches the memory.

Usage: decref_flood.py PYO3|- SIDE THREADS COUNT PER_SECOND main|worker

THREADS threads together push COUNT references to 250 objects, at most PER_SECOND a second (0: as
fast as they can), while the main thread, or a worker for which the main thread waits, counts in a
loop. Prints {"version": what the PyO3 library is, "seconds": of pushing, "pushes", "loops": how far
the loop came, "resident": [KiB every 5 ms, ...], "stats": what Tenure's queue counted until then,
"after": the same after half a second more of the loop}.
"""

import json
import sys
import threading
import time

import decref_bench

OBJECTS = 250

pyo3, side, threads, count, rate, consumer = sys.argv[1:]
version = None if pyo3 == "-" else decref_bench.load_pyo3(pyo3)
times = max(int(count) // OBJECTS // int(threads), 1)
objects = [object() for _ in range(OBJECTS)]


def loop(done):
    """Until a byte, which C++ sets, is set."""
    loops = 0
    while not done[0]:
        loops += 1
    return loops


def consume(done):
    if consumer == "main":
        return loop(done)
    result = []
    worker = threading.Thread(target=lambda: result.append(loop(done)))
    worker.start()
    worker.join()
    return result[0]


# The queue, the lanes and the threads there before memory is looked at.
decref_bench.push(side, objects, int(threads), 1)
done = bytearray(1)
decref_bench.flood(side, objects, int(threads), times, float(rate), done)
loops = consume(done)
stats = decref_bench.stats()
wall, cpu, resident = decref_bench.flooded()

rest = bytearray(1)
timer = threading.Timer(0.5, lambda: rest.__setitem__(0, 1))
timer.start()
consume(rest)
timer.join()
print(
    json.dumps(
        {
            "version": version,
            "seconds": wall / 1e9,
            "pushes": times * OBJECTS * int(threads),
            "loops": loops,
            "resident": resident,
            "stats": stats,
            "after": decref_bench.stats(),
        }
    )
)
