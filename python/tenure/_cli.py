"""The commands of ``python3 -m tenure``: freeze, freeze-data, inspect, verify, run, stubs, embed.

Exit codes: 0 done, 1 could not be done (one sentence says why and what to do), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from . import __version__
from ._cli_common import UserError, check_output, count
from ._tenure import ImageError, checksum, inspect, load, no_code_reason, write_image


def main(argv: Sequence[str]) -> int:
    """Runs a command and returns the exit code. argv is without the program's name."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # paths may be any bytes
    try:
        # What stands behind "--" belongs to the training run.
        argv = list(argv)
        end = argv.index("--") if "--" in argv else len(argv)
        arguments = _parser().parse_args(argv[:end])
        arguments.args = argv[end + 1 :]
        status = arguments.command(arguments)
        sys.stdout.flush()
        return status
    except (UserError, ImageError) as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader has had enough; keep the interpreter from flushing into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _fail(f"{name}{error.strerror or error}")
    except KeyboardInterrupt:
        _fail("interrupted; nothing was written")
        return 130


def _parser() -> argparse.ArgumentParser:
    from ._cli_data import add_freeze_data

    parser = argparse.ArgumentParser(
        prog="python3 -m tenure",
        description="Freezes Python modules and data into images that are there in no time.",
    )
    parser.add_argument("--version", action="version", version=f"tenure {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    freeze = commands.add_parser(
        "freeze",
        help="make an image of packages and of what a program imports",
        usage="%(prog)s [PKG ...] [--trace SCRIPT] [-c CODE] [-m MODULE] -o FILE [-- ARG ...]",
        description="Named packages are frozen with everything below them, and none of their code"
        " is run. A training run (--trace, -c, -m) is run, in a process of its own, and every"
        " pure-Python module that it imports is frozen. All of them can be given more than once."
        " The image is for this interpreter and its -O options.",
    )
    freeze.add_argument("packages", metavar="PKG", nargs="*", help="package or module, recursively")
    for option, metavar, what in (
        ("--trace", "SCRIPT", "run this script and freeze what it imports"),
        ("-c", "CODE", "run this code and freeze what it imports"),
        ("-m", "MODULE", "run this module and freeze what it imports"),
    ):
        freeze.add_argument(option, metavar=metavar, dest="runs", action=_Run, help=what)
    freeze.add_argument("-o", "--output", metavar="FILE", required=True, help="the image to write")
    freeze.add_argument(
        "--errors",
        choices=("stop", "skip"),
        default="stop",
        help="stop at the first module that cannot be frozen and at a training run that fails, or"
        " leave such modules out (default: %(default)s)",
    )
    freeze.set_defaults(command=_freeze, runs=())

    add_freeze_data(commands)

    describe = commands.add_parser("inspect", help="describe an image")
    describe.add_argument("file", metavar="FILE")
    describe.add_argument("--json", action="store_true", help="everything there is, as JSON")
    describe.set_defaults(command=_inspect)

    verify = commands.add_parser("verify", help="load an image and check every object in it")
    verify.add_argument("file", metavar="FILE")
    verify.add_argument(
        "--sources",
        action="store_true",
        help="also list modules whose source file has changed since they were frozen",
    )
    verify.set_defaults(command=_verify)

    run = commands.add_parser(
        "run",
        help="run a program with an image loaded",
        usage="%(prog)s [--fast-exit[=check]] FILE (-m MODULE | -c CODE | SCRIPT) [ARG ...]",
        description="Loads FILE, then does what python3 would do with the rest.",
    )
    run.add_argument("file", metavar="FILE", help="the image; with --fast-exit - is none")
    run.add_argument(
        "--fast-exit",
        nargs="?",
        choices=["check"],
        help="end the process as tenure.fast_exit() does, without taking its objects apart; check runs"
        " the program both ways, twice or three times, and says what a full end would have done",
    )

    stubs = commands.add_parser(
        "stubs",
        help="write the .pyi files of extension modules made with Tenure",
        description="Imports each MODULE and writes what it says of itself, for type checkers and"
        " editors: a.b becomes a/b.pyi.",
    )
    stubs.add_argument("modules", metavar="MODULE", nargs="+", help="as in an import")
    stubs.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        default="-",
        help="the folder to write to, which is made; - prints to standard output, as does no -o",
    )
    stubs.set_defaults(command=_stubs)

    embed = commands.add_parser(
        "embed",
        help="make an image of data a part of a binary",
        usage="%(prog)s FILE --name NAME [-o DIR]",
        description="Writes what a compiler makes a part of an extension module or a program:"
        " NAME.h with a function for each root, NAME.cc, and NAME.s for the assembler, which looks"
        " for FILE where it is said to be; NAME.fixed.s in its place for position-dependent"
        " executables. In Bazel, static_graph() does it all.",
    )
    embed.add_argument("file", metavar="FILE", help="the image")
    embed.add_argument("--name", required=True, help="of the graph, and of its namespace in C++")
    embed.add_argument("-o", "--output", metavar="DIR", default=".", help="where to (default: .)")
    embed.set_defaults(command=_embed)
    return parser


