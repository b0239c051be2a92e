"""Several processes that have done their work and stay, to be looked at side by side."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .child import TIMEOUT_SECONDS, describe_failure
from .errors import BenchError


@contextmanager
def waiting(argv: Sequence[str], env: Mapping[str, str], count: int) -> Iterator[list[int]]:
    """Starts `count` times a program that prints when done and then reads all its standard input.

    Gives the pids, all past their line. On leaving, all are let go and have to exit with 0.
    """
    processes: list[subprocess.Popen[Any]] = []
    try:
        for _ in range(count):
            processes.append(_start(argv, env))
        for process in processes:
            _await_line(process, argv)
        yield [process.pid for process in processes]
        for process in processes:
            _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
            if process.returncode:
                raise BenchError(
                    describe_failure(argv, process.returncode, errors.decode(errors="replace"))
                )
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _start(argv: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[Any]:
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=dict(env), stdin=pipe, stdout=pipe, stderr=pipe)


def _await_line(process: subprocess.Popen[Any], argv: Sequence[str]) -> None:
    assert process.stdout
    timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        _, errors = process.communicate()
        raise BenchError(
            describe_failure(argv, process.returncode, errors.decode(errors="replace"))
        )
