"""Files of data as plain Python objects, for freeze-data.

A file is read whole, decoded as UTF-8 (a byte order mark is skipped) and given to the reader of its
format. Whatever is wrong with it is a ReadError. Not for pickles that one would not run.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

# The formats, and the endings of files that are taken to be of them.
ENDINGS = {
    "json": (".json",),
    "jsonl": (".jsonl", ".ndjson"),
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "toml": (".toml",),
    "literal": (".py", ".txt"),
    "pickle": (".pickle", ".pkl"),
}

_JSON_SPACE = " \t\r\n"


class ReadError(Exception):
    """A file that is not read: its text names the file, the place and what to do."""


class Options(NamedTuple):
    """How files are read. Each is for the formats that have it."""

    duplicate_keys: str = "last"  # or "refuse": what is done when an object has a key twice
    header: bool = True  # the first row names the columns: rows are dicts
    delimiter: str | None = None  # one character between columns; the format's own when None
    unsafe_pickle: bool = False  # reading a pickle may run anything


class _Wrong(Exception):
    """What is wrong with a file, without its name."""


def read(path: str, format: str | None = None, options: Options = Options()) -> Any:
    """Reads a file, or standard input when `path` is "-", and gives the object that it holds.

    `format` is one of ENDINGS; when None the ending of the file's name says it. Raises ReadError.
    """
    name = "standard input" if path == "-" else path
    try:
        format = format or _format_of(path)
        if format == "pickle" and not options.unsafe_pickle:
            raise _Wrong(
                "reading a pickle may run any code; if you trust it as a program, give --unsafe-pickle"
            )
        data = _contents(path)
        return _READERS[format](data, options)
    except _Wrong as wrong:
        raise ReadError(f"{name}: {wrong}") from None
    except OSError as error:
        raise ReadError(f"cannot read {name}: {error.strerror or error}") from None
    except MemoryError:
        raise ReadError(f"{name}: memory does not suffice to read it") from None


def _format_of(path: str) -> str:
    if path == "-":
        raise _Wrong("name the format with --format")
    ending = os.path.splitext(path)[1].lower()
    for format, endings in ENDINGS.items():
        if ending in endings:
            return format
    known = " ".join(ending for endings in ENDINGS.values() for ending in endings)
    raise _Wrong(f"its name has none of the endings {known}; name the format with --format")


def _contents(path: str) -> bytes:
    if path == "-":
        if sys.stdin is None:
            raise _Wrong("it is closed")
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        before = os.fstat(file.fileno())
        # Such as /dev/zero, which has no end.
        if stat.S_ISCHR(before.st_mode) or stat.S_ISBLK(before.st_mode):
            raise _Wrong("it is a device, not a file")
        data = file.read()
        after = os.fstat(file.fileno())
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if changed and stat.S_ISREG(before.st_mode):
        raise _Wrong("it was written to while it was read; try again when that is over")
    return data


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Wrong("it is UTF-16; convert it to UTF-8, for example with iconv")
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    try:
        return data[mark:].decode() if mark else data.decode()
    except UnicodeDecodeError as error:
        start = error.start + mark
        line = data.count(b"\n", 0, start) + 1
        column = len(data[max(mark, data.rfind(b"\n", 0, start) + 1) : start].decode()) + 1
        raise _Wrong(
            f"line {line}, column {column}: not UTF-8 (byte 0x{data[start]:02x} at offset {start});"
            " convert it, for example with iconv"
        ) from None


def _read_json(data: bytes, options: Options) -> Any:
    text = _text(data)
    if not text.strip(_JSON_SPACE):
        raise _Wrong("it is empty, which JSON cannot be")
    try:
        return _parse_json(text, options)
    except json.JSONDecodeError as error:
        raise _Wrong(f"line {error.lineno}, column {error.colno}: {error.msg}") from None


class _DuplicateKey(Exception):
    """Some object of a JSON text has a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _DuplicateKey
    return result


def _parse_json(text: str, options: Options) -> Any:
    """json.loads() of any text of JSON, or JSONDecodeError."""
    refuse = options.duplicate_keys == "refuse"
    try:
        return json.loads(text, object_pairs_hook=_unique if refuse else None)
    except json.JSONDecodeError:
        raise
    # Nested too deeply, a key that is there twice, more digits than the interpreter converts.
    except (RecursionError, _DuplicateKey, ValueError):
        from ._deep_json import loads

        return loads(text, refuse_duplicates=refuse)


