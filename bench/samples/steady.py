"""Runs one loop of steady_pkg in a warm process and says what an iteration costs.

Usage: steady.py IMAGE|- MODULE ITERATIONS CHUNKS

Imports the module, from the image when there is one, runs the loop for two chunks to warm it up,
then CHUNKS times for ITERATIONS each. Prints {"ns": of an iteration in the fastest chunk,
"image": whether the code was the image's}.
"""

import importlib
import sys
from time import perf_counter_ns

image, name, iterations, chunks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if image != "-":
    import tenure

    tenure.load(image)
module = importlib.import_module(name)
loop = module.loop

expected = loop(iterations)
loop(iterations)
best = None
for _ in range(chunks):
    start = perf_counter_ns()
    result = loop(iterations)
    took = perf_counter_ns() - start
    if result != expected:
        sys.exit(f"{name}: {result!r} is not {expected!r}")
    if best is None or took < best:
        best = took

from_image = type(module.__spec__.loader).__name__ != "SourceFileLoader"
print(f'{{"ns": {(best or 0) / iterations!r}, "image": {str(from_image).lower()}}}')
