"""Lists where the modules come from that a training run gets from source files.

Usage: list_modules.py import MODULE... | list_modules.py script FILE
Prints {"modules": [[name, source, .pyc], ...]} as the last line.
"""

import importlib.util
import runpy
import sys

kind, arguments = sys.argv[1], sys.argv[2:]
if kind == "import":
    for name in arguments:
        __import__(name)
else:
    runpy.run_path(arguments[0], run_name="__main__")

found = []
for name, module in sorted(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    if spec and spec.origin and spec.origin.endswith(".py") and spec.name == name:
        cached = importlib.util.cache_from_source(spec.origin)
        if spec.loader and type(spec.loader).__name__ == "SourceFileLoader":
            found.append([name, spec.origin, cached])

import json  # noqa: E402  so that the list is that of the program alone

print()
print(json.dumps({"modules": found}))
