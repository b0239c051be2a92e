"""Shows that a long measurement lives: a rewritten line on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Not for use from several threads."""

    def __init__(self, stream: TextIO | None = None, every_seconds: float = 5.0) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = every_seconds
        self._start = time.monotonic()
        self._last = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        print(text, file=self._stream, flush=True)
        self._last = time.monotonic()

    def step(self, what: str, done: int, total: int) -> None:
        """Where a counted work is; cheap, and quiet between the lines of a log."""
        now = time.monotonic()
        if self._terminal:
            filled = 24 * done // total
            bar = "#" * filled + "." * (24 - filled)
            print(f"\r\033[K[{bar}] {what} {done}/{total}", end="", file=self._stream, flush=True)
        elif done == total or now - self._last >= self._every:
            elapsed = now - self._start
            print(f"  [{elapsed:4.0f} s] {what}: {done} of {total}", file=self._stream, flush=True)
            self._last = now

    def clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=self._stream, flush=True)
