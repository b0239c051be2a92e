"""Types of the extension module, which is written in C++ (python/extension)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from os import PathLike
from types import CodeType
from typing import Any, Literal, NoReturn, Protocol, Self, TypeVar, final, overload

_K = TypeVar("_K")
_V = TypeVar("_V")
_K2 = TypeVar("_K2")
_V2 = TypeVar("_V2")
_V_co = TypeVar("_V_co", covariant=True)

class ImageError(Exception):
    """An image that cannot be used: damaged, no image, or made for another interpreter."""

    path: str
    """The image file."""
    where: str
    """The part of it that is meant, such as "header" or "module 'json.decoder'"."""

class _HasKeys(Protocol[_K, _V_co]):
    def keys(self) -> Iterable[_K]: ...
    def __getitem__(self, key: _K, /) -> _V_co: ...

@final
class FrozenDict(Mapping[_K, _V_co]):
    """An immutable mapping, hashable if its values are: as a dict that cannot change."""

    @overload
    def __new__(cls) -> FrozenDict[Any, Any]: ...
    @overload
    def __new__(cls, **kwargs: _V) -> FrozenDict[str, _V]: ...
    @overload
    def __new__(cls, mapping: _HasKeys[_K2, _V], /) -> FrozenDict[_K2, _V]: ...
    @overload
    def __new__(cls, mapping: _HasKeys[str, _V], /, **kwargs: _V) -> FrozenDict[str, _V]: ...
    @overload
    def __new__(cls, iterable: Iterable[tuple[_K2, _V]], /) -> FrozenDict[_K2, _V]: ...
    @overload
    def __new__(cls, iterable: Iterable[tuple[str, _V]], /, **kwargs: _V) -> FrozenDict[str, _V]: ...
    @overload
    @classmethod
    def fromkeys(cls, iterable: Iterable[_K2], value: None = None, /) -> FrozenDict[_K2, Any | None]: ...
    @overload
    @classmethod
    def fromkeys(cls, iterable: Iterable[_K2], value: _V, /) -> FrozenDict[_K2, _V]: ...
    def __getitem__(self, key: _K, /) -> _V_co: ...
    def __iter__(self) -> Iterator[_K]: ...
    def __reversed__(self) -> Iterator[_K]: ...
    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...
    def copy(self) -> Self:
        """The same object: it cannot change."""

    def __or__(self, other: Mapping[_K2, _V2], /) -> FrozenDict[_K | _K2, _V_co | _V2]:
        """A FrozenDict with the items of both; where they have the same key, the other's value."""

    def __ror__(self, other: dict[_K2, _V2], /) -> dict[_K | _K2, _V_co | _V2]:
        """A dict with the items of both."""

def json_default(object: object, /) -> Any:
    """What json cannot write, as what it can: json.dumps(x, default=tenure.json_default).

    A FrozenDict becomes a dict. Raises TypeError for every other object.
    """

@final
class Image:
    """A mapped image. It is never unmapped: its objects are immortal."""

    @property
    def path(self) -> str:
        """The file it was loaded from."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Full names of the modules it holds, sorted."""

    @property
    def prelinked(self) -> bool:
        """True when nothing had to be relocated: the very interpreter that made the image, and
        the address it was made for was free.
        """

    @property
    def root(self) -> Any:
        """The root of an image of data that has one. Raises AttributeError if it has several, or
        none.
        """

    @property
    def roots(self) -> Mapping[str, Any]:
        """The roots of an image of data, by name. What is in it cannot be changed."""

    @property
    def sealed(self) -> bool:
        """True while it is write-protected."""

    def stats(self) -> dict[str, Any]:
        """What loading and importing took so far. Sizes are in bytes, times in nanoseconds."""

    def preload(self) -> None:
        """Prepares every module now, not at its first import. Imports nothing.

        Raises ImageError if a part of the image is damaged.
        """

    def verify(self) -> dict[str, Any]:
        """Prepares every module, then checks every object. Returns counts, and sizes in bytes.

        Raises ImageError at the first one that is wrong.
        """

    def seal(self, *, explain: bool = True) -> None:
        """Prepares everything, fills in what the interpreter would write into the objects later
        (hashes, UTF-8 forms, intern states), and write-protects all pages but those with code.

        Whoever writes to a sealed page ends the process with SIGSEGV; with `explain`, a line on
        stderr says before which object, which field and which binary it was. A forked child inherits
        the seal; the interpreter's end takes it off. Does nothing if it is sealed.

        Raises ImageError or MemoryError; it is not sealed then. Without a GIL that is always so: seal
        it as it is loaded.
        """

    def unseal(self) -> None:
        """Makes it writable again. Does nothing if it is not sealed."""

