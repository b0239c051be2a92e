"""What it takes to compile a module of bindings, and how large it is."""

from __future__ import annotations

import resource
import subprocess
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import binding_source, child, programs
from harness.context import BENCH, Context, python_argv
from harness.errors import BenchError
from harness.registry import benchmark
from harness.schema import Row, make_row

ROUNDS = 5
_NANOBIND = Path("/usr/share/nanobind")
# Where Tenure's own archives are among what Bazel made.
_PARTS = ("core", "core/abi", "handles", "handles/bind")

# For all; then what each library's own build files say for a release.
_COMMON = ("-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-w")
_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
_FLAGS: Mapping[str, Sequence[str]] = {
    "tenure": ("-std=c++20", "-O2", *_SECTIONS),
    "nanobind": (
        *("-std=c++17", "-Os", "-fno-stack-protector", "-fno-strict-aliasing", *_SECTIONS),
        *("-DNB_COMPACT_ASSERTIONS", f"-I{_NANOBIND}/include"),
    ),
    "pybind11": ("-std=c++17", "-O3", "-flto", "-fno-fat-lto-objects"),
}


@dataclass(frozen=True)
class _Side:
    source: Path
    empty: Path  # the source of a module with nothing in it
    flags: Sequence[str]
    library: Sequence[str]  # what is linked in and was not compiled for this module


def _gxx(ctx: Context, *arguments: object) -> None:
    argv = ["g++", *map(str, arguments)]
    child.run(argv, ctx.env(tenure=False), want_output=False)


def _prepare(ctx: Context) -> dict[str, _Side]:
    def make() -> dict[str, _Side]:
        folder = ctx.folder / "compile"
        (folder / "include").mkdir(parents=True)
        (folder / "include" / "tenure").symlink_to(BENCH.parent)
        includes = (f"-I{sysconfig.get_path('include')}", f"-I{folder / 'include'}")
        libraries = {"tenure": _archives(), "nanobind": [folder / "nanobind.o"], "pybind11": []}
        sides = {}
        for name, flags in _FLAGS.items():
            paths = folder / f"{name}.cc", folder / f"{name}_empty.cc"
            for path, empty in zip(paths, (False, True), strict=True):
                path.write_text(binding_source.source(name, empty=empty), encoding="utf-8")
            library = tuple(map(str, libraries[name]))
            sides[name] = _Side(*paths, (*_COMMON, *flags, *includes), library)
        combined = _NANOBIND / "src" / "nb_combined.cpp"
        _gxx(ctx, "-c", combined, "-o", *libraries["nanobind"], *sides["nanobind"].flags)
        return sides

    return ctx.once("compile", make)


def _archives() -> list[str]:
    root = programs.folder().parents[1]
    archives = [path for part in _PARTS for path in sorted((root / part).glob("lib*.a"))]
    found = [str(path) for path in archives if not path.stem.endswith(".free_threaded")]
    if not found:
        raise BenchError(f"Tenure's libraries are not in {root}: build the benchmarks with Bazel")
    return ["-Wl,--start-group", *found, "-Wl,--end-group"]


def _build(ctx: Context, side: _Side, output: Path, *, empty: bool = False) -> int:
    """Compiles and links in one command; bytes of the result without its symbols."""
    source = side.empty if empty else side.source
    _gxx(ctx, "-shared", "-s", *side.flags, source, *side.library, "-o", output)
    return output.stat().st_size


def _sizes(ctx: Context) -> dict[str, tuple[int, int]]:
    """For each library the bytes of the module, which has to be one that works, and of an empty."""

    def of(name: str, side: _Side) -> tuple[int, int]:
        folder = ctx.folder / "compile" / name
        folder.mkdir()
        module = f"{binding_source.NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
        size = _build(ctx, side, folder / module)
        code = (
            f"import {binding_source.NAME} as m; assert m.function1(1, c=3, b=2) == 0; "
            f"assert m.Class{binding_source.CLASSES}(1.5, n=2).n == 2"
        )
        child.run(python_argv("-c", code), ctx.env(tenure=False, paths=(folder,)))
        return size, _build(ctx, side, folder / "empty.so", empty=True)

    def measure() -> dict[str, tuple[int, int]]:
        return {name: of(name, side) for name, side in _prepare(ctx).items()}

    return ctx.once("compile sizes", measure)


def _times(ctx: Context) -> dict[str, list[float]]:
    def side(name: str) -> Callable[[int], float]:
        output = ctx.folder / "compile" / f"{name}.so"

        def sample(_: int) -> float:
            before = _children_cpu()
            _build(ctx, _prepare(ctx)[name], output)
            return _children_cpu() - before

        return sample

    _prepare(ctx)
    sides = {name: side(name) for name in _FLAGS}
    return ctx.interleave("call/compile", sides, rounds=ROUNDS, warmup=1)


def _children_cpu() -> float:
    """Seconds that the children which ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _versions(ctx: Context) -> dict[str, str]:
    """Of the peers, as the modules of `./dev bench call` say."""
    versions = {}
    for name in _FLAGS.keys() - {"tenure"}:
        code = f"import json, call_{name} as m; print(json.dumps({{'version': m.version}}))"
        env = ctx.env(tenure=False, paths=(programs.folder(),))
        versions[name] = child.run_json(python_argv("-c", code), env)["version"]
    return versions


def _compiler() -> str:
    shown = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()[0]


def _row(
    ctx: Context, name: str, unit: str, values: Mapping[str, Sequence[float]], what: str
) -> Row:
    versions = ctx.once("compile versions", lambda: _versions(ctx))
    flags = "; ".join(f"{side}: {' '.join(flags)}" for side, flags in _FLAGS.items())
    how = (
        f"{what}; a generated module of {binding_source.FUNCTIONS} functions and "
        f"{binding_source.CLASSES} classes of {binding_source.METHODS} methods each; "
        f"{_compiler()}; {flags.replace(str(_NANOBIND), 'nanobind')}"
    )
    peers = {f"{versions[side]}, {ctx.python}": values[side] for side in sorted(versions)}
    return make_row(name, unit, "lower", ctx.python, values["tenure"], peers, ctx.method(how))


@benchmark("call/compile")
def time(ctx: Context) -> Row:
    """CPU time to compile and link a module of 50 functions and 5 classes."""
    what = "CPU time of one g++ that compiles the module and links it to its library, which is "
    what += "compiled once for all modules (pybind11 has none); interleaved, medians"
    return _row(ctx, "call/compile", "s", _times(ctx), what)


@benchmark("call/compile/size")
def size(ctx: Context) -> Row:
    """How large it is, stripped, with all that is linked into it."""
    sizes = _sizes(ctx)
    empty = ", ".join(f"{name} {bare / 1024:.0f}" for name, (_, bare) in sizes.items())
    what = f"the stripped module; KiB of one with nothing in it: {empty}"
    values = {name: [whole / 1024] for name, (whole, _) in sizes.items()}
    return _row(ctx, "call/compile/size", "KiB", values, what)


@benchmark("call/compile/size-of-bindings")
def size_of_bindings(ctx: Context) -> Row:
    """How much larger it is than a module with nothing in it: without the library's own code."""
    values = {name: [(whole - bare) / 1024] for name, (whole, bare) in _sizes(ctx).items()}
    what = "the stripped module less one with nothing in it, which has what all modules share"
    return _row(ctx, "call/compile/size-of-bindings", "KiB", values, what)
