"""tenure.freeze_data(): from objects to a file that tenure.load() maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, Literal

from . import _tenure


def freeze_data(
    obj: Any,
    path: str | bytes | PathLike[Any],
    *,
    name: str = "root",
    roots: bool = False,
    lists: Literal["tuple", "list"] = "tuple",
    dicts: Literal["frozen", "builtin"] = "frozen",
    sets: Literal["frozen", "builtin"] = "frozen",
    hash_policy: Literal["lazy", "sealed", "fixed"] = "lazy",
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Writes an object and all that it refers to into an image; tenure.load(path).root is it again.

    obj: any graph of str, bytes, int, float, complex, bool, None, Ellipsis, tuple, list, dict, set,
    frozenset, range, slice, and datetime's date, time, datetime, timedelta, timezone, of any depth,
    with shared objects and with cycles through lists and dicts. It is not changed. Subclasses are
    refused, since an image does not keep what makes them different.

    path: str, bytes or os.PathLike. The file appears complete or not at all. name: what the object is
    called in `.roots`. roots: obj is a dict of str to objects, each of which is a root of its own;
    `.root` is then for images that have one.

    lists: "tuple" makes tuples of lists, "list" keeps them. dicts: "frozen" makes a FrozenDict of each
    dict, "builtin" keeps them. sets: "frozen" makes frozensets of sets, "builtin" keeps them. What is
    kept can be changed by a program that has loaded it, for itself.

    hash_policy: when the hashes of str and bytes, which differ from process to process, are filled in:
    "lazy" when asked for, "sealed" while loading, "fixed" while writing; such an image is for processes
    with the PYTHONHASHSEED of this one, which must be set.

    progress: called as progress(done, total), in objects; an exception that it raises ends the writing.

    Returns counts: "objects", "roots", and "bytes", the size of the file. Raises TypeError for what an
    image cannot hold, with the path to it ("$.a[3].b: object of type X"), ValueError for options that
    cannot be, OSError if the file cannot be written.
    """
    for option, value in (
        ("lists", lists),
        ("dicts", dicts),
        ("sets", sets),
        ("hash_policy", hash_policy),
    ):
        if not isinstance(value, str):
            raise TypeError(f"{option} is a str, not {_kind(value)}")
    if not roots:
        obj = {name: obj}
    elif not isinstance(obj, Mapping):
        raise TypeError(f"with roots=True obj is a dict of names to objects, not {_kind(obj)}")
    elif name != "root":
        raise ValueError("with roots=True the names are the keys of obj; leave out name")
    for key in obj:
        if not isinstance(key, str):
            raise TypeError(f"the name of a root is a str, not {_kind(key)}")
    return _tenure.write_data(
        path,
        dict(obj),
        lists=lists,
        dicts=dicts,
        sets=sets,
        hash_policy=hash_policy,
        progress=progress,
    )


def _kind(value: object) -> str:
    return type(value).__name__
