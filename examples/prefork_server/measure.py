"""What the workers of a preforking server own, after each has answered some requests.

    python3 measure.py tenure|freeze|nothing [REQUESTS [WORKERS]]

Starts gunicorn with the application of this folder, sends it a load from another process, and prints as
JSON what each worker's memory is, in KiB, as the kernel counts it.
"""

from __future__ import annotations

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
def server(way: str, workers: int) -> Iterator[dict[str, object]]:
    """A running server: {"port", "said", "pid"}. It has to end well when it is told to."""
    with tempfile.TemporaryDirectory(prefix="prefork-") as folder:
        ready = Path(folder) / "ready"
        changes = {"PREFORK": way, "PREFORK_READY": str(ready), "PREFORK_WORKERS": str(workers)}
        argv = ["-m", "gunicorn", "-c", str(FOLDER / "gunicorn_conf.py"), "application:application"]
        process = subprocess.Popen(
            [sys.executable, *argv], cwd=FOLDER, env={**os.environ, **changes}
        )
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


def memory(pid: str) -> dict[str, int]:
    """KiB by the names that /proc/PID/smaps_rollup has for them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def main(way: str, requests: int = 1000, workers: int = 2, seed: int = 0) -> None:
    with server(way, workers) as running:
        load = [FOLDER / "load.py", running["port"], workers, requests, seed]
        answered = json.loads(
            subprocess.run(
                [sys.executable, *map(str, load)], check=True, stdout=subprocess.PIPE
            ).stdout
        )
        result = {
            "way": way,
            "said": running["said"],
            "answered": answered,
            "master": memory(str(running["pid"])),
            "workers": [memory(pid) for pid in answered],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