def load(
    path: str | bytes | PathLike[Any],
    /,
    *,
    check: Literal["lazy", "full"] = "lazy",
    seal: bool = False,
) -> Image:
    """Maps an image and serves its modules to imports from now on.

    The same file loaded twice is the same Image. With check="lazy" the contents of a module are
    checked against their checksum when it is first imported, with "full" all at once, now.
    Modules that are already imported stay as they are. With seal=True it is sealed before it is
    returned, as by Image.seal(); if that fails, it stays loaded, and ImageError or MemoryError is
    raised.

    Raises ImageError if the file cannot be read or used; nothing is registered then.
    """

def fast_exit(code: object = 0) -> NoReturn:
    """Ends the process as sys.exit() does in the main thread, without taking its objects apart.

    Threads are waited for, atexit functions called, and open files written to their ends. Raises
    nothing and never returns: no finally block is run, and no __del__ of a class that is not the
    standard library's. code: as for sys.exit(). Raises RuntimeError in another thread or interpreter
    than the main one, and while the process ends already.
    """

def leave_after(error: BaseException, report: Callable[[dict[str, int]], None] | None, /) -> int | None:
    """Has the process leave as by fast_exit() when the interpreter ends, for a program that ended with
    this exception. Returns the status to end with, or None if it cannot leave.

    report: None, or called with a dict of the classes whose __del__ did not run.
    """

def release(obj: object, /) -> None:
    """Has a big graph taken apart in small steps, in the background, when its last user is gone.

    Takes a reference, so that whoever drops the last other one, as `del graph` does, waits for nothing.
    Within tenure.deferred.bound() it is taken apart then, about a millisecond of work at a time.
    Whoever still refers to it keeps it whole; after ten seconds, or if it is part of a cycle, it goes as
    without this.
    """

no_code_reason: str | None
"""Why no image of modules can be written or loaded here; None where one can."""

def write_image(
    path: str | bytes | PathLike[Any],
    modules: Sequence[tuple[str, CodeType, bool, str, str | None, int, int]],
    progress: Callable[[int, int], object] | None = None,
    familiar: Set[str] | None = None,
    ran: set[int] | None = None,
) -> dict[str, Any]:
    """Writes an image of modules, each (name, code, is_package, origin, cached, size of the source
    in bytes, checksum of the source). Code must be fresh: never executed. Equal input gives equal
    bytes. The file is written under a temporary name and then renamed.

    Calls progress(done, total) now and then; an exception that it raises ends the writing.
    familiar are strings that the interpreter has interned before it loads an image: objects that
    name them are kept together. Returns counts, and the size in bytes.

    Raises TypeError, with the path to the object, for what an image cannot hold, ValueError for
    two modules of one name, OSError if the file cannot be written.
    """

def write_data(
    path: str | bytes | PathLike[Any],
    roots: dict[str, Any],
    *,
    lists: Literal["tuple", "list"] = "tuple",
    dicts: Literal["frozen", "builtin"] = "frozen",
    sets: Literal["frozen", "builtin"] = "frozen",
    hash_policy: Literal["lazy", "sealed", "fixed"] = "lazy",
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Writes an image of data; see tenure.freeze_data()."""

def inspect(path: str | bytes | PathLike[Any], /) -> dict[str, Any]:
    """Describes an image: header, tables and segments, modules. Loads and registers nothing.

    Raises ImageError.
    """

def assembler_source(
    path: str | bytes | PathLike[Any], section: str, symbol: str, fixed: bool = False
) -> bytes:
    """The assembler's source of an object file that holds an image of data, in a section of that
    name, between symbol + "_begin" and symbol + "_end". fixed: for position-dependent executables,
    with a relocation for each pointer.

    Raises ImageError if the image is damaged, or cannot be linked like that.
    """

def checksum(data: bytes, /) -> int:
    """The checksum that images record for a source file: 64 bits of XXH3, not cryptographic."""

def watch_writes(
    callable: Callable[..., object],
    args: tuple[object, ...],
    keywords: dict[str, object],
    fill: bool,
    /,
) -> tuple[object, BaseException | None, list[tuple[Any, ...]], int]: ...
def deferred_stats() -> dict[str, int]: ...
def deferred_flush() -> int: ...
def deferred_bound() -> float: ...
def deferred_set_bound(seconds: float, /) -> None: ...
def immortalize(
    obj: object, /, *, types: bool = False, modules: bool = False, finalizers: bool = False
) -> dict[str, int]:
    """tenure.immortalize(), which see; returns the counts."""

def prefork(*, utf8: bool = True, fresh_memory: bool = True) -> dict[str, Any]:
    """The part of tenure.prefork() between collecting and freezing; returns the counts."""
