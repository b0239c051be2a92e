"""Progress for people: a bar on a terminal, plain lines elsewhere. All of it goes to stderr."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TextIO

_REDRAW_SECONDS = 0.05
_LINE_SECONDS = 5.0
_BAR_COLUMNS = 30


class Progress:
    """One long step. Use as a context manager and call it with (done, total) as work goes on.

    On a terminal a bar is redrawn and at the end erased. Elsewhere a line says that the step
    begins, and another one every few seconds how far it is.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._next_time = 0.0

    def __enter__(self) -> Progress:
        now = time.monotonic()
        if self._terminal:
            self._next_time = now
        else:
            self._next_time = now + _LINE_SECONDS
            self._write(f"{self._label} ...\n")
        return self

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next_time:
            return
        if self._terminal:
            self._next_time = now + _REDRAW_SECONDS
            self._write("\r" + self._bar(done, total) + "\x1b[K")
        else:
            self._next_time = now + _LINE_SECONDS
            self._write(f"{self._label}: {done} of {total}\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._terminal:
            self._write("\r\x1b[K")

    def _bar(self, done: int, total: int) -> str:
        share = min(done / total, 1.0) if total else 0.0
        filled = round(share * _BAR_COLUMNS)
        bar = "#" * filled + "." * (_BAR_COLUMNS - filled)
        text = f"{self._label} [{bar}] {share:4.0%}  {done} of {total}"
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            columns = 80
        return text[: columns - 1]

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
