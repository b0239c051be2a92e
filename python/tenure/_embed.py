"""Images as parts of binaries: ``python3 -m tenure embed``.

Beside the assembler's source of the image it writes a header with a function for each root, which
answers the view that fits the root's type, and the C++ source of the object behind them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import FrozenDict, load
from ._tenure import assembler_source


class EmbedError(Exception):
    """An image cannot be embedded as it was asked for; the text says why."""


# The view of each type, and its header among those of handles; all others are objects.
_VIEWS = {
    FrozenDict: ("Mapping", "mapping"),
    bool: ("Bool", "bool"),
    bytes: ("Bytes", "bytes"),
    complex: ("Complex", "complex"),
    dict: ("Dict", "dict"),
    float: ("Float", "float"),
    frozenset: ("FrozenSet", "set"),
    int: ("Int", "int"),
    list: ("List", "list"),
    set: ("Set", "set"),
    slice: ("Slice", "slice"),
    str: ("Str", "str"),
    tuple: ("Tuple", "tuple"),
}

_HEADER = """\
// The graph "{name}": made by python3 -m tenure embed.
#ifndef TENURE_GRAPH_{guard}_H_
#define TENURE_GRAPH_{guard}_H_

{includes}

namespace {name} {{

[[gnu::visibility("hidden")]] extern tenure::LinkedGraph graph;

// The roots. Borrowed, immortal; see LinkedGraph::root() on errors. Thread state: attached.
{accessors}
}}  // namespace {name}

#endif  // TENURE_GRAPH_{guard}_H_
"""

_ACCESSOR = """\
inline {result} {root}() {{
  return {result}(graph.root({number}));
}}
"""

_SOURCE = """\
// The graph "{name}": made by python3 -m tenure embed.
#include "tenure/immortal/linked/linked_graph.h"

extern "C" {{
[[gnu::visibility("hidden")]] extern const std::byte {symbol}_begin[];
[[gnu::visibility("hidden")]] extern const std::byte {symbol}_end[];
}}

namespace {name} {{

[[gnu::visibility("hidden")]] extern tenure::LinkedGraph graph;
constinit tenure::LinkedGraph graph("{name}", {symbol}_begin, {symbol}_end);

}}  // namespace {name}
"""

# Names of C++ that are none for a function or a namespace, and those that are taken.
_TAKEN = frozenset(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
    constinit continue decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while
    xor xor_eq graph std tenure""".split()
)


def embed(path: str, name: str, folder: str) -> list[Path]:
    """Writes NAME.h, NAME.cc, NAME.s and NAME.fixed.s into the folder, and returns where.

    Raises EmbedError, ImageError, OSError.
    """
    _check_name(name, "a graph")
    roots = load(path, check="full").roots
    for root in roots:
        _check_name(root, "a root")
    symbol = f"tenure_graph_{name}"
    files = {
        f"{name}.h": _header(name, roots).encode(),
        f"{name}.cc": _SOURCE.format(name=name, symbol=symbol).encode(),
        f"{name}.s": assembler_source(path, f".tenure.{name}", symbol),
        f"{name}.fixed.s": assembler_source(path, f".tenure.{name}", symbol, fixed=True),
    }
    written = []
    for file, text in files.items():
        written.append(Path(folder, file))
        written[-1].write_bytes(text)
    return written


def _check_name(name: str, what: str) -> None:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or name in _TAKEN or "__" in name:
        raise EmbedError(f"{what} cannot be called {name!r} in C++; give it another name")


def _header(name: str, roots: Any) -> str:
    headers = {"tenure/handles/borrowed.h", "tenure/handles/result.h"}
    headers.add("tenure/immortal/linked/linked_graph.h")
    accessors = []
    for number, (root, value) in enumerate(roots.items()):
        view, header = _VIEWS.get(type(value), ("Object", "object"))
        headers.add(f"tenure/handles/{header}.h")
        result = f"tenure::Result<tenure::Borrowed<tenure::{view}>>"
        accessors.append(_ACCESSOR.format(result=result, root=root, number=number))
    return _HEADER.format(
        name=name,
        guard=re.sub(r"\W", "_", name).upper(),
        includes="\n".join(f'#include "{header}"' for header in sorted(headers)),
        accessors="\n".join(accessors),
    )
