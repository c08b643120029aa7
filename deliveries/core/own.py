"""A sample event, addressed to whoever tries a connector out in place of the person in it. Pure.

A service acts on a test event as on any other: it may write to the person, ring them up, or merge two people. So every
id becomes the tester's, every e-mail address too, and what else somebody can be reached by is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deliveries.core.personal import EMAIL

IDS = frozenset({"userid", "distinctid", "subscriberid", "externalid"})
PEOPLE = frozenset({"user", "traits", "recipient", "subscriber", "customer", "person", "profile"})  # "id" in these too
# An earlier id is worse than none: an alias would merge the sample's person into the tester.
OTHER_IDS = frozenset({"anonymousid", "previousid"})
EMAILS = frozenset({"email", "emailaddress", "mail", "slackemail"})
REACHED_BY = frozenset(
    {
        *("phone", "phonenumber", "mobile", "mobilenumber", "tel", "telephone", "sms", "whatsapp"),
        *("slack", "slackuserid", "token", "devicetoken", "pushtoken"),
    }
)
DEEPEST = 40


def addressed(
    payload: Mapping[str, Any], *, email: str, user_id: str, mapped: Iterable[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The event for the person with ``email`` and ``user_id`` (either may be ""), and which fields were left out.

    ``mapped`` are the fields that the connector's channels come from: whatever they are called, somebody is reached by
    them.
    """
    gone: list[str] = []
    reached = REACHED_BY | {_plain(path.rpartition(".")[2]) for path in mapped}
    made = _walk(payload, _Me(email, user_id or email, reached - EMAILS - IDS, gone), "", 0)
    made.pop("anonymousId", None)
    return {**made, "userId": user_id or email}, gone


def addresses(payload: Any, mapped: Iterable[str] = ()) -> list[str]:
    """The e-mail addresses and the like in an event, each once: whom a service could notify."""
    reached = REACHED_BY | {_plain(path.rpartition(".")[2]) for path in mapped}
    return list(dict.fromkeys(_found(payload, "", reached, 0)))


class _Me:
    def __init__(self, email: str, user_id: str, reached: frozenset[str], gone: list[str]) -> None:
        self.email, self.user_id, self.reached, self.gone = email, user_id, reached, gone


def _walk(value: Any, me: _Me, within: str, depth: int) -> Any:
    if depth > DEEPEST:
        return None
    if isinstance(value, Mapping):
        parts = ((key, _part(key, part, me, within, depth)) for key, part in value.items())
        return {key: part for key, part in parts if part is not _GONE}
    if isinstance(value, list):
        return [_walk(part, me, within, depth + 1) for part in value]
    return EMAIL.sub(me.email, value) if isinstance(value, str) else value


_GONE = object()


def _part(key: str, value: Any, me: _Me, within: str, depth: int) -> Any:
    plain = _plain(key)
    if value is None or isinstance(value, bool | Mapping):
        return _walk(value, me, plain, depth + 1)
    if plain in IDS or (plain == "id" and within in PEOPLE):
        return me.user_id
    if plain in EMAILS and me.email:
        return [me.email] if isinstance(value, list) else me.email
    if plain in me.reached | OTHER_IDS | EMAILS:
        me.gone.append(key)
        return _GONE
    return _walk(value, me, plain, depth + 1)


def _found(value: Any, key: str, reached: frozenset[str], depth: int) -> Iterable[str]:
    if depth > DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _found(part, name, reached, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _found(part, key, reached, depth + 1)
    elif isinstance(value, str) and (found := EMAIL.findall(value)):
        yield from found
    elif value and isinstance(value, str | int) and not isinstance(value, bool) and _plain(key) in reached:
        yield str(value)[:60]


def _plain(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())