def _read_jsonl(data: bytes, options: Options) -> Any:
    values = []
    # No other character ends a line; str.splitlines() knows eight more.
    for number, line in enumerate(_text(data).split("\n"), start=1):
        if not line.strip(_JSON_SPACE):
            continue
        try:
            values.append(_parse_json(line, options))
        except json.JSONDecodeError as error:
            raise _Wrong(f"line {number}, column {error.pos + 1}: {error.msg}") from None
    return values


def _read_csv(data: bytes, options: Options, delimiter: str = ",") -> Any:
    import csv
    import io

    if options.delimiter is not None:
        delimiter = options.delimiter
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise _Wrong(f"columns cannot be told apart by {delimiter!r}, but by one other character")
    text = _text(data)
    with _FieldLimit(len(text)):
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            return _dicts_of(rows) if options.header else [row for row in rows if row]
        except csv.Error as error:
            raise _Wrong(f"line {rows.line_num}: {error}") from None


def _read_tsv(data: bytes, options: Options) -> Any:
    return _read_csv(data, options, "\t")


def _dicts_of(rows: Any) -> list[dict[str, str]]:
    """A dict for each row but the first, which has the keys; blank lines are no rows."""
    header = next((row for row in rows if row), None)
    if header is None:
        raise _Wrong("it is empty: there is no row with the names of the columns (see --no-header)")
    for column, name in enumerate(header):
        if name in header[:column]:
            raise _Wrong(
                f"line {rows.line_num}: two columns are called {name!r}; rename one (or see --no-header)"
            )
    result = []
    start = rows.line_num + 1
    for row in rows:
        if len(row) == len(header):
            result.append(dict(zip(header, row)))
        elif row:
            raise _Wrong(
                f"line {start}: the row has {len(row)} columns where the header has {len(header)}"
            )
        start = rows.line_num + 1
    return result


class _FieldLimit:
    """Lets the csv module read fields of any length; its limit is the whole process's."""

    _lock: Any = None

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def __enter__(self) -> None:
        import csv
        import threading

        # Two that raise and restore it must not take turns.
        if _FieldLimit._lock is None:
            _FieldLimit._lock = threading.Lock()
        _FieldLimit._lock.acquire()
        self._before = csv.field_size_limit()
        csv.field_size_limit(max(self._before, self._longest + 1))

    def __exit__(self, *_: object) -> None:
        import csv

        csv.field_size_limit(self._before)
        _FieldLimit._lock.release()


def _read_toml(data: bytes, options: Options) -> Any:
    import tomllib

    try:
        return tomllib.loads(_text(data))
    except tomllib.TOMLDecodeError as error:
        raise _Wrong(str(error)) from None
    except RecursionError:
        raise _Wrong("it is nested too deeply for tomllib; JSON may be as deep as you like") from None
    except ValueError as error:
        # Of numbers, which tomllib lets pass.
        raise _Wrong(f"tomllib cannot read it: {error}") from None


def _read_literal(data: bytes, options: Options) -> Any:
    from ._literals import LiteralError, loads

    try:
        return loads(_text(data), refuse_duplicates=options.duplicate_keys == "refuse")
    except LiteralError as error:
        raise _Wrong(f"line {error.line}, column {error.column}: {error}") from None


def _read_pickle(data: bytes, options: Options) -> Any:
    import io
    import pickle

    file = io.BufferedReader(io.BytesIO(data))
    try:
        value = pickle.load(file)
    except MemoryError:
        raise
    # What it runs may raise anything, and need not have heard of us.
    except (Exception, SystemExit) as error:
        raise _Wrong(f"it cannot be unpickled: {type(error).__name__}: {error}") from None
    if file.read(1):
        raise _Wrong("there is something behind the pickle; freeze a list if it is to be several")
    return value


_READERS: dict[str, Callable[[bytes, Options], Any]] = {
    "json": _read_json,
    "jsonl": _read_jsonl,
    "csv": _read_csv,
    "tsv": _read_tsv,
    "toml": _read_toml,
    "literal": _read_literal,
    "pickle": _read_pickle,
}
