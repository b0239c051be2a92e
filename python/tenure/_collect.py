"""Collects the modules that are to be frozen, with their code and their source's checksum.

A named package is found and read, never imported: none of its code runs here. Code comes from an
up-to-date .pyc, by the very rules of the import system, or from compiling the source; nothing is
written to disk either way. A training run is the user's own program in a child process, and is
asked what it has imported when it ends.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.machinery as machinery
import marshal
import os
import pkgutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType
from typing import NamedTuple

from . import _trace
from ._tenure import checksum


class Module(NamedTuple):
    """A module as write_image() takes it."""

    name: str
    code: CodeType
    is_package: bool
    origin: str
    cached: str | None
    source_bytes: int
    source_checksum: int


class Skip(NamedTuple):
    """A module that is left out: an error would fail at import too, a note is imported normally."""

    name: str
    path: str | None
    reason: str
    is_error: bool

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        return f"{self.name}{where}: {self.reason}"


class CollectError(Exception):
    """The first error-like skip, when errors stop the collection; `skip` says which."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(str(skip))
        self.skip = skip


class TrainingError(Exception):
    """A training run that could not be started, failed, or ended without a report."""


class Record(NamedTuple):
    """A module that was found, before its code is read."""

    name: str
    kind: str  # see _trace.kind_of
    origin: str | None
    cached: str | None
    is_package: bool
    loader: str


_NOTES = {
    "builtin": "built into the interpreter, so there is nothing to freeze",
    "frozen": "frozen into the interpreter itself: its code is in memory already",
    "extension": "C extension, imported normally",
    "namespace": "namespace package, imported normally (its modules are frozen)",
    "zip": "in a zip archive, imported normally; unpack it to freeze it",
}


class Collector:
    """Gathers records with add_name() and add_traced(), then reads their code with read().

    modules, in the order in which they were added, and skipped hold the results. With
    errors="stop" the first error-like skip raises CollectError, with "skip" it is only listed.
    """

    def __init__(self, errors: str = "stop") -> None:
        self.modules: list[Module] = []
        self.skipped: list[Skip] = []
        self._stops = errors == "stop"
        self._records: dict[str, Record] = {}
        _forget_listings()

    def add_name(self, name: str) -> None:
        """Adds a module, and if it is a package everything below it, without importing it."""
        if not all(name.split(".")) or "/" in name:
            self._skip(name, None, "not a module's name; give it as in an import statement")
            return
        parent: Record | None = None
        locations: list[str] | None = None
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            prefix = ".".join(parts[:depth])
            if parent is not None and locations is None:
                self._skip(name, parent.origin, f"{parent.name} is not a package")
                return
            found = self._find(prefix, locations)
            if found is None:
                where = "sys.path" if parent is None else f"the package {parent.name}"
                self._skip(name, None, f"no module {prefix} in {where}")
                return
            parent, locations = found
        assert parent is not None
        self._walk(parent, locations, ())

    def add_traced(self, records: Iterable[Record]) -> None:
        """Adds what a training run imported."""
        for record in records:
            self._add(record)

    def read(self, progress: Callable[[int, int], object] | None = None) -> list[Module]:
        """Reads the code of everything added and returns `modules`. Calls progress(done, total)."""
        records = [record for record in self._records.values() if record.kind in _READABLE]
        for done, record in enumerate(records):
            if progress is not None:
                progress(done, len(records))
            try:
                self.modules.append(_read_module(record))
            except _Unreadable as error:
                self._skip(record.name, record.origin, str(error))
        return self.modules

    def _skip(self, name: str, path: str | None, reason: str, is_error: bool = True) -> None:
        skip = Skip(name, path, reason, is_error)
        if is_error and self._stops:
            raise CollectError(skip)
        if skip not in self.skipped:
            self.skipped.append(skip)

    def _add(self, record: Record) -> None:
        known = self._records.setdefault(record.name, record)
        if known is not record:
            if known.origin != record.origin:
                reason = f"another module of this name is frozen, from {known.origin}"
                self._skip(record.name, record.origin, reason, is_error=False)
            return
        if record.kind not in _READABLE:
            reason = _NOTES.get(record.kind) or (
                f"imported by {record.loader}, which may change the code on its way"
            )
            self._skip(record.name, record.origin, reason, is_error=False)

    def _walk(self, record: Record, locations: list[str] | None, above: tuple[str, ...]) -> None:
        """Adds a module and what is below it; `above` are the real paths of enclosing folders."""
        if record.kind != "namespace":
            self._add(record)
        count = len(self._records)
        for location in locations or ():
            real = os.path.realpath(location)
            if real in above:
                reason = "a link to a folder that it is in itself"
                self._skip(record.name, location, reason, is_error=False)
                return
            above = (*above, real)
        for name in self._children(record.name, locations or []):
            found = self._find(f"{record.name}.{name}", locations)
            if found is None or (found[0].kind == "namespace" and not name.isidentifier()):
                continue
            self._walk(*found, above)
        if record.kind == "namespace" and len(self._records) > count:
            self._add(record)  # a folder of data alone is not worth a note

    def _children(self, name: str, locations: Sequence[str]) -> list[str]:
        """Names that may be modules, by the files and folders that are there; sorted."""
        names = set()
        for location in locations:
            if not os.path.isdir(location):
                continue
            try:
                with os.scandir(location) as entries:
                    for entry in entries:
                        stem = entry.name if entry.is_dir() else _module_stem(entry.name)
                        if stem and "." not in stem and stem not in ("__pycache__", "__init__"):
                            names.add(stem)
            except OSError as error:
                self._skip(name, location, f"cannot list this folder: {error.strerror}")
        return sorted(names)

    def _find(
        self, name: str, locations: Sequence[str] | None
    ) -> tuple[Record, list[str] | None] | None:
        """The module's record and where its submodules are; None if there is none.

        Does what the import system does, but never imports a parent: PathFinder's namespace
        packages look for theirs in sys.modules.
        """
        try:
            spec = (
                machinery.BuiltinImporter.find_spec(name, locations)
                or machinery.FrozenImporter.find_spec(name, locations)
                or _find_on_path(name, sys.path if locations is None else locations)
                or (None if locations is not None else _find_by_others(name))
            )
        except Exception as error:  # finders may be anybody's
            self._skip(name, None, f"cannot be looked for: {error}")
            return None
        if spec is None:
            return None
        below = spec.submodule_search_locations
        record = Record(
            name,
            _trace.kind_of(spec.loader),
            spec.origin if spec.has_location else None,
            spec.cached if spec.has_location else None,
            below is not None,
            _trace.loader_name(spec.loader),
        )
        return record, None if below is None else list(below)


