"""Generated modules with many functions and a few classes, the same through each binding library.

For what it takes to compile one, and how large it gets. The same text every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FUNCTIONS = 50
CLASSES = 5
METHODS = 6
NAME = "generated"


@dataclass(frozen=True)
class Function:
    name: str
    answer: str
    parameters: Sequence[str]  # types; they are called a, b, c
    body: str

    @property
    def names(self) -> Sequence[str]:
        return "abc"[: len(self.parameters)]

    def definition(self) -> str:
        declared = ", ".join(f"{t} {n}" for t, n in zip(self.parameters, self.names, strict=True))
        return f"{self.answer} {self.name}({declared}) {{ return {self.body}; }}"


# Each with something of its number in it, so that no two are the same code.
_SHAPES = (
    ("double", ("double", "double"), "a * {0} + b"),
    ("long", ("long", "long", "long"), "a + b * {0} - c"),
    ("bool", ("long",), "a > {0}"),
    ("double", ("double",), "a - {0}"),
    ("long", ("bool", "long"), "a ? b : {0}"),
    ("double", ("long", "double", "bool"), "c ? a + b : b - {0}"),
    ("bool", ("double", "double"), "a < b + {0}"),
)


def functions(count: int, prefix: str, first: int = 1) -> list[Function]:
    made = []
    for number in range(first, first + count):
        answer, parameters, body = _SHAPES[number % len(_SHAPES)]
        name = f"{prefix}{number}"
        made.append(Function(name, answer, parameters, body.format(number)))
    return made


def _class(number: int) -> tuple[str, str, list[Function]]:
    """(its name, its definition, its methods)."""
    name = f"Class{number}"
    methods = functions(METHODS, "method", first=number * METHODS)
    lines = [f"struct {name} {{", "  double x;", "  long n;"]
    lines.append(f"  {name}(double x_value, long n_value) : x(x_value), n(n_value) {{}}")
    lines += [f"  {method.definition()}" for method in methods]
    return name, "\n".join([*lines, "};"]), methods


def _arguments(names: Sequence[str], form: str) -> str:
    return "".join(", " + form.format(name) for name in names)


def _bind_tenure(
    plain: Sequence[Function], classes: Sequence[tuple[str, str, list[Function]]]
) -> list[str]:
    form = 'tenure::arg("{}")'
    lines = [f"TENURE_MODULE({NAME}, m) {{"]
    for f in plain:
        lines.append(f'  m.def<&{f.name}>("{f.name}"{_arguments(f.names, form)});')
    for name, _, methods in classes:
        made = _arguments("xn", form)[2:]
        lines.append(f'  m.class_<{name}>("{name}")')
        lines.append(f"      .init<double, long>({made})")
        for f in methods:
            bound = f'.def<&{name}::{f.name}>("{f.name}"{_arguments(f.names, form)})'
            lines.append(f"      {bound}")
        lines.append(f'      .readonly<&{name}::x>("x")')
        lines.append(f'      .readonly<&{name}::n>("n");')
    return [*lines, "}"]


def _bind_like_pybind11(
    opening: str,
    readonly: str,
    plain: Sequence[Function],
    classes: Sequence[tuple[str, str, list[Function]]],
) -> list[str]:
    form = '"{}"_a'
    lines = [f"{opening}({NAME}, m) {{"]
    for f in plain:
        lines.append(f'  m.def("{f.name}", &{f.name}{_arguments(f.names, form)});')
    for name, _, methods in classes:
        lines.append(f'  binding::class_<{name}>(m, "{name}")')
        lines.append(f"      .def(binding::init<double, long>(){_arguments('xn', form)})")
        for f in methods:
            bound = f'.def("{f.name}", &{name}::{f.name}{_arguments(f.names, form)})'
            lines.append(f"      {bound}")
        lines.append(f'      .{readonly}("x", &{name}::x)')
        lines.append(f'      .{readonly}("n", &{name}::n);')
    return [*lines, "}"]


def source(library: str, *, empty: bool = False) -> str:
    """The C++ of the module, or of one with nothing in it.

    `library` is "tenure", "nanobind" or "pybind11".
    """
    plain = [] if empty else functions(FUNCTIONS, "function")
    classes = [] if empty else [_class(number) for number in range(1, CLASSES + 1)]
    if library == "tenure":
        headers = ["tenure/handles/bind/class.h", "tenure/handles/bind/module.h"]
        before = []
        bound = _bind_tenure(plain, classes)
    else:
        headers = [f"{library}/{library}.h"]
        before = [f"namespace binding = {library};", 'using binding::literals::operator""_a;']
        opening, readonly = {
            "nanobind": ("NB_MODULE", "def_ro"),
            "pybind11": ("PYBIND11_MODULE", "def_readonly"),
        }[library]
        bound = _bind_like_pybind11(opening, readonly, plain, classes)
    defined = [f.definition() for f in plain] + [text for _, text, _ in classes]
    lines = [f"#include <{header}>" for header in headers]
    lines += [*before, "namespace {", *defined, "}  // namespace", *bound]
    return "\n".join(lines) + "\n"
