"""Makes a document ready in one way, perhaps looks things up in it, and says what that took.

Usage: data_document.py WAY FILE [PATHS]

WAY is tenure (FILE is an image), or the module whose loads() reads FILE: json, marshal, pickle,
orjson, ujson; the file's bytes are in memory before the clock starts, the image is in the page cache.
PATHS is a marshalled list of tuples of keys and indices, which are followed too; their strings are
interned, as constants of a program are. Prints {"ms", "found": a checksum of what was found,
"version": of the module}. The collector is as any program has it.
"""

import sys
from importlib import import_module
from time import perf_counter_ns

way, path, *rest = sys.argv[1:]
module = import_module(way)
paths = []
if rest:
    from marshal import loads as load_paths

    with open(rest[0], "rb") as file:
        paths = [
            tuple(sys.intern(step) if isinstance(step, str) else step for step in steps)
            for steps in load_paths(file.read())
        ]
if way == "tenure":
    data = path

    def ready(path):
        return module.load(path).root

else:
    with open(path, "rb") as file:
        data = file.read()
    ready = module.loads


def follow(root, paths):
    found = []
    for steps in paths:
        value = root
        for step in steps:
            value = value[step]
        found.append(value)
    return found


start = perf_counter_ns()
root = ready(data)
found = follow(root, paths)
end = perf_counter_ns()

import json  # noqa: E402  so that it is not among what is measured
from zlib import crc32  # noqa: E402

result = {
    "ms": (end - start) / 1e6,
    "found": crc32(repr([list(root), found]).encode()),
    "version": getattr(module, "__version__", ""),
}
if way == "tenure":
    result["prelinked"] = bool(module.load(path).prelinked)
print(json.dumps(result))
