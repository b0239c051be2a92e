"""What the tests of the importer share: modules and images of them, fresh interpreters, and the
parts of an image file as one that damages it needs them.
"""

from __future__ import annotations

import functools
import os
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import tenure
from tenure import _tenure
from tenure._collect import Collector

PACKAGE_FOLDER = str(Path(tenure.__file__).parent.parent)

# In front of every program: makes the folder of a test importable without showing in a traceback.
START = "import sys; sys.path[:0] = {path!r}; import tenure; "
# Given in one line with it, so that the lines of the program count from 2 in any case.
LOAD = "tenure.load({image!r}); "
# The same, and the process fails if it then uses nothing of the image.
LOAD_FOR_USE = (
    "import atexit as _exit; _exit.register(lambda image=tenure.load({image!r}), os=__import__('os'):"
    " image.stats()['groups_prepared'] or os._exit(99)); "
)

# For programs that run others in interpreters of their own.
INTERPRETERS = """
import _interpreters as interpreters
def run(code, config):
    id = interpreters.create(config)
    try:
        error = interpreters.exec(id, code)
        if error is not None:
            print(error.formatted if hasattr(error, "formatted") else error)
    finally:
        interpreters.destroy(id)
"""


def environment(**changes: str | None) -> dict[str, str]:
    """Ours, without what would change a child's output; None removes a variable."""
    result = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": PACKAGE_FOLDER}
    for name in ("PYTHON_COLORS", "FORCE_COLOR", "PYTHONHASHSEED", "PYTHONOPTIMIZE"):
        result.pop(name, None)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Makes files with the contents given (text is dedented), and the folders they are in."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = textwrap.dedent(content).encode("utf-8")
        path.write_bytes(content)


def collect(folder: Path, names: Iterable[str]) -> list[tuple]:
    """The modules below these names, read as `tenure freeze` does."""
    sys.path.insert(0, str(folder))
    try:
        collector = Collector()
        for name in names:
            collector.add_name(name)
        return [tuple(module) for module in collector.read()]
    finally:
        sys.path.remove(str(folder))


def freeze(folder: Path, names: Iterable[str], output: Path | str = "image.tenure") -> Path:
    path = folder / output
    _tenure.write_image(str(path), collect(folder, names))
    return path


@functools.cache
def is_at_one_address() -> bool:
    """Whether the interpreter is at the same address in every process, so that images are prelinked for all.

    One that is a shared library is not.
    """
    command = [sys.executable, "-I", "-c", "print(id(None))"]
    return len({subprocess.check_output(command) for _ in range(3)}) == 1


