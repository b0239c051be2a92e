"""Imports a module of bench/cpp/literals_*.cc and says what that and its objects cost.

Usage: literals.py FILE

Prints {"import_us": of the import alone, finding the file not among it, "ready_us": with one use
and one hash of each object, "private_kib": by how much what the process wrote to, and so has for
itself, grew meanwhile, "text_ns" and "name_ns": of looking up one text or name in a dict, in a warm function
that looks up a thousand, the fastest of many, "name_by_text_ns": the same by another object}.
"""

import ctypes
import json
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import perf_counter_ns

COUNT = 1000
TUPLES = 500
TURNS = 300


def private_kib():
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


def ns(function, keys):
    """Of one of the function's look-ups."""
    # Equal to what the function has, and other objects, unless names are interned.
    fastest = min(timed(function, keys) for _ in range(TURNS))
    return fastest / COUNT


def timed(function, keys):
    start = perf_counter_ns()
    found = function(keys)
    end = perf_counter_ns()
    if found != COUNT:
        raise SystemExit(f"{found} of {COUNT} were found")
    return end - start


path = Path(sys.argv[1])
name = path.name.partition(".")[0]
texts = dict.fromkeys(f"message {i:03}: the file cannot be read" for i in range(COUNT))
names = dict.fromkeys(sys.intern(f"attribute_{i:03}") for i in range(COUNT))
spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, str(path)))

# Not every side needs it, and most programs with a module of C++ have it already.
ctypes.CDLL("libstdc++.so.6")
private_kib()
before = private_kib()
start = perf_counter_ns()
module = module_from_spec(spec)
spec.loader.exec_module(module)
imported = perf_counter_ns()
objects = module.all()
for one in objects:
    hash(one)
ready = perf_counter_ns()
after = private_kib()

right = [*texts, *names, *((i + 1) * 1_000_003 for i in range(COUNT))]
right += [(right[i], (i + 1) * 1_000_003, i / 8) for i in range(TUPLES)]
if objects != right:
    raise SystemExit(f"{name} has other objects")
result = {
    "import_us": (imported - start) / 1000,
    "ready_us": (ready - start) / 1000,
    "private_kib": after - before,
    "text_ns": ns(module.find_texts, texts),
    "name_ns": ns(module.find_names, names),
}
if hasattr(module, "find_names_by_texts"):
    result["name_by_text_ns"] = ns(module.find_names_by_texts, names)
print(json.dumps(result))
