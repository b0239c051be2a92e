"""Frozen modules and data as images of immortal objects.

    import tenure
    tenure.load("app.tenure")     # before the modules it holds are imported
    import django.db.models       # comes from the image

    table = tenure.load("countries.tenure").root

An image is made by ``python3 -m tenure freeze``, or ``freeze-data``. It is code: load only what you
would execute.

Objects that are alive already can be made immortal where they are, for children to share:

    tenure.prefork()              # before a server forks its workers

And processes, or big graphs, can go without anybody waiting for it:

    tenure.release(graph); del graph
    tenure.fast_exit()
"""

from ._tenure import FrozenDict, Image, ImageError, fast_exit, json_default, load, release

__all__ = [
    "FrozenDict",
    "Image",
    "ImageError",
    "Immortalized",
    "PreforkReport",
    "__version__",
    "deferred",
    "fast_exit",
    "freeze_data",
    "immortalize",
    "json_default",
    "load",
    "prefork",
    "release",
    "write_report",
]

__version__ = "0.1.0"

# For type checkers, which believe it; the module typing takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import deferred
    from ._data import freeze_data
    from ._live import Immortalized, PreforkReport, immortalize, prefork
    from ._write_report import write_report

# Most programs never look at these, and each module read is time at start.
_LAZY = {
    "Immortalized": "_live",
    "PreforkReport": "_live",
    "deferred": None,
    "freeze_data": "_data",
    "immortalize": "_live",
    "prefork": "_live",
    "write_report": "_write_report",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = _LAZY[name]
    found = import_module(f".{module or name}", __name__)
    return getattr(found, name) if module else found
