"""Python literals of any depth: what ast.literal_eval() evaluates, without recursion.

The interpreter's own parser nests no deeper than 200 brackets, and ast.literal_eval() may crash it. Not
for source with anything but one literal expression.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NoReturn

from ._deep_json import parse_int, shorten

_DIGITS = "[0-9](?:_?[0-9])*"
_FLOAT = rf"(?:(?:{_DIGITS})?\.{_DIGITS}|{_DIGITS}\.)(?:[eE][+-]?{_DIGITS})?|{_DIGITS}[eE][+-]?{_DIGITS}"
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:[ \t\f]|\\\n|\#[^\n]*)+)
  | (?P<newline>\n)
  | (?P<string>[A-Za-z]{{0,2}}(?:
        '''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+'''
      | \"\"\"[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+\"\"\"
      | '(?!'')[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'
      | "(?!"")[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"
    ))
  | (?P<based>0(?:[xX](?:_?[0-9a-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)(?!\w))
  | (?P<imaginary>(?:{_FLOAT}|{_DIGITS})[jJ](?!\w))
  | (?P<float>(?:{_FLOAT})(?!\w))
  | (?P<int>(?:[1-9](?:_?[0-9])*|0(?:_?0)*)(?!\w))
  | (?P<set>set\s*\(\s*\))
  | (?P<word>(?:True|False|None)(?!\w)|\.\.\.)
  | (?P<mark>[][(){{}},:+-])
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"True": True, "False": False, "None": None, "...": ...}
_CLOSES = {")": "(", "]": "[", "}": "{"}
_NOTHING: Any = object()
# hash() of tuples in tuples is recursive and unchecked.
_DEEPEST_KEY = 500


class LiteralError(ValueError):
    """Text that is no literal. line and column count from 1."""

    def __init__(self, what: str, text: str, position: int) -> None:
        super().__init__(what)
        self.line = text.count("\n", 0, position) + 1
        self.column = position - text.rfind("\n", 0, position)


def loads(text: str, *, refuse_duplicates: bool = False) -> Any:
    """Evaluates one literal expression, perhaps among blank lines and comments.

    Raises LiteralError. `refuse_duplicates` says whether a dict may have a key twice, which then has
    the last value.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise LiteralError("a NUL byte, which Python source cannot have", text, text.index("\0"))
    return _Reader(text, refuse_duplicates).read()


class _Frame:
    """An open bracket, or the whole text: what it holds, and the operand it holds next."""

    __slots__ = (
        *("bracket", "position", "items", "is_tuple", "key", "deepest"),
        *("value", "value_position", "kind", "depth", "sign", "left"),
    )

    def __init__(self, bracket: str, position: int) -> None:
        self.bracket = bracket
        self.position = position
        self.value_position = position
        self.items: Any = None if bracket == "{" else []
        self.is_tuple = False  # a comma was seen between parentheses
        self.key: Any = _NOTHING
        self.deepest = 0  # tuples in tuples, of the items
        self.value: Any = _NOTHING
        self.kind = ""  # of the value: "number", "signed" or "other"
        self.depth = 0  # of the value
        self.sign = ""  # to be applied to the value, or to be between left and the value
        self.left: Any = _NOTHING