class _Run(argparse.Action):
    """Collects training runs as (kind, target), in the order given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        kind = "" if option_string == "--trace" else str(option_string)
        namespace.runs = (*namespace.runs, (kind, values))


def _freeze(arguments: argparse.Namespace) -> int:
    from ._collect import CollectError, Collector, TrainingError
    from ._hints import familiar_strings, functions_that_ran
    from ._progress import Progress

    start = time.perf_counter()
    if no_code_reason:
        raise UserError(no_code_reason)
    if not arguments.packages and not arguments.runs:
        raise UserError("say what to freeze: packages, or a training run (--trace, -c or -m)")
    check_output(arguments.output)
    collector = Collector(arguments.errors)
    ran: set[tuple[str, int, str]] = set()
    try:
        for kind, target in arguments.runs:
            training = _add_training(collector, kind, target, arguments)
            ran |= training.ran
        for name in arguments.packages:
            collector.add_name(name)
        with Progress("reading modules") as progress:
            modules = collector.read(progress)
    except TrainingError as error:
        raise UserError(str(error)) from None
    except CollectError as error:
        raise UserError(
            f"{error.skip}\n(fix it, or use --errors skip to leave out what cannot be frozen)"
        ) from None
    if not modules:
        _list_skipped(collector.skipped)
        raise UserError("there is nothing to freeze, so no image was written")
    try:
        with Progress("writing the image") as progress:
            codes = [module.code for module in modules]
            write_image(
                arguments.output,
                [tuple(module) for module in modules],
                progress,
                familiar_strings(codes),
                functions_that_ran(codes, ran),
            )
    except (TypeError, ValueError) as error:
        raise UserError(f"an image cannot hold this: {error}") from None
    except OSError as error:
        raise UserError(f"cannot write {arguments.output}: {error.strerror or error}") from None
    _list_skipped(collector.skipped)
    size = os.path.getsize(arguments.output)
    print(
        f"{arguments.output}: {count(len(modules), 'module')} frozen, {len(collector.skipped)}"
        f" skipped, {size:,} bytes, {time.perf_counter() - start:.1f} s"
    )
    return 0


def _add_training(collector: Any, kind: str, target: str, arguments: argparse.Namespace) -> Any:
    from ._collect import TrainingError, train

    what = f"{kind} {target}" if kind else target
    print(f"running {what} to see what it imports", file=sys.stderr)
    training = train(kind, target, arguments.args)
    end = training.end
    if end is not None:
        if arguments.errors == "stop":
            raise TrainingError(
                f"the training run {end}\n"
                "(fix it, or use --errors skip to freeze what it has imported until then)"
            )
        print(f"the training run {end}; going on with what it has imported", file=sys.stderr)
    collector.add_traced(training.records)
    return training


def _list_skipped(skipped: Sequence[Any]) -> None:
    """One line for each error, and one for all notes of a kind."""
    notes: dict[str, list[str]] = {}
    for skip in skipped:
        if skip.is_error:
            print(f"skipped {skip}")
        else:
            notes.setdefault(skip.reason, []).append(skip.name)
    for reason, names in notes.items():
        print(f"skipped {', '.join(names)}: {reason}")


def _inspect(arguments: argparse.Namespace) -> int:
    found = inspect(arguments.file)
    if arguments.json:
        import json

        print(json.dumps(found, indent=2, default=str))
    else:
        # An image holds modules or data; what it has none of says nothing.
        held = ("modules", "roots")
        shown = {key: part for key, part in found.items() if part or key not in held}
        _show("", shown, 0)
    return 0


def _show(label: str, value: Any, depth: int) -> None:
    """Prints nested dicts and lists as indented lines; a list of equal dicts as a table."""
    margin = "  " * depth
    if isinstance(value, dict):
        if label:
            print(f"{margin}{label}")
        for key, part in value.items():
            _show(str(key), part, depth + bool(label))
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        rows = [[_text(part) for part in row.values()] for row in value]
        rows.insert(0, [str(key) for key in value[0]])
        widths = [max(map(len, column)) for column in zip(*rows)]
        print(f"{margin}{label} ({len(value)})")
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths))
            print(f"{margin}  {'  '.join(cells).rstrip()}")
    else:
        print(f"{margin}{label}: {_text(value)}")


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    if isinstance(value, bytes):
        return value.hex()
    return "-" if value is None else str(value)


def _verify(arguments: argparse.Namespace) -> int:
    image = load(arguments.file, check="full")
    found = image.verify()
    stale = _list_stale(arguments.file) if arguments.sources else 0
    for key, value in found.items():
        _show(str(key), value, 0)
    roots = getattr(image, "roots", {})
    held = [count(len(image.modules), "module")] if image.modules or not roots else []
    held += [count(len(roots), "root")] if roots else []
    if stale:
        print(f"{count(stale, 'module')} not as in the sources; freeze again to bring them in")
        return 1
    print(f"{arguments.file}: {' and '.join(held)}, nothing wrong")
    return 0


def _stubs(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from ._stubs import StubError, stub_of, write_stub

    try:
        # All of them before the first file, so that nothing is written if one cannot be made.
        texts = {name: stub_of(name) for name in arguments.modules}
        for name, text in texts.items():
            if arguments.output == "-":
                print(f"# {name}\n{text}" if len(texts) > 1 else text, end="")
            else:
                print(write_stub(Path(arguments.output), name, text))
    except StubError as error:
        raise UserError(str(error)) from None
    return 0


def _embed(arguments: argparse.Namespace) -> int:
    from ._embed import EmbedError, embed

    try:
        for path in embed(arguments.file, arguments.name, arguments.output):
            print(path)
    except EmbedError as error:
        raise UserError(str(error)) from None
    return 0


def _list_stale(path: str) -> int:
    """Lists the modules whose source is not what they were frozen from; returns how many."""
    stale = 0
    for module in inspect(path)["modules"]:
        state = _source_state(module)
        if state is not None:
            print(f"{state}: {module['name']} ({module['origin']})")
            stale += 1
    return stale


def _source_state(module: dict[str, Any]) -> str | None:
    """None when the source file is as it was, or was not there in the first place."""
    if not module["source_bytes"] and not module["source_checksum"]:
        return None
    try:
        with open(module["origin"], "rb") as file:
            source = file.read()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    known = module["source_bytes"], module["source_checksum"]
    return None if (len(source), checksum(source)) == known else "changed"


def _fail(message: str) -> int:
    print(f"tenure: {message}", file=sys.stderr)
    return 1