class Training(NamedTuple):
    """What a training run told: the modules it imported, how it ended if it failed, and the
    functions that ran, each as (filename, line, qualified name)."""

    records: list[Record]
    end: str | None
    ran: set[tuple[str, int, str]]


def train(kind: str, target: str, args: Sequence[str]) -> Training:
    """Runs the user's program in a child process and tells what it imported.

    kind is "" for a script, "-c" for code, "-m" for a module. The child has this interpreter's
    flags, environment and current directory; its stdout goes to our stderr. The order is that of
    sys.modules: a module stands behind those that it imports itself. Modules that the interpreter
    imports on its own at its start are left out: they are there before an image can be loaded.

    Raises TrainingError if there is nothing to go by.
    """
    if not kind and not os.path.exists(target):
        raise TrainingError(f"{target}: there is no such file to run")
    driver = _trace.__file__
    runner = os.path.join(os.path.dirname(driver), "_run.py")
    with tempfile.TemporaryDirectory(prefix="tenure-") as folder:
        report = os.path.join(folder, "report")
        command = [sys.executable, *_interpreter_flags(), driver, report, runner]
        sys.stderr.flush()
        status = _wait(subprocess.Popen([*command, kind, target, *args], stdout=2))
        end = None
        if status > 0:
            end = f"ended with exit code {status}"
        elif status < 0:
            end = f"was killed by signal {-status}"
        try:
            with open(report, encoding="ascii") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = []
        if lines[-1:] != ["done"]:
            how = end or "ended without running the interpreter's exit handlers"
            raise TrainingError(f"the training run {how}: what it imported is not known")
        told = [ast.literal_eval(line) for line in lines[:-1]]
        records = [Record(*one) for one in told if len(one) == len(Record._fields)]
        return Training(records, end, {one for one in told if len(one) == 3})


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Waits for a child; one that we are interrupted in waiting for is ended."""
    try:
        return child.wait()
    except BaseException:
        # At a terminal the child has had the interrupt as well, and may be cleaning up.
        for end in (None, child.terminate, child.kill):
            if end is not None:
                end()
            try:
                child.wait(timeout=2)
                break
            except subprocess.TimeoutExpired:
                continue
        raise


def _interpreter_flags() -> list[str]:
    """The command line options that this interpreter was started with, as far as they matter."""
    import _imp

    flags = list(subprocess._args_from_interpreter_flags())
    for name, value in sys._xoptions.items():
        option = name if value is True else f"{name}={value}"
        if option not in flags:
            flags += ["-X", option]
    if _imp.check_hash_based_pycs != "default":
        flags += ["--check-hash-based-pycs", _imp.check_hash_based_pycs]
    return flags


def _forget_listings() -> None:
    """Makes path entry finders look again. (importlib.invalidate_caches() imports a lot.)"""
    for finder in list(sys.path_importer_cache.values()):
        forget = getattr(finder, "invalidate_caches", None)
        if forget is not None:
            forget()


def _module_stem(file: str) -> str | None:
    """The module's name of a file's name, None if it is no module."""
    for suffix in machinery.all_suffixes():
        if file.endswith(suffix):
            return file.removesuffix(suffix)
    return None


def _find_on_path(name: str, path: Iterable[str]) -> machinery.ModuleSpec | None:
    """PathFinder.find_spec(), but a namespace package's locations are a plain list."""
    portions: list[str] = []
    for entry in path:
        finder = pkgutil.get_importer(entry or os.getcwd()) if isinstance(entry, str) else None
        spec = None if finder is None else finder.find_spec(name)
        if spec is None:
            continue
        if spec.loader is not None:
            return spec
        portions += spec.submodule_search_locations or ()
    if not portions:
        return None
    spec = machinery.ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = portions
    return spec


