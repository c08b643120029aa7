"""A connector's filters: which events go out, and which of their fields. Pure.

The four actions, their order and the dropping of an event whose filter can't be evaluated follow Segment's "Destination
Filters" page and the destination filters of its Public API. Every condition is judged by the event as it came in, so no
filter depends on what another one took out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import orjson

from integrations.fql import FqlError, compile_condition, getter, path_parts
from integrations.fql import fields as fql_fields
from integrations.types import Cause, FilterRule, Json, NotSent

ALL = "all"
ORDER = {"sample": 0, "drop": 1, "only_send": 1, "drop_properties": 2, "allow_properties": 3}
# Segment, "Spec: Common Fields", and the fields of its six calls.
AT_THE_TOP = frozenset((
    "type", "event", "name", "category", "userId", "anonymousId", "groupId", "previousId", "properties",
    "traits", "context", "integrations", "messageId", "timestamp", "originalTimestamp", "sentAt",
    "receivedAt", "channel", "version", "projectId", "writeKey",
))  # fmt: skip
KEPT_ALWAYS = ("type", "messageId")  # an event is none without them, whatever a filter on the top level says

Tree = dict[str, Any]  # key → True for the whole value, or the Tree of what is meant inside it


def apply(rules: tuple[FilterRule, ...], payload: dict[str, Json]) -> dict[str, Json]:
    """The payload itself, or a copy without the fields the rules take out; ``payload`` is never changed.

    Raises NotSent with ``filtered`` where a rule leaves the event out, or where a rule can't be evaluated.
    """
    result = payload
    for rule in sorted(rules, key=lambda rule: ORDER.get(rule.action, -1)):
        try:
            result = _apply_one(rule, payload, result)
        except FqlError as error:
            raise NotSent(Cause.FILTERED, f"The filter “{describe(rule)}” could not be evaluated: {error}.") from error
        except RecursionError as error:
            reason = "the event is nested too deeply"
            raise NotSent(Cause.FILTERED, f"The filter “{describe(rule)}” could not be evaluated: {reason}.") from error
    return result


def problems(condition: Any) -> str:
    """What is wrong with a condition, in words for the person who wrote it; "" when it can be used."""
    if not isinstance(condition, str):
        return "the condition is not a text"
    try:
        _condition(condition)
    except FqlError as error:
        return str(error)
    return ""


def hint(condition: str) -> str:
    """What may be meant by a condition that can be read and fits no event: one that looks at the top of the event for a
    property, as ``score > 5`` does; "" where nothing is odd."""
    try:
        looked_at = fql_fields(condition) if condition.strip() != ALL else []
        odd = [parts for parts in looked_at if parts[0] not in AT_THE_TOP]
    except FqlError:
        return ""
    if not odd:
        return ""
    name = ".".join(odd[0])
    return f"Events have no {odd[0][0]} of their own: is properties.{name} meant, or traits.{name}?"


def rule_problems(rule: FilterRule) -> str:
    """The same for a whole rule: action, share, path, fields and condition."""
    if wrong := problems(rule.condition):
        return wrong
    if rule.action not in ORDER:
        return f"there is no action “{rule.action}”; there are {', '.join(ORDER)}"
    try:
        if rule.action == "sample":
            _share(rule)
            if rule.path:
                path_parts(rule.path)
        elif rule.action.endswith("_properties"):
            _trees(rule)
    except FqlError as error:
        return str(error)
    return ""


def describe(rule: FilterRule) -> str:
    """The rule in words: "drop when properties.plan = 'free'"."""
    when = "" if rule.condition.strip() == ALL else f" when {_cut(rule.condition.strip())}"
    names = _cut(", ".join(".".join(filter(None, (path, key))) for path, keys in rule.fields.items() for key in keys))
    return {
        "drop": f"drop{when or ' everything'}",
        "only_send": f"only send{when or ' everything'}",
        "sample": f"keep {_percent(rule)} of the events{when}",
        "drop_properties": f"leave out {names}{when}",
        "allow_properties": f"send only {names}{when}",
    }.get(rule.action, f"{rule.action}{when}")


def _apply_one(rule: FilterRule, payload: dict[str, Json], result: dict[str, Json]) -> dict[str, Json]:
    if rule.action not in ORDER:
        raise FqlError(f"there is no action “{rule.action}”")
    holds = _condition(rule.condition)(payload)
    if rule.action == "only_send":
        holds = not holds
    if not holds:
        return result
    if rule.action == "sample":
        if _kept(rule, payload):
            return result
        raise NotSent(Cause.FILTERED, f"The filter “{describe(rule)}” did not pick this one.")
    if rule.action in ("drop", "only_send"):
        raise NotSent(Cause.FILTERED, f"Left out by the filter “{describe(rule)}”.")
    take = _without if rule.action == "drop_properties" else _only
    for base, tree in _trees(rule):
        result = _at(result, base, partial(take, tree=tree))
    return result


def _condition(text: str) -> Callable[[Mapping[str, Json]], bool]:
    return _always if text.strip() == ALL else compile_condition(text)


def _always(payload: Mapping[str, Json]) -> bool:
    return True


# Sampling


def _kept(rule: FilterRule, payload: dict[str, Json]) -> bool:
    """By the value at the path: the same one always gets the same answer. Without one the message id decides."""
    share = _share(rule)
    value = getter(path_parts(rule.path))(payload) if rule.path else None
    if value is None:
        value = payload.get("messageId")
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise FqlError(f"the value at {rule.path} can't be compared") from error
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return number < share * 2**64


def _share(rule: FilterRule) -> float:
    share = rule.percent
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise FqlError(f"the share to keep is {share}, where a number from 0 to 1 is needed")
    return share


def _percent(rule: FilterRule) -> str:
    share = rule.percent
    return f"{share * 100:.6g} %" if isinstance(share, int | float) else str(share)


# Fields


def _trees(rule: FilterRule) -> list[tuple[tuple[str, ...], Tree]]:
    """Per object path of the rule: the keys of that path, and what is meant below it."""
    if not rule.fields:
        raise FqlError("it names no fields")
    found = []
    for path, keys in rule.fields.items():
        if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
            raise FqlError(f"the fields of “{path}” are not a list of names")
        keys = tuple(keys)
        if not path:
            kept = rule.action == "allow_properties"
            keys = (*keys, *KEPT_ALWAYS) if kept else tuple(key for key in keys if key not in KEPT_ALWAYS)
        found.append((path_parts(path) if path else (), _tree(keys)))
    return found


@lru_cache(maxsize=1024)
def _tree(keys: Sequence[str]) -> Tree:
    """A key with a dot means both the field of exactly that name and the path. Not to be changed by who gets it."""
    tree: Tree = {}
    for key in keys:
        *holders, last = path_parts(key)
        branch: Any = tree
        for holder in holders:
            branch = branch.setdefault(holder, {})
            if branch is True:
                break
        else:
            branch[last] = True
        tree[key] = True
    return tree


def _at(value: Json, path: Sequence[str], change: Callable[[Json], Json]) -> Json:
    """The value with ``change`` made to what is at the path; a list on the way means each of its elements."""
    if isinstance(value, list):
        return _same_or([_at(item, path, change) for item in value], value)
    if not isinstance(value, dict):
        return value
    if not path:
        return change(value)
    if path[0] not in value:
        return value
    inner = _at(value[path[0]], path[1:], change)
    return value if inner is value[path[0]] else {**value, path[0]: inner}


def _without(value: Json, tree: Tree) -> Json:
    if isinstance(value, list):
        return _same_or([_without(item, tree) for item in value], value)
    if not isinstance(value, dict):
        return value
    result = value
    for key, part in tree.items():
        if key not in value:
            continue
        if part is True:
            result = {name: item for name, item in result.items() if name != key}
        elif (inner := _without(value[key], part)) is not value[key]:
            result = {**result, key: inner}
    return result


def _only(value: Json, tree: Tree) -> Json:
    if isinstance(value, list):
        return [_only(item, tree) for item in value if isinstance(item, dict | list)]
    return {
        key: item if tree[key] is True else _only(item, tree[key])
        for key, item in value.items()
        if key in tree and (tree[key] is True or isinstance(item, dict | list))
    }


def _same_or(changed: list[Json], value: list[Json]) -> list[Json]:
    return value if all(new is old for new, old in zip(changed, value, strict=True)) else changed


def _cut(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"
