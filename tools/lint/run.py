"""Runs the lint checks, all or the named ones; ends with "N passed, N failed".

Usage: run.py [format] [tidy] [layering] [exports] [shell]
"""

import pathlib
import sys
import time

import exports
import formatting
import layering
import shell
import tidy

CHECKS = {
    "format": formatting.check,
    "layering": layering.check,
    "shell": shell.check,
    "exports": exports.check,
    "tidy": tidy.check,
}


def main(names):
    root = pathlib.Path(__file__).resolve().parents[2]
    for name in names:
        if name not in CHECKS:
            print(f"lint: no check is called {name}; there are {', '.join(CHECKS)}", file=sys.stderr)
            return 2
    failed = 0
    names = names or list(CHECKS)
    for name in names:
        start = time.monotonic()
        print(f"lint {name} ...", flush=True)
        problems = CHECKS[name](root)
        for problem in problems:
            print(problem)
        failed += bool(problems)
        verdict = "FAILED" if problems else "ok"
        print(f"lint {name}: {verdict} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
