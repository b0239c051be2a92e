"""Types of the extension module, which is written in C++ (python/extension)."""

from collections.abc import Callable, Sequence, Set
from os import PathLike
from types import CodeType
from typing import Any, Literal, final

class ImageError(Exception):
    """An image that cannot be used: damaged, no image, or made for another interpreter."""

    path: str
    """The image file."""
    where: str
    """The part of it that is meant, such as "header" or "module 'json.decoder'"."""

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

        Raises ImageError or MemoryError; it is not sealed then.
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

def inspect(path: str | bytes | PathLike[Any], /) -> dict[str, Any]:
    """Describes an image: header, tables and segments, modules. Loads and registers nothing.

    Raises ImageError.
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
