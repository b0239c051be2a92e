"""Imports modules and says what that took.

Usage: import_modules.py [--wait] [--no-gc] IMAGE|- MODULE...

Prints {"ms", "sources", "image"}: the time around the imports, with an image around importing and
loading Tenure too, and how many modules came from .pyc files and how many from the image. With
IMAGE "-" there are .pyc files only. With --wait it stays, after printing, until its standard input
ends. With --no-gc the collector does not run meanwhile.
"""

import sys
from time import perf_counter_ns

wait = sys.argv[1] == "--wait"
no_gc = sys.argv[1 + wait] == "--no-gc"
image, *modules = sys.argv[1 + wait + no_gc :]
if no_gc:
    import gc

    gc.disable()

start = perf_counter_ns()
if image != "-":
    import tenure

    tenure.load(image)
for name in modules:
    __import__(name)
end = perf_counter_ns()

counts = {"sources": 0, "image": 0}
for module in list(sys.modules.values()):
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    if type(loader).__name__ == "SourceFileLoader":
        counts["sources"] += 1
    elif loader is not None and not isinstance(loader, type):
        home = type(loader).__module__
        if not home.startswith(("_frozen_importlib", "importlib", "zipimport")):
            counts["image"] += 1

import json  # noqa: E402  so that it is not among what is measured

result = {"ms": (end - start) / 1e6, **counts}
print(json.dumps(result), flush=True)
if wait:
    sys.stdin.read()
