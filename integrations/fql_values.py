"""The values of FQL: their kinds, strict equality, the functions and the glob patterns. Pure.

The functions follow Segment's "Destination Filter Query Language" page, null included; each gets its arguments already
checked for their kind. ``bool`` and ``string``, which the page only names, are settled at their definitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

Json = Any
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "list", type(None): "null", dict: "object"}


class FqlError(ValueError):
    """The condition can't be read, or makes no sense for this event; the text says what and where."""


def kind_of(value: Json) -> str:
    """FQL's name of a value's type; "object" for a JSON object, which FQL has no name for."""
    return _KINDS.get(type(value), "object")


def equal(left: Json, right: Json) -> bool:
    """Strict: 1 equals 1.0 (both are numbers), never true or '1'."""
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    if kind == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == "object":
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def _text_function(change: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda value: None if value is None else change(value)


def _title(text: str) -> str:
    return re.sub(r"(^|\s)(\S)", lambda found: found[1] + found[2].upper(), text)


def _length(value: str | list[Json] | None) -> int:
    """Bytes of a string, elements of a list."""
    if value is None:
        return 0
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else len(value)


def _match(value: str | None, pattern: str | None) -> bool:
    return value is not None and pattern is not None and glob(pattern).fullmatch(value) is not None


def _to_bool(value: Json) -> bool:
    """Null, 0, an empty list, "" and "false" are false."""
    return False if value == "false" and isinstance(value, str) else bool(value)


def _to_string(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def to_number(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.isascii() or not NUMBER.fullmatch(text) or len(text) > 100:
        raise FqlError(f"“{text[:60]}” is not a number")
    number = float(text) if set(text) & set(".eE") else int(text)
    if number in (float("inf"), float("-inf")):
        raise FqlError(f"{text[:60]} is too large a number")
    return number


@lru_cache(maxsize=1024)
def glob(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression for the whole text; ``*`` is atomic up to its next chunk: no backtracking."""
    chunks, at = [""], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char == "[":
            found, at = _glob_class(pattern, at + 1)
            chunks[-1] += found
        else:
            at += char == "\\"
            chunks[-1] += re.escape(_glob_char(pattern, at))
        at += 1
    first, *middle = chunks
    last = middle.pop() if middle else None
    body = first + "".join(f"(?>.*?{chunk})" for chunk in middle if chunk)
    return re.compile(body if last is None else f"{body}.*{last}", re.DOTALL)


def _glob_char(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise FqlError(f"the pattern “{pattern[:60]}” ends in the middle")
    return pattern[at]


def _glob_class(pattern: str, at: int) -> tuple[str, int]:
    """The class that starts after "[", and where its "]" is. A leading ^ negates it."""
    found = "["
    if _glob_char(pattern, at) == "^":
        found, at = "[^", at + 1
    begin = at
    while (char := _glob_char(pattern, at)) != "]":
        at += char == "\\"
        low = high = _glob_char(pattern, at)
        if _glob_char(pattern, at + 1) == "-":
            escaped = _glob_char(pattern, at + 2) == "\\"
            at += 3 if escaped else 2
            high = _glob_char(pattern, at)
            if low > high or (high == "]" and not escaped):
                raise FqlError(f"the pattern “{pattern[:60]}” has a range from “{low}” to “{high}”")
        found += f"{re.escape(low)}-{re.escape(high)}"
        at += 1
    if at == begin:
        raise FqlError(f"the pattern “{pattern[:60]}” has an empty [ ]")
    return found + "]", at


_TEXT = ("string",)
_CONVERTIBLE = ("list", "string", "number", "bool")
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[str, ...], ...], str]] = {
    "contains": (lambda s, sub: s is not None and sub is not None and sub in s, (_TEXT, _TEXT), "bool"),
    "match": (_match, (_TEXT, _TEXT), "bool"),
    "length": (_length, (("list", "string"),), "number"),
    "lowercase": (_text_function(str.lower), (_TEXT,), "string"),
    "uppercase": (_text_function(str.upper), (_TEXT,), "string"),
    "snakecase": (_text_function(lambda s: s.replace(" ", "_")), (_TEXT,), "string"),
    "kebabcase": (_text_function(lambda s: s.replace(" ", "-")), (_TEXT,), "string"),
    "titlecase": (_text_function(_title), (_TEXT,), "string"),
    "typeof": (kind_of, ((),), "string"),
    "bool": (_to_bool, (_CONVERTIBLE,), "bool"),
    "string": (_to_string, (_CONVERTIBLE,), "string"),
    "number": (to_number, (("number", "string"),), "number"),
}
