"""Segment's filter language FQL, compiled once per text into a closure. Pure.

Written after Segment's "Destination Filter Query Language" page. What it leaves open is settled here like this: a field
that is missing is null; ``<`` ``<=`` ``>`` ``>=`` and ``in`` are false when a side is null, ``!`` takes null for false (as
Segment's own browser evaluator does); any other type that does not fit is an error, never a guess. A string may stand in
single or double quotes; in it a backslash escapes a quote or a backslash and otherwise stays, so that ``'ab\\*d'`` reaches
``match`` whole.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

MAX_LENGTH = 10_000
MAX_DEPTH = 30

Json = Any
Run = Callable[[Mapping[str, Json]], Any]
_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "list", type(None): "null", dict: "object"}
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(
    r"""\s*(?: (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
        | (?P<word>\+?(?:[\w\-]|\\.)(?:[\w\-.]|\\.)*)
        | (?P<sign>!=|<=|>=|[=<>!(),\[\]]) )""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)


class FqlError(ValueError):
    """The condition can't be read, or makes no sense for this event; the text says what and where."""


class _Token(NamedTuple):
    kind: str  # string, word, sign, end
    text: str
    start: int
    end: int


class _Node(NamedTuple):
    run: Run
    kind: str  # what it gives unless that is null: a kind of _KINDS, or "any" for a field
    text: str
    constant: bool = False


def kind_of(value: Json) -> str:
    """FQL's name of a value's type; "object" for a JSON object, which FQL has no name for."""
    return _KINDS.get(type(value), "object")


def evaluate(text: str, payload: Mapping[str, Json]) -> bool:
    """Whether the condition holds. Raises FqlError, and nothing else, when that can't be told."""
    return compile_condition(text)(payload)


def compile_condition(text: str) -> Callable[[Mapping[str, Json]], bool]:
    """The condition as a function of an event's payload that returns a bool or raises FqlError. Cached by text."""
    found = _compiled(text)
    if isinstance(found, str):
        raise FqlError(found)
    return found


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Callable[[Mapping[str, Json]], bool] | str:
    """The function, or what is wrong: a condition that can't be read is remembered as well."""
    try:
        run = _truth(_Parser(text).whole()).run
    except (FqlError, ValueError, OverflowError) as error:
        return str(error)

    def holds(payload: Mapping[str, Json]) -> bool:
        try:
            return run(payload)
        except FqlError:
            raise
        except (TypeError, ValueError, OverflowError, RecursionError, AttributeError) as error:
            raise FqlError(f"a value is too large or too deeply nested ({type(error).__name__})") from error

    return holds


def path_parts(path: str) -> tuple[str, ...]:
    """The keys of a dotted path; a backslash takes the next character literally. Raises FqlError for an empty key."""
    parts = re.findall(r"(?:^|(?<=\.))((?:[^.\\]|\\.)*)(?:\.|$)", path, re.DOTALL) if "\\" in path else path.split(".")
    if "\\" in path:
        parts = _split_escaped(path)
    if not all(parts):
        raise FqlError(f"“{path}” is not a field path: a name is missing beside a dot")
    return tuple(parts)


