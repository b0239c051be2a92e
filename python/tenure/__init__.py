"""Frozen modules and data as images of immortal objects.

    import tenure
    tenure.load("app.tenure")     # before the modules it holds are imported
    import django.db.models       # comes from the image

    table = tenure.load("countries.tenure").root

An image is made by ``python3 -m tenure freeze``, or ``freeze-data``. It is code: load only what you
would execute.
"""

from ._tenure import FrozenDict, Image, ImageError, json_default, load

__all__ = [
    "FrozenDict",
    "Image",
    "ImageError",
    "__version__",
    "deferred",
    "freeze_data",
    "json_default",
    "load",
    "write_report",
]

__version__ = "0.1.0"

# For type checkers, which believe it; the module typing takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._data import freeze_data


def __getattr__(name: str) -> object:
    # Most programs never look at these, and each module read is time at start.
    if name == "freeze_data":
        from ._data import freeze_data

        return freeze_data
    if name == "deferred":
        from importlib import import_module

        return import_module(".deferred", __name__)
    if name == "write_report":
        from ._write_report import write_report

        return write_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
