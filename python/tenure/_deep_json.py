"""JSON of any depth, for what the standard library's reader cannot do.

Gives what json.loads() gives, without recursion, and says where a key stands that is given twice. Not
for anything else: json.loads() is more than ten times as fast.
"""

from __future__ import annotations

import re
from json import JSONDecodeError
from json.decoder import scanstring
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*").match
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?").match
_WORD = re.compile(r"null|true|false|NaN|-?Infinity").match
_WORDS = {
    "null": None,
    "true": True,
    "false": False,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
# No interpreter can be told to refuse as few digits as these.
_FEW_DIGITS = 512


def loads(text: str, *, refuse_duplicates: bool = False) -> Any:
    """Reads one JSON value. Raises JSONDecodeError, which says where the text is none."""
    open_containers: list[Any] = []
    keys: list[str] = []  # of the open dicts: where their next values belong
    known: dict[str, str] = {}

    def key_at(position: int) -> int:
        """Reads a key and its colon into `keys`; gives the position of its value."""
        if text[position : position + 1] != '"':
            raise JSONDecodeError("Expecting a key in double quotes", text, position)
        key, end = scanstring(text, position + 1, True)
        if refuse_duplicates and key in open_containers[-1]:
            raise JSONDecodeError(f"Key {shorten(key)} for the second time", text, position)
        end = _SPACE(text, end).end()
        if text[end : end + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", text, end)
        keys.append(known.setdefault(key, key))
        return _SPACE(text, end + 1).end()

    position = _SPACE(text, 0).end()
    while True:
        value, position, is_open = _begin_value(text, position)
        if is_open:
            open_containers.append(value)
            if type(value) is dict:
                position = key_at(position)
            continue
        # The value ends here, and perhaps containers with it.
        while open_containers:
            position = _SPACE(text, position).end()
            container = open_containers[-1]
            if type(container) is list:
                container.append(value)
                end = "]"
            else:
                container[keys.pop()] = value
                end = "}"
            next_one = text[position : position + 1]
            if next_one == ",":
                position = _SPACE(text, position + 1).end()
                if end == "}":
                    position = key_at(position)
                break
            if next_one != end:
                raise JSONDecodeError(f"Expecting ',' or '{end}'", text, position)
            value = open_containers.pop()
            position += 1
        else:
            position = _SPACE(text, position).end()
            if position != len(text):
                raise JSONDecodeError("Extra data", text, position)
            return value


def _begin_value(text: str, position: int) -> tuple[Any, int, bool]:
    """(value, position behind it, False), or (empty container, position of its first item, True)."""
    first = text[position : position + 1]
    if first == '"':
        return *scanstring(text, position + 1, True), False
    if first in ("[", "{"):
        position = _SPACE(text, position + 1).end()
        value: Any = [] if first == "[" else {}
        is_empty = text[position : position + 1] == ("]" if first == "[" else "}")
        return value, position + is_empty, not is_empty
    if number := _NUMBER(text, position):
        whole, fraction, exponent = number.groups()
        if fraction or exponent:
            return float(number[0]), number.end(), False
        return parse_int(whole), number.end(), False
    if word := _WORD(text, position):
        return _WORDS[word[0]], word.end(), False
    raise JSONDecodeError("Expecting value", text, position)


def parse_int(digits: str) -> int:
    """int() of decimal digits with a sign or none, whatever sys.set_int_max_str_digits() says.

    That limit is against conversions that take time quadratic in the digits, which this one does not.
    """
    if len(digits) <= _FEW_DIGITS:
        return int(digits)
    if digits[0] == "-":
        return -parse_int(digits[1:])
    powers: dict[int, int] = {}

    def convert(start: int, end: int) -> int:
        if end - start <= _FEW_DIGITS:
            return int(digits[start:end])
        # The low halves have a power of two of digits, so that they share their few powers of ten.
        low = 1 << (end - start - 1).bit_length() - 1
        if low not in powers:
            powers[low] = 10**low
        return convert(start, end - low) * powers[low] + convert(end - low, end)

    return convert(0, len(digits))


def shorten(value: object) -> str:
    """Its repr, of which a message shows the beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