def _split_escaped(path: str) -> list[str]:
    parts, escaped = [""], False
    for char in path:
        if escaped or char not in "\\.":
            parts[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            parts.append("")
    return parts


def getter(parts: Sequence[str]) -> Run:
    """A function that finds the value at these keys, or None."""
    if len(parts) == 1:
        return operator.methodcaller("get", parts[0])
    first, *rest = parts

    def run(payload: Mapping[str, Json]) -> Json:
        value = payload.get(first)
        for key in rest:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return run


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise FqlError(f"the condition is longer than {MAX_LENGTH} characters")
    tokens, at, stop = [], 0, len(text.rstrip())
    while at < stop:
        match = _TOKEN.match(text, at)
        if match is None:
            raise FqlError(_unreadable(text, at))
        kind = match.lastgroup or ""
        tokens.append(_Token(kind, match[kind], match.start(kind), match.end()))
        at = match.end()
    return [*tokens, _Token("end", "", len(text), len(text))]


def _unreadable(text: str, at: int) -> str:
    at += len(text[at:]) - len(text[at:].lstrip())
    char = text[at]
    if char in "'\"":
        return f"the text that starts at character {at + 1} has no closing quote"
    return f"“{char}” at character {at + 1} can't be read; in a field's name put a backslash before it"


class _Parser:
    """Recursive descent: or, and, !, comparison, value. ``depth`` bounds nesting, so that no text exhausts the stack."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, _tokens(text), 0, 0

    def whole(self) -> _Node:
        if self.tokens[0].kind == "end":
            raise FqlError("the condition is empty")
        node = self.any_of()
        if self.peek.kind != "end":
            raise self.unexpected()
        return node

    @property
    def peek(self) -> _Token:
        return self.tokens[self.at]

    def accept(self, *signs: str) -> str:
        """The next token's text when it is one of these signs or keywords, and steps over it; else ""."""
        token = self.peek
        if token.kind != "string" and token.text in signs:
            self.at += 1
            return token.text
        return ""

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.unexpected(f"“{sign}” is missing")

    def unexpected(self, wanted: str = "") -> FqlError:
        token = self.peek
        found = f"“{token.text}” at character {token.start + 1} was not expected"
        return FqlError("; ".join(filter(None, (found if token.kind != "end" else "the condition ends too early", wanted))))

    def any_of(self) -> _Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FqlError(f"more than {MAX_DEPTH} levels are nested")
        node = self.chain("or", lambda: self.chain("and", self.negated))
        self.depth -= 1
        return node

    def chain(self, word: str, part: Callable[[], _Node]) -> _Node:
        start, nodes = self.peek.start, [part()]
        while self.accept(word):
            nodes.append(part())
        if len(nodes) == 1:
            return nodes[0]
        return _Node(_joined(word, [_truth(node).run for node in nodes]), "bool", self.since(start))

    def negated(self) -> _Node:
        start, count = self.peek.start, 0
        while self.accept("!"):
            count += 1
        node = self.comparison()
        if not count:
            return node
        run = _truth(node).run
        return _Node((lambda p: not run(p)) if count % 2 else run, "bool", self.since(start))

    def comparison(self) -> _Node:
        start, left = self.peek.start, self.value()
        sign = self.accept("=", "!=", "<", "<=", ">", ">=", "in")
        if not sign:
            return left
        return _Node(_compared(sign, left, self.value()), "bool", self.since(start))

    def value(self) -> _Node:
        token = self.peek
        if self.accept("("):
            node = self.any_of()
            self.expect(")")
            return node
        if self.accept("["):
            return self.list_from(self.items("]"), token.start)
        if token.kind not in ("string", "word") or token.text in ("and", "or", "in"):
            raise self.unexpected()
        self.at += 1
        if token.kind == "word" and self.accept("("):
            return _call(token.text, self.items(")"), self.since(token.start))
        return _literal(token) or _Node(getter(path_parts(token.text)), "any", token.text)

    def items(self, end: str) -> list[_Node]:
        nodes: list[_Node] = []
        if self.accept(end):
            return nodes
        while True:
            nodes.append(self.any_of())
            if not self.accept(","):
                self.expect(end)
                return nodes

    def list_from(self, nodes: list[_Node], start: int) -> _Node:
        constant = all(node.constant for node in nodes)
        fixed = [node.run({}) for node in nodes] if constant else []
        run: Run = (lambda p: fixed) if constant else (lambda p: [node.run(p) for node in nodes])
        return _Node(run, "list", self.since(start), constant)

    def since(self, start: int) -> str:
        return self.text[start : self.tokens[self.at - 1].end]


def _literal(token: _Token) -> _Node | None:
    text = token.text
    if token.kind == "string":
        value: Json = re.sub(r"\\(['\"\\])", r"\1", text[1:-1])
    elif _NUMBER.fullmatch(text):
        value = _to_number(text)
    elif text in ("true", "false", "null"):
        value = {"true": True, "false": False}.get(text)
    elif text.startswith("+"):
        raise FqlError(f"“{text}” is neither a number nor a field")
    else:
        return None
    return _Node(lambda p: value, kind_of(value), text, True)


def _shown(node: _Node) -> str:
    return node.text if len(node.text) <= 60 else node.text[:59] + "…"


def _wrong(node: _Node, kind: str, wanted: str) -> FqlError:
    return FqlError(f"{_shown(node)} is a {kind}, where {wanted} is needed")


def _truth(node: _Node) -> _Node:
    """The node as a condition: null counts as false, any other type is an error."""
    if node.kind not in ("bool", "any", "null"):
        raise _wrong(node, node.kind, "true or false")
    if node.kind == "bool":
        return node

    def run(payload: Mapping[str, Json]) -> bool:
        value = node.run(payload)
        if value is True or value is False:
            return value
        if value is None:
            return False
        raise _wrong(node, kind_of(value), "true or false")

    return _Node(run, "bool", node.text)


def _joined(word: str, parts: list[Run]) -> Run:
    found = word == "or"  # the value that settles it: later parts are not evaluated

    def run(payload: Mapping[str, Json]) -> bool:
        for part in parts:
            if part(payload) is found:
                return found
        return not found

    return run


def _equal(left: Json, right: Json) -> bool:
    """Strict: 1 equals 1.0 (both are numbers), never true or '1'."""
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    if kind == "list":
        return len(left) == len(right) and all(map(_equal, left, right))
    if kind == "object":
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return bool(left == right)


def _compared(sign: str, left: _Node, right: _Node) -> Run:
    if sign == "in":
        return _membership(left, right)
    if sign not in ("=", "!="):
        return _ordered(sign, left, right)
    find, other = left.run, right.run
    if right.kind == "string" and right.constant:  # the common case; only a string equals a string
        text = other({})
        return (lambda p: find(p) == text) if sign == "=" else (lambda p: find(p) != text)
    return (lambda p: _equal(find(p), other(p))) if sign == "=" else (lambda p: not _equal(find(p), other(p)))


def _checked(node: _Node, kinds: tuple[str, ...]) -> Run:
    """The node's value, which must be of one of these kinds or null."""
    wanted = " or ".join(f"a {kind}" for kind in kinds)
    if node.kind not in (*kinds, "any", "null"):
        raise _wrong(node, node.kind, wanted)
    if node.kind in kinds and node.constant:
        return node.run

    def run(payload: Mapping[str, Json]) -> Json:
        value = node.run(payload)
        if value is not None and kind_of(value) not in kinds:
            raise _wrong(node, kind_of(value), wanted)
        return value

    return run


def _ordered(sign: str, left: _Node, right: _Node) -> Run:
    first, second = _checked(left, ("number",)), _checked(right, ("number",))
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[sign]

    def run(payload: Mapping[str, Json]) -> bool:
        a, b = first(payload), second(payload)
        return a is not None and b is not None and compare(a, b)

    return run


def _membership(left: _Node, right: _Node) -> Run:
    find, options = _checked(left, ("string", "number", "bool")), _checked(right, ("list",))

    def run(payload: Mapping[str, Json]) -> bool:
        value = find(payload)
        return any(_equal(value, option) for option in options(payload) or ())

    return run


def _call(name: str, arguments: list[_Node], text: str) -> _Node:
    if name not in _FUNCTIONS:
        raise FqlError(f"there is no function “{name}”; there are {', '.join(_FUNCTIONS)}")
    function, parameters, kind = _FUNCTIONS[name]
    if len(arguments) != len(parameters):
        raise FqlError(f"{name} takes {len(parameters)} value{'s'[: len(parameters) - 1]}, not {len(arguments)}")
    if name == "match" and arguments[1].constant and arguments[1].kind == "string":
        _glob(arguments[1].run({}))  # a bad pattern shows when it is written, not with the first event
    checked = [_checked(node, kinds) if kinds else node.run for node, kinds in zip(arguments, parameters, strict=True)]
    if len(checked) == 1:
        only = checked[0]
        return _Node(lambda p: function(only(p)), kind, text)
    first, second = checked
    return _Node(lambda p: function(first(p), second(p)), kind, text)


def _text_function(change: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda value: None if value is None else change(value)


def _length(value: str | list[Json] | None) -> int:
    """Bytes of a string, elements of a list."""
    if value is None:
        return 0
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else len(value)


def _match(value: str | None, pattern: str | None) -> bool:
    return value is not None and pattern is not None and _glob(pattern).fullmatch(value) is not None


def _to_bool(value: Json) -> bool:
    """Null, 0, an empty list, "" and "false" are false."""
    return False if value == "false" and isinstance(value, str) else bool(value)


def _to_string(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _to_number(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.isascii() or not _NUMBER.fullmatch(text) or len(text) > 100:
        raise FqlError(f"“{text[:60]}” is not a number")
    number = float(text) if set(text) & set(".eE") else int(text)
    if number in (float("inf"), float("-inf")):
        raise FqlError(f"{text[:60]} is too large a number")
    return number


@lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    """The whole-string pattern as a regular expression; ``*`` is atomic up to its next chunk, so it never backtracks."""
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
            at += 2
            at += _glob_char(pattern, at) == "\\"
            high = _glob_char(pattern, at)
        if low > high or high == "]":
            raise FqlError(f"the pattern “{pattern[:60]}” has a range from “{low}” to “{high}”")
        found += f"{re.escape(low)}-{re.escape(high)}"
        at += 1
    if at == begin:
        raise FqlError(f"the pattern “{pattern[:60]}” has an empty [ ]")
    return found + "]", at


_TEXT = ("string",)
_CONVERTIBLE = ("list", "string", "number", "bool")
_FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[str, ...], ...], str]] = {
    "contains": (lambda s, sub: s is not None and sub is not None and sub in s, (_TEXT, _TEXT), "bool"),
    "match": (_match, (_TEXT, _TEXT), "bool"),
    "length": (_length, (("list", "string"),), "number"),
    "lowercase": (_text_function(str.lower), (_TEXT,), "string"),
    "uppercase": (_text_function(str.upper), (_TEXT,), "string"),
    "snakecase": (_text_function(lambda s: s.replace(" ", "_")), (_TEXT,), "string"),
    "kebabcase": (_text_function(lambda s: s.replace(" ", "-")), (_TEXT,), "string"),
    "titlecase": (_text_function(lambda s: re.sub(r"(^|\s)(\S)", lambda m: m[1] + m[2].upper(), s)), (_TEXT,), "string"),
    "typeof": (kind_of, ((),), "string"),
    "bool": (_to_bool, (_CONVERTIBLE,), "bool"),
    "string": (_to_string, (_CONVERTIBLE,), "string"),
    "number": (_to_number, (("number", "string"),), "number"),
}
