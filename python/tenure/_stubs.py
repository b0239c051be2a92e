"""Stub files for extension modules: ``python3 -m tenure stubs``.

A module that is made with Tenure's TENURE_MODULE knows what its functions and classes take and
answer; this asks it, adds the imports that annotations need, and writes the files.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path


class StubError(Exception):
    """No stub can be made or written; the text says why."""


def stub_of(name: str) -> str:
    """The text of a module's .pyi file. Imports the module; what that prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise StubError(f"cannot import {name}: {_said(error)}") from None
    describe = getattr(module, "__tenure_stub__", None)
    if describe is None:
        raise StubError(f"{name} is not made with Tenure: it has no __tenure_stub__()")
    try:
        return _with_imports(describe())
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise StubError(
            f"the stub of {name} is not Python: {error.msg} in line {error.lineno}: {line}"
        ) from None
    except Exception as error:
        raise StubError(f"cannot describe {name}: {_said(error)}") from None


def write_stub(folder: Path, name: str, text: str) -> Path:
    """Writes a module's file and returns where; a.b is b.pyi in a folder a."""
    path = folder.joinpath(*name.split(".")).with_suffix(".pyi")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StubError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _said(error: BaseException) -> str:
    kind = type(error).__name__
    return str(error) if isinstance(error, ImportError) else f"{kind}: {error}".rstrip(": ")


def _with_imports(text: str) -> str:
    """The text with the modules imported that its annotations and bases name."""
    tree = ast.parse(text)
    own = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    modules = sorted({module for module in _modules(tree) if module.split(".")[0] not in own})
    if not modules:
        return text
    # Behind the module's documentation.
    begin = 0
    if tree.body and ast.get_docstring(tree, clean=False) is not None:
        begin = tree.body[0].end_lineno or 0
    lines = text.splitlines(keepends=True)
    head, rest = "".join(lines[:begin]), "".join(lines[begin:]).lstrip("\n")
    imports = "".join(f"import {module}\n" for module in modules)
    return head + ("\n" if head else "") + imports + "\n" + rest


def _modules(tree: ast.AST) -> Iterator[str]:
    """What stands in front of the last dot of each dotted name, wherever types are said."""
    for node in ast.walk(tree):
        types: list[ast.expr | None] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            types.append(node.returns)
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            types.append(node.annotation)
        elif isinstance(node, ast.ClassDef):
            types += node.bases
        for said in types:
            yield from _dotted(said)


def _dotted(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        module = ast.unparse(node.value)
        if all(part.isidentifier() for part in module.split(".")):
            yield module
            return
    if node is not None:
        for part in ast.iter_child_nodes(node):
            yield from _dotted(part)
