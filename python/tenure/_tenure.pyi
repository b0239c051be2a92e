"""Types of the extension module; the C++ is in ../extension."""

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Literal, final

class ImageError(Exception):
    """An image that cannot be used: truncated, corrupt, of another version, not an image."""

    path: str
    """The image file."""
    where: str
    """The part of the file that is wrong, such as a table or an offset in bytes."""

@final
class Image:
    """A mapped image. It is never unmapped: its objects are immortal."""

    @property
    def path(self) -> str:
        """The file, as an absolute path."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Full names of the modules it holds, sorted."""

    @property
    def prelinked(self) -> bool:
        """True when nothing had to be relocated: the very interpreter that made the image, and
        the address it was made for was free.
        """

    def stats(self) -> dict[str, Any]:
        """Counters since it was loaded. Sizes are in bytes, times in nanoseconds."""

    def preload(self) -> None:
        """Prepares every module now, not at its first import. Imports nothing.

        Raises ImageError if a part of the image is damaged.
        """

    def verify(self) -> dict[str, Any]:
        """Walks and checks every object, and tells how many there are of each kind.

        Raises ImageError at the first one that is wrong.
        """

def load(path: str, *, check: Literal["lazy", "full"] = "lazy") -> Image:
    """Maps an image and serves its modules to imports from now on.

    The same file loaded twice is the same Image. With check="lazy" the contents of a module are
    checked against their checksum when it is first imported, with "full" all at once, now.
    Modules that are already imported stay as they are.

    Raises ImageError if the image cannot be used (nothing is registered then), OSError if the
    file cannot be read.
    """

def write_image(
    path: str,
    modules: Sequence[tuple[str, CodeType, bool, str, str | None, int, int]],
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Writes an image of modules, each (name, code, is_package, origin, cached, size of the source
    in bytes, checksum of the source). Code must be fresh: never executed. Equal input gives equal
    bytes. The file is written under a temporary name and then renamed.

    Calls progress(done, total) now and then; an exception that it raises ends the writing.

    Raises ValueError or TypeError, with the path to the object, for what an image cannot hold,
    OSError if the file cannot be written.
    """

def inspect(path: str) -> dict[str, Any]:
    """Describes an image: header, tables and segments, modules. Maps and registers nothing.

    Raises ImageError or OSError.
    """

def checksum(data: bytes) -> int:
    """The checksum that images record for a source file: 64 bits, not cryptographic."""
