"""Does one thing and ends in one way, having said when.

Usage: exit_end.py HOW django IMAGE|-     the demo's program
       exit_end.py HOW heap OBJECTS       makes as many objects, as data_graph.py does
       exit_end.py HOW files COUNT        writes to as many files that it leaves open

HOW is fast (tenure.fast_exit), full (the end of the program) or at-once (os._exit after a flush). Prints,
as its last statement, {"end_ns": perf_counter_ns(), a clock that all processes share, "output": what the
program printed, "objects": how many the collector knows}.
"""

import gc
import io
import json
import os
import sys
import tempfile
from time import perf_counter_ns

how, what, argument = sys.argv[1:]
output = ""
if how == "fast" or (what == "django" and argument != "-"):
    import tenure
if what == "django":
    if argument != "-":
        tenure.load(argument)
    import demo_program

    said, sys.stdout = sys.stdout, io.StringIO()
    demo_program.main()
    output, sys.stdout = sys.stdout.getvalue(), said
elif what == "heap":
    gc.disable()
    graph = [
        {
            "number": number + 1000,
            "name": f"name of {number}",
            "share": number / 7,
            "tags": [f"{number} first", f"{number} second"],
            "place": (number + 1000.5, b"%d" % (number + 1000)),
        }
        for number in range(int(argument) // 10)
    ]
    gc.enable()
elif what == "files":
    folder = tempfile.TemporaryDirectory()
    files = [open(f"{folder.name}/{number}", "w") for number in range(int(argument))]
    for file in files:
        file.write("some text")
    # The folder goes with its files, before the files are flushed, on all sides alike.

objects = len(gc.get_objects()) if what == "django" else 0
result = {"output": output, "objects": objects, "end_ns": perf_counter_ns()}
print(json.dumps(result), flush=True)
if how == "fast":
    tenure.fast_exit()
elif how == "at-once":
    os._exit(0)
