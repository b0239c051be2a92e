"""The command ``python3 -m tenure freeze-data``: files of data into an image."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from typing import Any

from ._cli_common import UserError, check_output, count

_FORMATS = ("json", "jsonl", "csv", "tsv", "toml", "literal", "pickle")
_LARGEST_SEED = 2**32 - 1


def add_freeze_data(commands: Any) -> None:
    """Adds the command to argparse's subparsers."""
    parser = commands.add_parser(
        "freeze-data",
        help="make an image of data: JSON, CSV, TOML and others",
        usage="%(prog)s [NAME=]FILE ... -o FILE [options]",
        description="Each FILE becomes a root of the image, called NAME, or as the file is without"
        " its ending; tenure.load(...).roots has them by name, and .root is the only one. The end of"
        " a file's name says what it is, or --format does; - is standard input.",
    )
    parser.add_argument("files", metavar="[NAME=]FILE", nargs="*", help="the data")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the image to write")
    parser.add_argument("--format", choices=_FORMATS, help="what every FILE is")
    objects = parser.add_argument_group("objects")
    objects.add_argument(
        "--lists",
        choices=("tuple", "list"),
        default="tuple",
        help="what lists become (default: %(default)s)",
    )
    objects.add_argument(
        "--dict",
        "--dicts",
        dest="dicts",
        choices=("frozen", "builtin"),
        default="frozen",
        help="make a FrozenDict of every dict, or keep dicts (default: %(default)s)",
    )
    objects.add_argument(
        "--sets",
        choices=("frozen", "builtin"),
        default="frozen",
        help="make a frozenset of every set, or keep sets (default: %(default)s)",
    )
    objects.add_argument(
        "--hash",
        dest="hash_policy",
        choices=("lazy", "sealed", "fixed"),
        default="lazy",
        help="when hashes are filled in: as they are asked for, while loading, or now, for processes"
        " that run with this PYTHONHASHSEED (default: %(default)s)",
    )
    objects.add_argument(
        "--hash-seed", metavar="N", type=_seed, help="the PYTHONHASHSEED that --hash fixed is for"
    )
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--duplicate-keys",
        choices=("last", "refuse"),
        default="last",
        help="when an object of JSON or a literal has a key twice: take the last value, as Python"
        " does, or refuse the file (default: %(default)s)",
    )
    reading.add_argument(
        "--no-header",
        dest="header",
        action="store_false",
        help="CSV and TSV: the first row is data too; rows are lists of str, not dicts",
    )
    reading.add_argument("--delimiter", metavar="CHARACTER", help="CSV and TSV: between columns")
    reading.add_argument(
        "--unsafe-pickle",
        action="store_true",
        help="read pickles, which can run any code while they are read",
    )
    parser.set_defaults(command=_freeze_data)


def _seed(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > _LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"a seed is a number from 0 to {_LARGEST_SEED}")
    return int(text)


def _freeze_data(arguments: argparse.Namespace) -> int:
    from ._data import freeze_data
    from ._progress import Progress
    from ._readers import Options, ReadError, read

    start = time.perf_counter()
    sources = _sources([*arguments.files, *arguments.args])
    check_output(arguments.output)
    _check_not_a_source(arguments.output, sources)
    _settle_seed(arguments)
    options = Options(
        arguments.duplicate_keys, arguments.header, arguments.delimiter, arguments.unsafe_pickle
    )
    roots: dict[str, Any] = {}
    try:
        with Progress("reading data") as progress:
            for name, path in sources.items():
                progress(len(roots), len(sources))
                roots[name] = read(path, arguments.format, options)
    except ReadError as error:
        raise UserError(str(error)) from None
    try:
        with Progress("writing the image") as progress:
            counts = freeze_data(
                roots,
                arguments.output,
                roots=True,
                lists=arguments.lists,
                dicts=arguments.dicts,
                sets=arguments.sets,
                hash_policy=arguments.hash_policy,
                progress=progress,
            )
    except (TypeError, ValueError) as error:
        raise UserError(f"an image cannot hold this: {error}") from None
    except OSError as error:
        raise UserError(f"cannot write {arguments.output}: {error.strerror or error}") from None
    except MemoryError:
        raise UserError("memory does not suffice to write the image") from None
    print(
        f"{arguments.output}: {count(len(sources), 'root')}, {count(counts['objects'], 'object')},"
        f" {counts['bytes']:,} bytes, {time.perf_counter() - start:.1f} s"
    )
    return 0


def _sources(files: list[str]) -> dict[str, str]:
    """The path of each root, in the order given."""
    if not files:
        raise UserError("say what to freeze: one file or several")
    sources: dict[str, str] = {}
    for file in files:
        name, path = _split(file)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UserError(f"the name of {path} is not UTF-8; name the root: NAME={path}") from None
        if name in sources:
            raise UserError(
                f"{sources[name]} and {path} would both be the root {name!r};"
                f" name one of them otherwise: other={path}"
            )
        if path == "-" and "-" in sources.values():
            raise UserError("standard input can be read only once")
        sources[name] = path
    return sources


def _split(file: str) -> tuple[str, str]:
    """(name of the root, path) of an argument; a path may have an equals sign in it."""
    name, sign, path = file.partition("=")
    if sign and name and path and "/" not in name and not os.path.lexists(file):
        return name, path
    if file == "-":
        return "stdin", file
    return os.path.splitext(os.path.basename(os.path.normpath(file)))[0], file


def _check_not_a_source(output: str, sources: dict[str, str]) -> None:
    for path in sources.values():
        if os.path.exists(path) and os.path.exists(output) and os.path.samefile(path, output):
            raise UserError(f"the image would replace {path}, which it is made of; name another -o")


def _settle_seed(arguments: argparse.Namespace) -> None:
    """Starts this very command again when hashes are to be those of another seed."""
    seed = arguments.hash_seed
    if arguments.hash_policy != "fixed":
        if seed is not None:
            raise UserError("--hash-seed is for --hash fixed, which is not given")
        return
    given = os.environ.get("PYTHONHASHSEED") or "random"
    if sys.flags.ignore_environment:
        raise UserError("--hash fixed needs a hash seed, which python3 -I and -E do not look at")
    if seed is None:
        if given == "random":
            raise UserError("--hash fixed needs a seed that programs will run with: --hash-seed N")
    elif given == "random" or int(given) != seed:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