class ImportTest(unittest.TestCase):
    """Each class has a folder with FILES in it and an image of NAMES; they are only read.

    A test that writes takes an own folder from new_folder().
    """

    FILES: Mapping[str, str | bytes] = {}
    NAMES: Sequence[str] = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = cls._make_folder(cls.addClassCleanup)
        write(cls.folder, cls.FILES)
        cls.image = freeze(cls.folder, cls.NAMES) if cls.NAMES else None

    @staticmethod
    def _make_folder(add_cleanup) -> Path:
        folder = tempfile.TemporaryDirectory(prefix="tenure-test-")
        add_cleanup(folder.cleanup)
        return Path(folder.name).resolve()

    def new_folder(self, files: Mapping[str, str | bytes] | None = None) -> Path:
        folder = self._make_folder(self.addCleanup)
        write(folder, files or {})
        return folder

    def execute(
        self,
        arguments: Sequence[object],
        *,
        env: Mapping[str, str | None] | None = None,
        folder: Path | None = None,
        **options: object,
    ) -> subprocess.CompletedProcess[str]:
        """Runs this interpreter with these arguments; fails if it is killed or hangs."""
        result = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            env=environment(**(env or {})),
            cwd=folder or self.folder,
            **{"timeout": 120, "encoding": "utf-8", "errors": "surrogateescape", **options},
        )
        if result.returncode < 0:
            name = signal.Signals(-result.returncode).name
            self.fail(f"the interpreter was killed by {name}\n{result.stdout}{result.stderr}")
        return result

    def run_code(
        self,
        code: str,
        *,
        image: Path | str | None = None,
        folder: Path | None = None,
        options: Sequence[str] = (),
        arguments: Sequence[object] = (),
        load: str = LOAD,
        **more: object,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program that can import from the folder, with the image loaded if one is given."""
        start = START.format(path=[str(folder or self.folder), PACKAGE_FOLDER])
        if image is not None:
            start += load.format(image=str(image))
        program = start + "\n" + textwrap.dedent(code)
        return self.execute([*options, "-c", program, *arguments], folder=folder, **more)

    def check(self, code: str, **more: object) -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed."""
        result = self.run_code(code, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout

    def frozen(self, code: str, **more: object) -> str:
        """check() with the image of the class loaded."""
        return self.check(code, image=self.image, **more)

    def both(
        self,
        code: str,
        expect: str | None = None,
        *,
        image: Path | None = None,
        folder: Path | None = None,
        status: int = 0,
        **more: object,
    ) -> str:
        """Runs a program with and without the image: it must do the same, and print `expect`.

        Returns what it printed on stdout and, if it had to fail, on stderr.
        """
        image = image or self.image
        frozen = self.run_code(code, image=image, folder=folder, load=LOAD_FOR_USE, **more)
        usual = self.run_code(code, folder=folder, **more)
        self.assertEqual(usual.returncode, status, usual.stdout + usual.stderr)
        self.assertEqual(
            (frozen.returncode, frozen.stdout, frozen.stderr),
            (usual.returncode, usual.stdout, usual.stderr),
        )
        if status == 0:
            self.assertEqual(frozen.stderr, "")
        if expect is not None:
            self.assertEqual(frozen.stdout.strip(), textwrap.dedent(expect).strip())
        return frozen.stdout + frozen.stderr


class ImageFile:
    """An image file as bytes that can be changed, with its header and tables by name."""

    FIELDS = {
        "magic": (0, "8s"),
        "format_version": (8, "I"),
        "header_bytes": (12, "I"),
        "header_checksum": (16, "Q"),
        "file_bytes": (24, "Q"),
        "preferred_base": (32, "Q"),
        "directory_count": (56, "I"),
        "hash_policy": (60, "I"),
        "first_code_version": (64, "I"),
        "code_version_count": (68, "I"),
        "python_version": (72, "I"),
        "bytecode_magic": (76, "I"),
        "free_threaded": (80, "I"),
        "debug": (84, "I"),
        "layout_fingerprint": (88, "Q"),
        "load_bias": (96, "Q"),
        "witness": (104, "Q"),
        "build_id_bytes": (112, "I"),
        "optimization": (116, "I"),
        "build_id": (120, "32s"),
        "hash_witness": (152, "Q"),
    }
    PAGE = 4096
    BULK = 2
    MUST_UNDERSTAND = 1
    ENTRY = "<IIQQQ"  # of the directory, and of the extent table but for the meaning of `flags`
    EXTENTS = 3
    FIRST_SEGMENT = 64

    def __init__(self, path: Path) -> None:
        self.data = bytearray(path.read_bytes())

    def __getitem__(self, field: str):
        offset, form = self.FIELDS[field]
        return struct.unpack_from("<" + form, self.data, offset)[0]

    def __setitem__(self, field: str, value) -> None:
        offset, form = self.FIELDS[field]
        struct.pack_into("<" + form, self.data, offset, value)

    def directory(self) -> list[tuple[int, int, int, int, int]]:
        """(kind, flags, offset, bytes, checksum) for each part."""
        start = self["header_bytes"]
        return [
            struct.unpack_from(self.ENTRY, self.data, start + index * 32)
            for index in range(min(self["directory_count"], 100))
        ]

    def set_entry(self, index: int, entry: Sequence[int]) -> None:
        struct.pack_into(self.ENTRY, self.data, self["header_bytes"] + index * 32, *entry)

    def extents(self) -> list[tuple[int, int, int, int, int]]:
        """(kind, 0, offset, bytes, checksum) for what is checked in one piece."""
        for kind, _, offset, size, _ in self.directory():
            if kind == self.EXTENTS:
                part = self.data[offset : offset + size]
                return list(struct.iter_unpack(self.ENTRY, part))
        raise AssertionError("an image without an extent table")

    def is_bulk(self, kind: int) -> bool:
        """True for what is checked extent by extent, when it is used."""
        return any(entry[0] == kind and entry[1] & self.BULK for entry in self.directory())

    def is_checked(self, position: int) -> bool:
        """False for the few bytes that stand between what is anything."""
        if position < self.PAGE:
            return True
        tables = [entry for entry in self.directory() if not entry[1] & self.BULK]
        return any(
            offset <= position < offset + size
            for _, _, offset, size, _ in [*tables, *self.extents()]
        )

    def seal(self) -> ImageFile:
        """Makes the checksums of the header and of the tables right again, not those of bulk."""
        for index, (kind, flags, offset, size, checksum) in enumerate(self.directory()):
            if not flags & self.BULK and offset + size <= len(self.data):
                checksum = _tenure.checksum(self.data[offset : offset + size])
            self.set_entry(index, (kind, flags, offset, size, checksum))
        self["header_checksum"] = 0
        self["header_checksum"] = _tenure.checksum(self.data[: self.PAGE])
        return self

    def save(self, path: Path) -> Path:
        path.write_bytes(self.data)
        return path
