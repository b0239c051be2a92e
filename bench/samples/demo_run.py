"""Runs the demo's program once and notes what its imports took.

Usage: demo_run.py [--wait|--fast-exit] IMAGE|- REPORT

Imports the module demo_program, from .pyc files (IMAGE "-") or with what it imports in the image,
and calls its main(). Prints only what the program prints. Writes milliseconds to REPORT: of all
imports; of that, of importing tenure; of that, of tenure.load.
With --wait it stays afterwards until its standard input ends, with --fast-exit it ends by
tenure.fast_exit().
"""

import sys
from time import perf_counter_ns

option = sys.argv[1] if len(sys.argv) > 3 else ""
image, report = sys.argv[-2:]

start = loading = loaded = perf_counter_ns()
if image != "-":
    import tenure

    loading = perf_counter_ns()
    tenure.load(image)
    loaded = perf_counter_ns()
import demo_program  # noqa: E402  the order is what is measured

imported = perf_counter_ns()
demo_program.main()

with open(report, "w") as file:
    file.write(f"{(imported - start) / 1e6} {(loading - start) / 1e6} {(loaded - loading) / 1e6}")
if option == "--wait":
    sys.stdout.flush()
    sys.stdin.read()
elif option == "--fast-exit":
    tenure.fast_exit()