class _Reader:
    def __init__(self, text: str, refuse_duplicates: bool) -> None:
        self._text = text
        self._refuse_duplicates = refuse_duplicates
        self._frames = [_Frame("", 0)]

    def read(self) -> Any:
        text, position, length = self._text, 0, len(self._text)
        frames = self._frames
        while position < length:
            token = _TOKEN.match(text, position)
            if token is None:
                self._fail_at(position)
            kind = token.lastgroup
            end = token.end()
            if kind == "newline":
                if len(frames) == 1 and not self._is_fresh(frames[0]):
                    self._expect_nothing(end)
                    break
            elif kind == "mark":
                self._mark(token[0], position)
            elif kind == "string":
                end = self._strings(token)
            elif kind != "space":
                self._atom(str(kind), token[0], position)
            position = end
        return self._finish(length)

    def _fail(self, what: str, position: int) -> NoReturn:
        raise LiteralError(what, self._text, position)

    def _fail_at(self, position: int) -> NoReturn:
        """Says what stands there and is no token of a literal."""
        rest = self._text[position : position + 80]
        if name := re.match(r"[^\W\d]\w*", rest):
            if rest[name.end() : name.end() + 1] in ("'", '"') and rest[name.end() :]:
                self._fail(f"a string that does not end, or has the prefix {name[0]}", position)
            self._fail(f"{shorten(name[0])} is no literal", position)
        if rest[0] in "'\"":
            self._fail("a string that does not end", position)
        if rest[0] in "0123456789.":
            self._fail("not a number as Python writes them", position)
        self._fail(f"{rest[0]!r} has no place in a literal", position)

    @staticmethod
    def _is_fresh(frame: _Frame) -> bool:
        return frame.value is _NOTHING and not frame.sign and not frame.is_tuple

    def _expect_nothing(self, position: int) -> None:
        text = self._text
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None or token.lastgroup not in ("space", "newline"):
                self._fail("something behind the literal", position)
            position = token.end()

    def _finish(self, position: int) -> Any:
        frame = self._frames[-1]
        if len(self._frames) > 1:
            self._fail(f"'{frame.bracket}' is never closed", frame.position)
        if self._is_fresh(frame):
            self._fail("no literal here", position)
        if frame.is_tuple:
            if frame.value is not _NOTHING or frame.sign:
                self._add(frame, position)
            return tuple(frame.items)
        return self._taken(frame, position)

    def _arrive(self, value: Any, kind: str, depth: int, position: int) -> None:
        """An operand is complete."""
        frame = self._frames[-1]
        if frame.value is not _NOTHING:
            self._fail("a comma is missing before this", position)
        if frame.left is not _NOTHING:
            if kind != "number" or type(value) is not complex:
                self._fail("only an imaginary number can be added here", position)
            value = frame.left + value if frame.sign == "+" else frame.left - value
            frame.left, frame.sign, kind = _NOTHING, "", "other"
        elif frame.sign:
            if kind != "number":
                self._fail(f"'{frame.sign}' is only for a number", position)
            value = -value if frame.sign == "-" else +value
            frame.sign, kind = "", "signed"
        frame.value, frame.kind, frame.depth = value, kind, depth
        frame.value_position = position

    def _atom(self, kind: str, text: str, position: int) -> None:
        value: Any
        if kind == "word":
            self._arrive(_WORDS[text], "other", 0, position)
            return
        if kind == "set":
            self._arrive(set(), "other", 0, position)
            return
        text = text.replace("_", "")
        if kind == "int":
            value = parse_int(text)
        elif kind == "based":
            value = int(text, 0)
        elif kind == "float":
            value = float(text)
        else:
            value = complex(0.0, float(text[:-1]))
        self._arrive(value, "number", 0, position)

    def _strings(self, token: re.Match[str]) -> int:
        """A string and those that follow it, which are one; gives the position behind them."""
        parts = [self._string(token)]
        start = token.start()
        end = position = token.end()
        while following := _TOKEN.match(self._text, position):
            position = following.end()
            if following.lastgroup == "string":
                parts.append(self._string(following))
                if type(parts[-1]) is not type(parts[0]):
                    self._fail("bytes and str side by side", following.start())
                end = position
            elif following.lastgroup != "space" and (
                following.lastgroup != "newline" or len(self._frames) == 1
            ):
                break
        self._arrive(type(parts[0])().join(parts), "other", 0, start)
        return end

    def _string(self, token: re.Match[str]) -> Any:
        text = token[0]
        quote = min(text.find(mark) for mark in "'\"" if mark in text)
        prefix = text[:quote].lower()
        if prefix not in ("", "r", "u", "b", "br", "rb"):
            what = "a template" if "t" in prefix else "an f-string" if "f" in prefix else "a string"
            self._fail(f"{what} with the prefix {text[:quote]} is no literal", token.start())
        if "b" in prefix and not text.isascii():
            self._fail("bytes with a character that is not ASCII", token.start())
        if "\\" in text and "r" not in prefix:
            try:
                return ast.literal_eval(text)
            except (SyntaxError, ValueError) as error:
                self._fail(getattr(error, "msg", str(error)), token.start())
        marks = 3 if text[quote:].startswith(('"""', "'''")) and len(text) - quote >= 6 else 1
        body = text[quote + marks : -marks]
        return body.encode("ascii") if "b" in prefix else body

    def _mark(self, mark: str, position: int) -> None:
        frame = self._frames[-1]
        if mark in "+-":
            if frame.value is _NOTHING:
                if frame.sign:
                    self._fail("one sign too many", position)
                frame.sign = mark
            else:
                if frame.kind == "other" or type(frame.value) is complex:
                    self._fail(f"'{mark}' has no place here", position)
                frame.left, frame.sign, frame.value = frame.value, mark, _NOTHING
        elif mark in "([{":
            if frame.value is not _NOTHING:
                self._fail(f"'{mark}' has no place behind a value", position)
            self._frames.append(_Frame(mark, position))
        elif mark == ":":
            if frame.bracket != "{" or frame.key is not _NOTHING or type(frame.items) is set:
                self._fail("':' has no place here", position)
            if frame.items is None:
                frame.items = {}
            frame.key = self._hashable(frame, position)
            if self._refuse_duplicates and frame.key in frame.items:
                self._fail(f"key {shorten(frame.key)} for the second time", frame.value_position)
        elif mark == ",":
            self._add(frame, position)
            frame.is_tuple = frame.bracket in ("", "(")
        else:
            self._close(mark, position)

    def _taken(self, frame: _Frame, position: int) -> Any:
        """The operand, which must be there and is not any longer."""
        if frame.value is _NOTHING:
            self._fail("a value is missing before this", position)
        value, frame.value = frame.value, _NOTHING
        frame.deepest = max(frame.deepest, frame.depth)
        return value

    def _hashable(self, frame: _Frame, position: int) -> Any:
        value = self._taken(frame, position)
        if frame.depth > _DEEPEST_KEY:
            what = f"a key of tuples nested more than {_DEEPEST_KEY} deep"
            self._fail(what, frame.value_position)
        try:
            hash(value)
        except TypeError as error:
            self._fail(f"{error}, so it cannot be a key or in a set", frame.value_position)
        return value

    def _add(self, frame: _Frame, position: int) -> None:
        """Puts the operand among the items."""
        if frame.bracket != "{":
            frame.items.append(self._taken(frame, position))
        elif frame.key is not _NOTHING:
            frame.items[frame.key] = self._taken(frame, position)
            frame.key = _NOTHING
        elif type(frame.items) is dict:
            self._fail("a key without a value", position)
        else:
            if frame.items is None:
                frame.items = set()
            frame.items.add(self._hashable(frame, position))

    def _close(self, mark: str, position: int) -> None:
        frame = self._frames[-1]
        if frame.bracket != _CLOSES[mark]:
            opened = f"'{frame.bracket}'" if frame.bracket else "nothing"
            self._fail(f"'{mark}' closes {opened}", position)
        is_group = mark == ")" and not frame.is_tuple and not self._is_fresh(frame)
        if is_group:
            value, kind, depth = self._taken(frame, position), frame.kind, frame.depth
        else:
            if frame.value is not _NOTHING or frame.sign or frame.key is not _NOTHING:
                self._add(frame, position)
            value = {} if frame.items is None else frame.items
            kind, depth = "other", 0
            if mark == ")":
                value, depth = tuple(value), frame.deepest + 1
        self._frames.pop()
        self._arrive(value, kind, depth, frame.position)
