"""Loads code objects in one way and says what that took.

Usage: load_code.py prelinked|all IMAGE
       load_code.py marshal BUNDLE

Prints {"ms", "modules"}. "prelinked" is tenure.load alone; "all" adds Image.preload(), which
interns and rebuilds all that the image names and runs none of it. "marshal" is marshal.loads of
every code object of BUNDLE, a marshalled list of bytes that is in memory before the clock starts.
The collector is as any program has it.
"""

import sys
from time import perf_counter_ns

way, path = sys.argv[1:]
extra = {}
if way == "marshal":
    from marshal import loads

    with open(path, "rb") as file:
        blobs = loads(file.read())
    start = perf_counter_ns()
    codes = [loads(blob) for blob in blobs]
    end = perf_counter_ns()
    extra["modules"] = len(codes)
else:
    import tenure

    start = perf_counter_ns()
    image = tenure.load(path)
    if way == "all":
        image.preload()
    end = perf_counter_ns()
    extra["modules"] = len(image.modules)
    extra["prelinked"] = bool(image.prelinked)

import json  # noqa: E402  so that it is not among what is measured

print(json.dumps({"ms": (end - start) / 1e6, **extra}))
