"""Makes a graph of records and does one thing with it.

Usage: data_graph.py freeze OBJECTS FILE    tenure.freeze_data() into FILE
       data_graph.py pickle OBJECTS         pickle.dumps()
       data_graph.py hold-heap OBJECTS      nothing: ends
       data_graph.py hold-image FILE        the same with the graph of an image

"freeze" and "pickle" print {"seconds", "objects", "graph_kib": what resident memory grew by when the
graph was made, "growth_kib": what it grew by at most after that}. The others print, as their last
statement, {"end_ns": perf_counter_ns(), a clock that all processes share}. The collector is off while
the graph is made and as any program has it afterwards.
"""

import gc
import json
import os
import sys
from time import perf_counter, perf_counter_ns

OBJECTS_OF_A_RECORD = 10


def make_record(number):
    return {
        "number": number + 1000,
        "name": f"name of {number}",
        "share": number / 7,
        "tags": [f"{number} first", f"{number} second"],
        "place": (number + 1000.5, b"%d" % (number + 1000)),
    }


def make_graph(objects):
    gc.disable()
    graph = [make_record(number) for number in range(objects // OBJECTS_OF_A_RECORD)]
    gc.enable()
    return graph


def status_kib(name):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")


def work_of(action, arguments):
    """The function to be measured, which takes a graph; what it needs is imported."""
    if action == "pickle":
        import pickle

        return lambda graph: pickle.dumps(graph, pickle.HIGHEST_PROTOCOL)
    import tenure

    tenure.freeze_data([], arguments[0])
    return lambda graph: tenure.freeze_data(graph, arguments[0])


def measure(action, objects, *arguments):
    work = work_of(action, arguments)
    before = status_kib("VmRSS")
    graph = make_graph(objects)
    made = status_kib("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # from here on VmHWM is the most since now
    start = perf_counter()
    work(graph)
    seconds = perf_counter() - start
    growth = status_kib("VmHWM") - made
    result = {"seconds": seconds, "objects": objects, "graph_kib": made - before}
    print(json.dumps({**result, "growth_kib": growth}), flush=True)
    os._exit(0)  # which is another benchmark


action, first, *rest = sys.argv[1:]
if action == "hold-image":
    import tenure

    kept = tenure.load(first).root
elif action == "hold-heap":
    kept = make_graph(int(first))
else:
    measure(action, int(first), *rest)
print(json.dumps({"end_ns": perf_counter_ns()}), flush=True)
