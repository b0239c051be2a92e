"""What every benchmark is given: how much to measure, where to put files, what children get."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from . import child
from .errors import BenchError, Skip
from .interleave import interleave
from .progress import Progress

T = TypeVar("T")

BENCH = Path(__file__).absolute().parents[1]
SAMPLES = BENCH / "samples"
OUT = BENCH.parent / "out"


class Context:
    """A context manager: on leaving, its folder of images and .pyc files is removed."""

    def __init__(
        self,
        progress: Progress,
        *,
        quick: bool = False,
        runs: int | None = None,
        seed: int | None = None,
    ) -> None:
        self.progress = progress
        self.quick = quick
        self._runs = runs
        self.seed = seed if seed is not None else time.time_ns() % 2**32
        self.python = describe_python()
        self.machine = describe_machine()
        self.pycache: Path | None = (
            None  # set by pyc.prepare when the .pyc files beside the sources will not do
        )
        self._made: dict[str, Any] = {}
        self._package = _package_state()
        OUT.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=OUT))

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returned the first time; the same failure again when it failed."""
        if key not in self._made:
            try:
                self._made[key] = make()
            except (BenchError, Skip) as error:
                self._made[key] = error
        value = self._made[key]
        if isinstance(value, Exception):
            raise value
        return value

    def package_changed(self) -> str:
        """A sentence when the package was rebuilt since the start, so that no number counts."""
        if _package_state() == self._package:
            return ""
        return "the package tenure was rebuilt meanwhile: run again when no build is going on"

    def rounds(self, usual: int) -> int:
        """How many rounds to measure: --runs, else the usual number or, with --quick, a quarter."""
        return self._runs or (max(3, usual // 4) if self.quick else usual)

    def interleave(
        self, what: str, sides: Mapping[str, Callable[[int], T]], rounds: int, warmup: int = 2
    ) -> dict[str, list[T]]:
        return interleave(
            sides,
            rounds=self.rounds(rounds),
            warmup=warmup,
            seed=self.seed,
            progress=self.progress,
            what=what,
        )

    def method(self, text: str) -> str:
        """A row's method, with the machine it was measured on."""
        return f"{text}; {self.machine}"

    def env(
        self, *, tenure: bool, hash_seed: int | str = "random", paths: tuple[Path, ...] = ()
    ) -> dict[str, str]:
        """A child's environment: of the caller's PYTHON* settings only PYTHONPATH gets through.

        Only the children that use Tenure have it on their path, so that the others search one
        folder less. No child writes .pyc files: those it reads were made before.
        """
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        folders = [str(path) for path in paths] + _caller_path()
        if tenure:
            folders.append(str(tenure_folder()))
        if folders:
            env["PYTHONPATH"] = os.pathsep.join(folders)
        env["PYTHONHASHSEED"] = str(hash_seed)
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        if self.pycache is not None:
            env["PYTHONPYCACHEPREFIX"] = str(self.pycache)
        return env

    def run_sample(self, script: str, *args: object, env: Mapping[str, str]) -> dict[str, Any]:
        """Runs a script of bench/samples in a fresh process; the JSON object that it prints."""
        return child.run_json(python_argv(SAMPLES / script, *args), env)


def python_argv(*args: object) -> list[str]:
    """This interpreter; -P keeps the script's own folder off the children's path."""
    return [sys.executable, "-P", *map(str, args)]


def tenure_folder() -> Path:
    """Where the package `tenure` was found."""
    spec = importlib.util.find_spec("tenure")
    if spec is None or spec.origin is None:
        raise BenchError(
            "the package tenure is not on the path: build it with ./dev, "
            "or set PYTHONPATH to the folder that has it"
        )
    return Path(spec.origin).absolute().parents[1]


def _package_state() -> list[tuple[str, int, int]]:
    """What tells one build of the package from another."""
    try:
        package = tenure_folder() / "tenure"
    except BenchError:
        return []
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    files = sorted([*package.glob("*.py"), *package.glob(f"*{suffix}")])
    return [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files]


def _caller_path() -> list[str]:
    """The caller's PYTHONPATH without the folder that has Tenure."""
    folders = [
        os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path
    ]
    return [path for path in folders if not os.path.isdir(os.path.join(path, "tenure"))]


def describe_python() -> str:
    """Such as CPython 3.14.8, and what else makes a build another one."""
    kinds = [" debug"] if hasattr(sys, "gettotalrefcount") else []
    kinds += [" free-threaded"] if sysconfig.get_config_var("Py_GIL_DISABLED") else []
    return f"{platform.python_implementation()} {platform.python_version()}{''.join(kinds)}"


def describe_machine() -> str:
    model = platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = " ".join(line.partition(":")[2].split())
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} core{'s' * (cores != 1)}, {platform.system()} {platform.release()}"


def load_average() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())
