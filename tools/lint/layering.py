"""Who may include whom, and that only core/abi knows CPython's layouts and versions."""

import re

import sources

# A part may include itself and these; tests and bench may include anything.
_BELOW = {
    "core/abi": set(),
    "core": {"core/abi"},
    "handles": {"core", "core/abi"},
    "pool": {"core", "core/abi"},
    "immortal": {"core", "core/abi"},
    "python": {"handles", "pool", "immortal", "core", "core/abi"},
    "examples": {"handles", "pool", "immortal", "core", "core/abi"},
}
_TOP = {"tests", "bench"}

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)

# Each with what to do instead.
_TOKENS = [
    (r"\bPY_(?:VERSION|MAJOR|MINOR|MICRO)\w*", "versions are told apart in core/abi: ask it for what differs"),
    (r"\bPy_(?:GIL_DISABLED|DEBUG|TRACE_REFS|REF_DEBUG)\b",
     "builds are told apart in core/abi: ask it for what differs"),
    (r"\bPy_BUILD_CORE\w*|\binternal/pycore\w*",
     "only core/abi sees the interpreter's own headers: add what is needed there"),
    (r"\b_Py\w+", "a private name of CPython: wrap it in core/abi"),
    (r"\bob_(?:refcnt\w*|shash|sval|digit|item|fval|hash|exports|ref_local|ref_shared|gc_bits)\b"
     r"|(?:->|\.)\s*(?:ob|dk|ma|lv|func|md)_\w+",
     "a field of CPython's: use the C API, or an accessor in core/abi"),
    (r"\b_?co_(?:code_adaptive|weakreflist|executors|extra|version|cached|monitoring)\b|(?:->|\.)\s*_?co_\w+",
     "a field of code objects: use an accessor in core/abi"),
    (r"\boffsetof\s*\(\s*Py\w+", "a layout of CPython's: put the offset into core/abi"),
]
_TOKEN = re.compile("|".join(f"(?P<t{i}>{token})" for i, (token, _) in enumerate(_TOKENS)))

_COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def _code_only(text):
    """The text with comments and literals blanked, lines kept; an include keeps its path."""
    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start:match.start()].lstrip().startswith("#") and match[0][0] == '"':
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])
    return _COMMENT_OR_LITERAL.sub(blank, text)


def _part(path):
    """The part of the house that a path, relative to the root, stands in; None when it is in none."""
    if path.startswith("core/abi/"):
        return "core/abi"
    part = path.split("/", 1)[0]
    return part if part in _BELOW or part in _TOP else None


def _include_problem(part, mark, included):
    if mark == "<":
        return None
    if not included.startswith("tenure/"):
        return f'"{included}": our headers are included by their whole name, "tenure/<folder>/<file>.h"'
    target = _part(included.removeprefix("tenure/"))
    if target is None:
        return f'"{included}": there is no such part'
    if part in _TOP or target == part or target in _BELOW[part]:
        return None
    if target in _TOP:
        return f'"{included}": nothing may include {target}/'
    return f'{part}/ may not include {target}/ ("{included}"): move what both need below both'


def check_file(path, text):
    """Problems of one file; `path` is relative to the root, with slashes."""
    part = _part(path)
    if part is None:
        return []
    code = _code_only(text)
    found = []
    for match in _INCLUDE.finditer(code):
        if problem := _include_problem(part, match[1], match[2]):
            found.append((match.start(2), problem))
    if part not in ("core/abi", "tests"):
        for match in _TOKEN.finditer(code):
            found.append((match.start(), f"{match[0]}: {_TOKENS[int(match.lastgroup[1:])][1]}"))
    return [f"{path}:{code.count(chr(10), 0, position) + 1}: {problem}" for position, problem in sorted(found)]


def check(root):
    problems = []
    for path in sources.files(root, sources.CPP_SUFFIXES):
        problems += check_file(path.as_posix(), (root / path).read_text())
    return problems
