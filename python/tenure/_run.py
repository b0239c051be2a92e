"""Runs a program the way the interpreter's own command line does.

Used by ``tenure run`` and, in the child process of a training run, by executing this file: so it
imports nothing that an interpreter has not imported at its start, and nothing from this package
until an image is to be loaded. No function here returns to code that needs the globals of
``__main__``: the program takes them over.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType

_USAGE = (
    "usage: python3 -m tenure run [--fast-exit[=check]] FILE (-m MODULE | -c CODE | SCRIPT)"
    " [ARG ...]"
)


def main(argv: list[str]) -> int | None:
    """The command ``run``; argv is ["run", FILE, ...]. Returns the exit code or raises SystemExit.

    Exceptions of the program itself are shown and end the process as they would without Tenure.
    """
    fast = ""
    rest = argv[1:]
    if rest and rest[0] == "--fast-exit":
        fast = "yes"
    elif rest and rest[0].startswith("--fast-exit="):
        fast = rest[0].partition("=")[2]
        if fast != "check" and not fast.startswith("traced:"):
            return _fail(f"--fast-exit is given alone, or as --fast-exit=check\n{_USAGE}", 2)
    if fast:
        del rest[0]
    command = list(rest)
    # A dash is no image; neither is what stands in its place where none is asked for.
    image = rest.pop(0) if rest and not (fast and rest[0] in ("-m", "-c")) else "-" if rest else ""
    if not image or (image == "-" and not fast) or (image != "-" and image.startswith("-")):
        from tenure._cli import main as cli  # help, or the message about what is missing

        return cli(["run", *command])
    if not rest or (rest[0] in ("-m", "-c") and len(rest) < 2):
        return _fail(f"say what to run{_where(image, fast)}\n{_USAGE}", 2)
    if rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
        return _fail(f"unknown option {rest[0]}\n{_USAGE}", 2)

    report = None
    if fast.startswith("traced:"):
        from tenure._exit_trace import start

        fast, report = start(fast.partition(":")[2])
    if image != "-":
        from tenure._tenure import ImageError, load

        try:
            load(image)
        except ImageError as error:
            return _fail(f"{error}{_where(image, fast)}", 1)
    if fast == "check":
        from tenure._exit_check import check

        return check(command)
    arguments = (rest[0], rest[1], rest[2:]) if rest[0] in ("-m", "-c") else ("", rest[0], rest[1:])
    if fast == "yes":
        return _run_and_leave(*arguments, report)
    return run(*arguments)


def _where(image: str, fast: str) -> str:
    """The way out for whoever wrote a script where the image is to be."""
    is_script = bool(fast) and image.endswith((".py", ".pyz", ".pyc"))
    return f"; without an image, write - before {image}" if is_script else ""


def run(kind: str, target: str, args: list[str]) -> int | None:
    """Runs a module (kind "-m"), code ("-c") or a script, directory or zip file ("")."""
    try:
        return _program(kind, target, args)
    except SystemExit:
        raise
    except BaseException as error:
        _hide_own_frames(error)
        raise


def _run_and_leave(
    kind: str, target: str, args: list[str], report: "Callable[[dict[str, int]], None] | None"
) -> int | None:
    """The same, and ends the process as fast_exit() does; returns or raises if that cannot be."""
    import os

    from tenure._tenure import leave_after

    status = error = None
    try:
        status = _program(kind, target, args)
    except BaseException as ending:
        error = ending
    # Asked to go on with a prompt, the interpreter does not end yet.
    if not sys.flags.inspect and not os.environ.get("PYTHONINSPECT"):
        if error is not None and not isinstance(error, SystemExit):
            error.__traceback__ = _without_own_frames(error)
        left = leave_after(SystemExit(status) if error is None else error, report)
        if left is not None:
            return left
    if error is None:
        return status
    if not isinstance(error, SystemExit):
        _hide_own_frames(error)
    raise error


def _program(kind: str, target: str, args: list[str]) -> int | None:
    namespace = sys.modules["__main__"].__dict__
    builtins = namespace["__builtins__"]
    namespace.clear()
    namespace.update(
        __name__="__main__",
        __doc__=None,
        __package__=None,
        __loader__=sys.__spec__.loader,
        __spec__=None,
        __builtins__=builtins,
    )
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    runner = {"-m": _module, "-c": _code, "": _script}[kind]
    return runner(target, args, namespace)


def _module(name: str, args: list[str], namespace: dict[str, object]) -> None:
    import runpy

    sys.argv[:] = ["-m", *args]
    _set_path0(_here())
    runpy._run_module_as_main(name)  # what the interpreter itself calls for -m


def _code(text: str, args: list[str], namespace: dict[str, object]) -> None:
    sys.argv[:] = ["-c", *args]
    _set_path0("")
    code = _compile(text, "<string>")
    try:
        exec(code, namespace)
    except SystemExit:
        raise
    except BaseException:
        import linecache

        linecache._register_code(code, text, "<string>")  # for the traceback
        raise


def _script(path: str, args: list[str], namespace: dict[str, object]) -> int | None:
    import os

    sys.argv[:] = [path, *args]
    absolute = os.path.join(_here(), path)
    if _is_importable(path):
        import runpy

        _drop_path0()
        sys.path.insert(0, absolute)
        runpy._run_module_as_main("__main__", False)
        return None

    import _io
    from _frozen_importlib_external import SourceFileLoader, SourcelessFileLoader

    try:
        with _io.open_code(absolute) as file:
            source = file.read()
    except OSError as error:
        return _fail(f"can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}", 2)
    _set_path0(os.path.dirname(os.path.realpath(path)))
    namespace["__file__"] = absolute
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None
    if absolute.endswith(".pyc"):
        namespace["__loader__"] = loader = SourcelessFileLoader("__main__", absolute)
        code = loader.get_code("__main__")
    else:
        namespace["__loader__"] = SourceFileLoader("__main__", absolute)
        code = _compile(source, absolute)
    exec(code, namespace)
    return None


def _compile(source: str | bytes, path: str) -> "CodeType":
    if sys.version_info >= (3, 15):
        return compile(source, path, "exec", dont_inherit=True, module="__main__")
    return compile(source, path, "exec", dont_inherit=True)


def _is_importable(path: str) -> bool:
    """True for a directory or a zip file, which are run by their module ``__main__``."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _drop_path0() -> None:
    """Removes the entry that the interpreter put in front of sys.path for ``-m tenure``."""
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]


def _set_path0(entry: str) -> None:
    """Makes `entry` the first of sys.path, where the interpreter's options allow that."""
    if sys.flags.safe_path:
        return
    _drop_path0()
    sys.path.insert(0, entry)


def _here() -> str:
    """The current directory; empty if it has been removed."""
    import os

    try:
        return os.getcwd()
    except OSError:
        return ""


def _hide_own_frames(error: BaseException) -> None:
    """Takes the frames of this package out of the traceback that is about to be shown.

    Raising again adds the frames between here and the top once more, so they are removed at the
    very end, in the hook that shows it.
    """
    traceback = _without_own_frames(error)
    hook = sys.excepthook

    def show(kind: type, value: BaseException, _: object) -> None:
        sys.excepthook = hook
        value.__traceback__ = sys.last_traceback = traceback
        hook(kind, value, traceback)

    sys.excepthook = show


def _without_own_frames(error: BaseException) -> "TracebackType | None":
    traceback = error.__traceback__
    own_file = run.__code__.co_filename
    while traceback is not None and traceback.tb_frame.f_code.co_filename == own_file:
        traceback = traceback.tb_next
    return traceback


def _fail(message: str, status: int) -> int:
    print(f"tenure: {message}", file=sys.stderr)
    return status
