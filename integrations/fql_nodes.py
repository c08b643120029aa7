"""The parts of a compiled FQL condition: closures over an event's payload. Pure.

What Segment's page leaves open is settled here: ``<`` ``<=`` ``>`` ``>=`` and ``in`` are false when a side is null, and
null counts as false for ``!`` ``and`` ``or`` (as in Segment's own browser evaluator); any other type that does not fit
is an error, never a guess. What is already wrong in the text is raised while compiling.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from integrations.fql_values import FUNCTIONS, FqlError, Json, equal, glob, kind_of

Run = Callable[[Mapping[str, Json]], Any]


class Node(NamedTuple):
    """A part of a condition: how to find its value, what kind that is, how it was written."""

    run: Run
    kind: str  # what it gives unless that is null: a name of kind_of, or "any" for a field
    text: str
    constant: bool = False


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


def _shown(node: Node) -> str:
    return node.text if len(node.text) <= 60 else node.text[:59] + "…"


def _wrong(node: Node, kind: str, wanted: str) -> FqlError:
    return FqlError(f"{_shown(node)} is {'an' if kind == 'object' else 'a'} {kind}, where {wanted} is needed")


def truth(node: Node) -> Node:
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

    return Node(run, "bool", node.text)


def joined(word: str, parts: list[Run]) -> Run:
    found = word == "or"  # the value that settles it: later parts are not evaluated

    def run(payload: Mapping[str, Json]) -> bool:
        for part in parts:
            if part(payload) is found:
                return found
        return not found

    return run


def compared(sign: str, left: Node, right: Node) -> Run:
    if sign == "in":
        return _membership(left, right)
    if sign not in ("=", "!="):
        return _ordered(sign, left, right)
    find, other = left.run, right.run
    if right.kind == "string" and right.constant:  # the common case; only a string equals a string
        text = other({})
        return (lambda p: find(p) == text) if sign == "=" else (lambda p: find(p) != text)
    return (lambda p: equal(find(p), other(p))) if sign == "=" else (lambda p: not equal(find(p), other(p)))


def _checked(node: Node, kinds: tuple[str, ...]) -> Run:
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


def _ordered(sign: str, left: Node, right: Node) -> Run:
    first, second = _checked(left, ("number",)), _checked(right, ("number",))
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[sign]

    def run(payload: Mapping[str, Json]) -> bool:
        a, b = first(payload), second(payload)
        return a is not None and b is not None and compare(a, b)

    return run


def _membership(left: Node, right: Node) -> Run:
    find, options = _checked(left, ("string", "number", "bool")), _checked(right, ("list",))
    if right.constant and all(isinstance(option, str) for option in right.run({}) or ()):
        texts = frozenset(right.run({}) or ())
        return lambda p: find(p) in texts  # only a string equals a string

    def run(payload: Mapping[str, Json]) -> bool:
        value = find(payload)
        return any(equal(value, option) for option in options(payload) or ())

    return run


def call(name: str, arguments: list[Node], text: str) -> Node:
    if name not in FUNCTIONS:
        raise FqlError(f"there is no function “{name}”; there are {', '.join(FUNCTIONS)}")
    function, parameters, kind = FUNCTIONS[name]
    if len(arguments) != len(parameters):
        raise FqlError(f"{name} takes {len(parameters)} value{'s'[: len(parameters) - 1]}, not {len(arguments)}")
    if name == "match" and arguments[1].constant and arguments[1].kind == "string":
        glob(arguments[1].run({}))  # a bad pattern shows when it is written, not with the first event
    checked = [_checked(node, kinds) if kinds else node.run for node, kinds in zip(arguments, parameters, strict=True)]
    if len(checked) == 1:
        only = checked[0]
        return Node(lambda p: function(only(p)), kind, text)
    first, second = checked
    return Node(lambda p: function(first(p), second(p)), kind, text)
