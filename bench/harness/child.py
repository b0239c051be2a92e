"""Fresh processes: how every sample is taken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import BenchError

TIMEOUT_SECONDS = 300.0


def run(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    want_output: bool = True,
    timeout: float = TIMEOUT_SECONDS,
) -> tuple[float, str]:
    """Runs a program to its end: (milliseconds from before its start to after it, its output).

    The wait is a blocking one, since a polling wait would round the time up; a timer ends a
    program that hangs. Raises BenchError, with the end of what the program complained about,
    unless it exits with 0.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        start = time.perf_counter_ns()
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output if want_output else subprocess.DEVNULL,
            stderr=errors,
        )
        timer = threading.Timer(timeout, process.kill)
        timer.daemon = True
        timer.start()
        try:
            status = process.wait()
            end = time.perf_counter_ns()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
        if status:
            raise BenchError(describe_failure(argv, status, _text(errors)))
        return (end - start) / 1e6, _text(output)


def describe_failure(argv: Sequence[str], status: int, errors: str) -> str:
    """One sentence, then the last lines the program wrote to its standard error."""
    shown = " ".join(os.path.basename(argv[0]) if i == 0 else part for i, part in enumerate(argv))
    how = f"exited with {status}"
    if status < 0:
        how = f"was ended by {signal.Signals(-status).name}"
    last = errors.strip().splitlines()[-12:]
    return "\n".join([f"{shown[:200]} {how}", *(f"    {line}" for line in last)])


def run_json(argv: Sequence[str], env: Mapping[str, str], **options: Any) -> dict[str, Any]:
    """Runs a program whose last line of output is a JSON object, and returns that."""
    lines = run(argv, env, **options)[1].splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise BenchError(f"{' '.join(argv)[:200]} printed no result") from None


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
