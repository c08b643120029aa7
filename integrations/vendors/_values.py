"""Readings of JSON values that several vendors share. Pure; the leading underscore says that this is not a vendor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

from integrations.types import ConnectorConfig, Json

# The names of Segment's reserved traits, and how else people write them.
FIRST_NAMES = ("firstName", "firstname", "first_name")
LAST_NAMES = ("lastName", "lastname", "last_name")


def text(value: Json) -> str:
    """Ids, names and addresses as trimmed text: a number becomes its digits; null, objects and lists become ""."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def first_text(names: Iterable[str], *holders: Json) -> str:
    """The first of ``names``, which may be paths, that has text in the first of ``holders`` that has one of them; ""
    without any."""
    for holder in holders:
        if isinstance(holder, Mapping):
            for name in names:
                if found := text(at(holder, name)):
                    return found
    return ""


def at(document: Json, path: str) -> Json:
    """The value at a dotted path, or None. A key that holds dots itself is found first; digits index a list."""
    if isinstance(document, Mapping) and path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    if isinstance(document, Mapping):
        value = document.get(head)
    elif isinstance(document, list) and head.isascii() and head.isdigit() and int(head) < len(document):
        value = document[int(head)]
    else:
        return None
    return at(value, rest) if dot else value


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: the form of the Segment spec."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix_to_utc(value: Json) -> str:
    """Unix seconds (a number, or its digits as text) as ISO 8601; "" where that can't be read."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    try:
        return utc_text(datetime.fromtimestamp(float(value), UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def iso_to_utc(value: Json) -> str:
    """An ISO 8601 text as UTC with milliseconds, read as UTC where it names no zone; "" where it can't be read."""
    try:
        moment = datetime.fromisoformat(text(value))
        return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""


def stamp_age(stamp: str, now: datetime) -> float | None:
    """Seconds between now and a header's Unix seconds, past or future; None where those are no such number."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return None
    return abs(now.timestamp() - int(stamp))


def bare_token(value: str, scheme: str) -> str:
    """A key as it is meant, also where it was pasted with its ``Authorization`` scheme in front."""
    value = value.strip()
    head, _, rest = value.partition(" ")
    return rest.strip() if rest and head.lower() == scheme.lower() else value


def stable_id(config: ConnectorConfig, message_id: str) -> str:
    """An id made from the connector and the message id: the same on every retry and replay, another elsewhere.

    Two connectors at one account may each have to act on one event, so the bare message id would hide the second.
    """
    text = hashlib.sha1(_namespace(config.uid, config.name) + message_id.encode(), usedforsecurity=False).hexdigest()
    # A version 5 UUID (RFC 9562 §5.5), put together here: the uuid module takes several times as long for each event.
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


@lru_cache(maxsize=1024)
def _namespace(uid: str, name: str) -> bytes:
    return (UUID(uid) if uid else uuid5(NAMESPACE_URL, name)).bytes
