"""Segment's filter language FQL, compiled once per text into a closure. Pure.

Written after Segment's "Destination Filter Query Language" page. A field that is missing is null. A string may stand in
single or double quotes; in it a backslash escapes a quote or a backslash and otherwise stays, so that ``'ab\\*d'``
reaches ``match`` whole. ``!`` reaches as far as the comparison after it: ``!type = 'track'`` is ``!(type = 'track')``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from integrations.fql_nodes import Node, Run, call, compared, getter, joined, truth
from integrations.fql_values import NUMBER, FqlError, Json, kind_of, to_number

__all__ = ["FqlError", "compile_condition", "evaluate", "getter", "path_parts"]

MAX_LENGTH = 10_000
MAX_DEPTH = 30

_TOKEN = re.compile(
    r"""\s*(?: (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
        | (?P<word>\+?(?:[\w\-]|\\.)(?:[\w\-.]|\\.)*)
        | (?P<sign>!=|<=|>=|[=<>!(),\[\]]) )""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)


class _Token(NamedTuple):
    kind: str  # string, word, sign, end
    text: str
    start: int
    end: int


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
        run = truth(_Parser(text).whole()).run
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


def fields(text: str) -> list[tuple[str, ...]]:
    """The fields that a condition looks at, as keys, in the order in which it does. Raises FqlError."""
    parser = _Parser(text)
    parser.whole()
    return parser.fields


def path_parts(path: str) -> tuple[str, ...]:
    """The keys of a dotted path; a backslash takes the next character literally. Raises FqlError for an empty key."""
    parts, escaped = [""], False
    for char in path:
        if escaped or char not in "\\.":
            parts[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            parts.append("")
    if not all(parts):
        raise FqlError(f"“{path}” is not a field path: a name is missing beside a dot")
    return tuple(parts)


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
    """Recursive descent: or, and, !, comparison, value. ``depth`` bounds nesting: no text exhausts the stack."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, _tokens(text), 0, 0
        self.fields: list[tuple[str, ...]] = []  # each that the condition looks at

    def whole(self) -> Node:
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
        if token.kind == "end":
            found = "the condition ends too early"
        return FqlError(f"{found}; {wanted}" if wanted else found)

    def any_of(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FqlError(f"more than {MAX_DEPTH} levels are nested")
        node = self.chain("or", lambda: self.chain("and", self.negated))
        self.depth -= 1
        return node

    def chain(self, word: str, part: Callable[[], Node]) -> Node:
        start, nodes = self.peek.start, [part()]
        while self.accept(word):
            nodes.append(part())
        if len(nodes) == 1:
            return nodes[0]
        return Node(joined(word, [truth(node).run for node in nodes]), "bool", self.since(start))

    def negated(self) -> Node:
        start, count = self.peek.start, 0
        while self.accept("!"):
            count += 1
        node = self.comparison()
        if not count:
            return node
        run = truth(node).run
        return Node((lambda p: not run(p)) if count % 2 else run, "bool", self.since(start))

    def comparison(self) -> Node:
        start, left = self.peek.start, self.value()
        sign = self.accept("=", "!=", "<", "<=", ">", ">=", "in")
        if not sign:
            return left
        return Node(compared(sign, left, self.value()), "bool", self.since(start))

    def value(self) -> Node:
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
            return call(token.text, self.items(")"), self.since(token.start))
        if literal := _literal(token):
            return literal
        parts = path_parts(token.text)
        self.fields.append(parts)
        return Node(getter(parts), "any", token.text)

    def items(self, end: str) -> list[Node]:
        nodes: list[Node] = []
        if self.accept(end):
            return nodes
        while True:
            nodes.append(self.any_of())
            if not self.accept(","):
                self.expect(end)
                return nodes

    def list_from(self, nodes: list[Node], start: int) -> Node:
        constant = all(node.constant for node in nodes)
        fixed = [node.run({}) for node in nodes] if constant else []
        run: Run = (lambda p: fixed) if constant else (lambda p: [node.run(p) for node in nodes])
        return Node(run, "list", self.since(start), constant)

    def since(self, start: int) -> str:
        return self.text[start : self.tokens[self.at - 1].end]


def _literal(token: _Token) -> Node | None:
    text = token.text
    if token.kind == "string":
        value: Json = re.sub(r"\\(['\"\\])", r"\1", text[1:-1])
    elif NUMBER.fullmatch(text):
        value = to_number(text)
    elif text in ("true", "false", "null"):
        value = {"true": True, "false": False}.get(text)
    elif text.startswith("+"):
        raise FqlError(f"“{text}” is neither a number nor a field")
    else:
        return None
    return Node(lambda p: value, kind_of(value), text, True)
