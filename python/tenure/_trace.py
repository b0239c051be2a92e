"""What a training run imports.

The upper part runs in the child process, which executes this file before the user's program. It
must not import anything that the program might: only what is built into the interpreter. The
collector uses kind_of() and reads the report.

The report is a text file of one Python literal a line: (name, kind, origin, cached, is_package,
loader), in the order in which the imports ended; then (filename, line, qualified name) for each
function that ran; and at the end the line "done".
"""

import sys

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _external

_DRIVER = "__tenure_trace__"

# Not one of the numbers that debuggers, coverage tools, profilers and optimizers are told to use.
_TOOL = 4

# What a loader may not change if its modules are to be frozen instead of loaded by it.
_LOADING = (
    "create_module",
    "exec_module",
    "get_code",
    "get_data",
    "get_filename",
    "is_package",
    "path_stats",
    "source_to_code",
)


def kind_of(loader: object) -> str:
    """Tells "source", "sourceless", "extension", "namespace", "builtin", "frozen", "zip" or "other"
    from the loader that imported a module."""
    if loader is None or isinstance(loader, _external.NamespaceLoader):
        return "namespace"
    if loader is _bootstrap.BuiltinImporter:
        return "builtin"
    if loader is _bootstrap.FrozenImporter:
        return "frozen"
    if isinstance(loader, _external.ExtensionFileLoader):
        return "extension"
    for base, kind in (
        (_external.SourceFileLoader, "source"),
        (_external.SourcelessFileLoader, "sourceless"),
    ):
        if isinstance(loader, base) and _loads_like(loader, base):
            return kind
    module = type(loader).__module__
    if module == "tenure._tenure":  # the program has loaded an image itself
        return "source" if loader.path.endswith(".py") else "sourceless"
    return "zip" if module == "zipimport" else "other"


def loader_name(loader: object) -> str:
    """The loader's type, for messages."""
    return f"{type(loader).__module__}.{type(loader).__qualname__}"


def _loads_like(loader: object, base: type) -> bool:
    own = getattr(loader, "__dict__", {})
    return all(
        getattr(type(loader), name, None) is getattr(base, name, None) and name not in own
        for name in _LOADING
    )


def _imported(before: set[str]) -> list[tuple[object, ...]]:
    """The records of all modules that are not in `before`, and of the program if it is a module."""
    records: list[tuple[object, ...]] = []
    get_dict = type(sys).__dict__["__dict__"].__get__  # runs no code of lazy modules
    for name, module in list(sys.modules.items()):
        try:
            if (name in before and name != "__main__") or not isinstance(module, type(sys)):
                continue
            spec = get_dict(module).get("__spec__")
            if type(spec) is not _bootstrap.ModuleSpec:
                continue
            if name == "__main__":
                name = spec.name  # of a module that is run as a program
            if spec.name != name or name == "__main__":
                continue
            kind = kind_of(spec.loader)
            if kind in ("builtin", "frozen") or name.partition(".")[0] == "tenure":
                continue
            is_package = spec.submodule_search_locations is not None
            loader = loader_name(spec.loader)
            records.append((name, kind, spec.origin, spec.cached, is_package, loader))
        except Exception:  # a module may be anything; what cannot be looked at is not frozen
            continue
    return records


def _watch_functions() -> set[tuple[str, int, str]]:
    """The functions that run from now on; costs each of them one call of ours. Empty for ever if
    the interpreter's monitoring tools are all in use."""
    ran: set[tuple[str, int, str]] = set()
    monitoring = sys.monitoring

    def started(code, offset, add=ran.add, disable=monitoring.DISABLE):
        if code.co_flags & 1:  # CO_OPTIMIZED: not the body of a module or class
            add((code.co_filename, code.co_firstlineno, code.co_qualname))
        return disable

    try:
        monitoring.use_tool_id(_TOOL, "tenure")
    except ValueError:
        return ran
    monitoring.register_callback(_TOOL, monitoring.events.PY_START, started)
    monitoring.set_events(_TOOL, monitoring.events.PY_START)
    return ran


def _drive() -> None:
    """Runs the program that sys.argv names: [this file, report, runner, kind, target, ARGS]."""
    import _io
    import atexit
    import posix

    _, report, runner, kind, target, *args = sys.argv
    if kind == "-m":
        import runpy as _  # as the interpreter itself does
    before = set(sys.modules)
    at_failure = None
    ran: set[tuple[str, int, str]] = set()
    process = posix.getpid()

    def write_report(open=_io.open, ascii=ascii, getpid=posix.getpid) -> None:
        if getpid() != process:
            return  # a forked child
        # Showing a traceback imports a lot.
        later = set() if at_failure is None else set(sys.modules) - at_failure
        lines = [ascii(record) for record in _imported(before | later)]
        lines += [ascii(function) for function in sorted(ran)]
        with open(report, "wb") as file:
            file.write("\n".join([*lines, "done\n"]).encode())  # needs no codec to be imported

    # Registered first, so it is called last: after the program's own exit handlers, and after its
    # threads have been waited for.
    atexit.register(write_report)
    with _io.open_code(runner) as file:
        code = compile(file.read(), runner, "exec", dont_inherit=True)
    namespace = {"__name__": _DRIVER, "__file__": runner}
    exec(code, namespace)
    ran = _watch_functions()
    try:
        status = namespace["run"](kind, target, args)
    except SystemExit:
        raise
    except BaseException:
        at_failure = set(sys.modules)
        raise
    if status:
        sys.exit(status)


if __name__ == "__main__":
    # The program gets the namespace of __main__ to itself.
    exec(sys._getframe().f_code, {"__name__": _DRIVER})
elif __name__ == _DRIVER:
    _drive()
