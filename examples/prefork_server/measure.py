"""What the workers of a preforking server own, after each has answered some requests.

    python3 measure.py tenure|freeze|nothing [--requests N] [--workers N] [--seed N] [--warm]

Starts gunicorn with the application of this folder, sends it a load from another process, and prints as
JSON what the memory of each process is, in KiB, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SECONDS = 120


@contextmanager
def server(way: str, workers: int, warm: bool = False) -> Iterator[dict[str, object]]:
    """A running server: {"port", "report", "pid"}. It has to end well when it is told to."""
    with tempfile.TemporaryDirectory(prefix="prefork-") as folder:
        ready = Path(folder) / "ready"
        env = {
            **os.environ,
            "PREFORK": way,
            "PREFORK_READY": str(ready),
            "PREFORK_WARM": "1" * warm,
            "PREFORK_WORKERS": str(workers),
        }
        argv = [sys.executable, "-m", "gunicorn", "-c", str(FOLDER / "gunicorn_conf.py")]
        process = subprocess.Popen([*argv, "application:application"], cwd=FOLDER, env=env)
        try:
            end = time.monotonic() + SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the server did not start: {process.poll()}")
                time.sleep(0.02)
            yield {**json.loads(ready.read_text(encoding="utf-8")), "pid": process.pid}
            process.send_signal(signal.SIGTERM)
            if status := process.wait(SECONDS):
                raise SystemExit(f"the server ended with {status}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def load(port: object, workers: int, requests: int, seed: int) -> dict[str, int]:
    """How many requests each worker answered, by pid."""
    argv = [sys.executable, FOLDER / "load.py", port, workers, requests, seed]
    done = subprocess.run([str(part) for part in argv], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def memory(pid: object) -> dict[str, int]:
    """Of a process, KiB: "private", which no other process has, and its proportional share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    lines = (line.partition(":") for line in text.splitlines()[1:])
    counts = {name: int(rest.split()[0]) for name, _, rest in lines}
    return {
        "private": counts["Private_Clean"] + counts["Private_Dirty"],
        "proportional": counts["Pss"],
        "resident": counts["Rss"],
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("tenure", "freeze", "nothing"))
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--warm", action="store_true")
    arguments = parser.parse_args(argv)
    with server(arguments.way, arguments.workers, arguments.warm) as running:
        answered = load(running["port"], arguments.workers, arguments.requests, arguments.seed)
        result = {
            "answered": answered,
            "master": memory(running["pid"]),
            "workers": {pid: memory(pid) for pid in answered},
            "report": running["report"],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