def _find_by_others(name: str) -> machinery.ModuleSpec | None:
    """Asks the finders that other packages have installed, such as those of editable installs."""
    usual = (machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder)
    for finder in sys.meta_path:
        if finder in usual or type(finder).__module__.partition(".")[0] == "tenure":
            continue
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


class _Unreadable(Exception):
    """Why the code of a module cannot be had."""


class _Reader(machinery.SourceFileLoader):
    """Loads code as an import would, but reads the source just once, and always reads it."""

    def __init__(self, name: str, path: str) -> None:
        # Interned, as the compiler does it: bytecode of a moved package gets this very path.
        super().__init__(name, sys.intern(path))
        self.source = super().get_data(path)
        self.compiles = False

    def get_data(self, path: str) -> bytes:
        return self.source if path == self.path else super().get_data(path)

    def source_to_code(self, data: bytes, path: str, *args: object, **options: object) -> CodeType:
        self.compiles = True
        with warnings.catch_warnings():
            # An import shows them when it compiles; from a .pyc nobody ever sees them.
            warnings.simplefilter("ignore")
            code = super().source_to_code(data, path, *args, **options)
        # The compiler makes some small objects anew that the unmarshaller takes from the
        # interpreter; images must not depend on whether there was a .pyc.
        return marshal.loads(marshal.dumps(code))


@contextlib.contextmanager
def _without_writing() -> Iterator[None]:
    """Keeps loaders from writing .pyc files. (Only preparing to write one uses the code up.)"""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _read_source(record: Record) -> tuple[CodeType, bytes]:
    try:
        reader = _Reader(record.name, record.origin)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror or error}") from None
    try:
        with _without_writing():
            code = reader.get_code(record.name)
    except SyntaxError as error:
        line = f" in line {error.lineno}" if error.lineno else ""
        raise _Unreadable(f"syntax error{line}: {error.msg}") from None
    except Exception as error:
        what = str(error) or type(error).__name__
        if reader.compiles:
            raise _Unreadable(f"cannot be compiled: {what}") from None
        raise _Unreadable(f"its {record.cached} is corrupt ({what}); delete that") from None
    return code, reader.source


def _read_sourceless(record: Record) -> tuple[CodeType, bytes]:
    loader = machinery.SourcelessFileLoader(record.name, record.origin)
    try:
        code = loader.get_code(record.name)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror or error}") from None
    except (ImportError, EOFError, TypeError, ValueError) as error:
        raise _Unreadable(f"not a .pyc that this interpreter can load: {error}") from None
    for constant in _constants(code):
        if type(constant) not in _CONSTANT_TYPES:
            kind = type(constant).__name__
            raise _Unreadable(f"holds a constant of type {kind}, which no compiler makes")
    return code, b""


_READABLE = {"source": _read_source, "sourceless": _read_sourceless}

_CONSTANT_TYPES = (
    *(type(None), type(...), bool, int, float, complex, str, bytes),
    *(tuple, frozenset, slice, CodeType),
)


def _constants(value: object) -> Iterator[object]:
    """All constants of a code object, and those inside them."""
    yield value
    if isinstance(value, CodeType):
        parts: Iterable[object] = value.co_consts
    elif isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
    elif isinstance(value, (tuple, frozenset)):
        parts = value
    else:
        return
    for part in parts:
        yield from _constants(part)


def _read_module(record: Record) -> Module:
    code, source = _READABLE[record.kind](record)
    return Module(
        record.name,
        code,
        record.is_package,
        record.origin,
        record.cached,
        len(source),
        checksum(source) if record.kind == "source" else 0,
    )
