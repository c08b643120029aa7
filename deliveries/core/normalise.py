"""From what a client posted to the stored form of an event. Pure.

Sources: Segment, "Spec: Common Fields" (fields, and the clock-skew formula under "Timestamps") and "HTTP Tracking API"
(batch-level ``context`` and ``integrations``, the limits).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from deliveries.core.documents import clean, dump
from integrations.mapping import event_name, text
from integrations.types import EventKind

MAX_EVENT_BYTES = 32_768
COLUMN = 255
EMAILS = ("email", "email_address", "emailAddress", "recipient")
KINDS = frozenset(kind.value for kind in EventKind)
_LOOSE_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,6})\d*)?\s*(Z|[+-]\d{2}:?\d{2})?"
)


class Incoming(NamedTuple):
    """One event on its way into the database. ``refused`` is "" or the reason it was refused at the door."""

    message_id: str
    type: str
    name: str
    user_id: str
    anonymous_id: str
    refused: str
    body: str
    email: str = ""


class Envelope(NamedTuple):
    """What the events of one request share. Times are aware; ``sent_at`` is None when missing or unreadable."""

    received_at: datetime
    received_text: str
    sent_at: datetime | None = None
    context: Mapping[str, Any] | None = None
    integrations: Mapping[str, Any] | None = None
    address: str = ""


def envelope(received_at: datetime, document: Mapping[str, Any], address: str = "") -> Envelope:
    """The shared part of a batch, or of a single event."""
    return Envelope(
        received_at=received_at,
        received_text=iso(received_at),
        sent_at=parse_time(document.get("sentAt")),
        context=document["context"] if isinstance(document.get("context"), dict) else None,
        integrations=document["integrations"] if isinstance(document.get("integrations"), dict) else None,
        address=address,
    )


def normalise(document: Any, shared: Envelope, kind: str = "") -> Incoming:
    """The event as it is stored: ``kind`` (from the route) or its own ``type``, with messageId, timestamp, receivedAt.

    The client's own ``timestamp`` stays as ``originalTimestamp`` where the clock-skew formula changed it. An invalid
    event comes back with ``refused`` set, never as an error.
    """
    if not isinstance(document, dict):
        return Incoming(
            str(uuid4()), "", "", "", "", "This is not an event: a JSON object was expected.", dump(document)
        )
    event = {"type": kind or document.get("type"), **document}
    event["type"] = kind = kind or clean(text(document.get("type")))
    event.pop("writeKey", None)
    if shared.context:
        own = event.get("context")
        event["context"] = {**shared.context, **own} if isinstance(own, dict) else dict(shared.context)
    if shared.integrations:
        own = event.get("integrations")
        event["integrations"] = {**shared.integrations, **own} if isinstance(own, dict) else dict(shared.integrations)
    message_id = clean(text(event.get("messageId"))) or str(uuid4())
    event["messageId"] = message_id
    _set_times(event, shared)
    _fill_address(event, shared)
    body = dump(event)
    refused = _refusal(event, kind, body)
    return Incoming(
        message_id[:COLUMN],
        kind[:10],
        clean(event_name(event))[:COLUMN] if kind in KINDS else "",
        clean(text(event.get("userId")))[:COLUMN],
        clean(text(event.get("anonymousId")))[:COLUMN],
        refused,
        body if len(body) <= 4 * MAX_EVENT_BYTES else _outline(event),
        _email(event) if "@" in body else "",
    )


def unmappable(document: Mapping[str, Any], message_id: str, reason: str) -> Incoming:
    """A webhook that could not become an event: kept as it came, with the reason."""
    return Incoming((clean(message_id) or str(uuid4()))[:COLUMN], "", "", "", "", reason[:300], dump(document))


def corrected(original: datetime, sent_at: datetime, received_at: datetime) -> datetime:
    """timestamp = receivedAt - (sentAt - originalTimestamp): takes the client's wrong clock out."""
    return received_at - (sent_at - original)


def parse_time(value: Any) -> datetime | None:
    """An aware UTC time from ISO 8601 in its many spellings, or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return _parse_loosely(value)


def iso(moment: datetime) -> str:
    """ISO 8601 UTC with milliseconds, as Segment's libraries write it."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def _email(event: dict[str, Any]) -> str:
    """The person's e-mail address, in lower case: the first in the traits, the context's traits or the properties, or
    an id that is one; "" where there is none."""
    context = event.get("context")
    properties = event.get("properties")
    places = [event.get("traits"), context.get("traits") if isinstance(context, dict) else None, properties]
    places.append(properties.get("identities") if isinstance(properties, dict) else None)  # of survey events
    found = [place.get(name) for place in places if isinstance(place, dict) for name in EMAILS if name in place]
    for value in (*found, event.get("userId"), event.get("anonymousId")):
        if isinstance(value, str) and "@" in value:
            return clean(value.strip().lower())[:COLUMN]
    return ""


def _set_times(event: dict[str, Any], shared: Envelope) -> None:
    given = event.get("timestamp")
    event["receivedAt"] = shared.received_text
    original = parse_time(given)
    if original is None:
        if given is not None and given != "":
            event["originalTimestamp"] = given
        event["timestamp"] = shared.received_text
        return
    sent_at = shared.sent_at
    if sent_at is None:
        return
    try:
        moment = corrected(original, sent_at, shared.received_at)
        event["timestamp"] = iso(moment)
    except (OverflowError, ValueError):
        event["timestamp"] = shared.received_text
    event["originalTimestamp"] = given
    event.setdefault("sentAt", iso(sent_at))


def _fill_address(event: dict[str, Any], shared: Envelope) -> None:
    """``context.direct``: a device without a library asks the server to note its address (HTTP API, "Context")."""
    context = event.get("context")
    if isinstance(context, dict) and context.get("direct") is True and shared.address and "ip" not in context:
        event["context"] = {**context, "ip": shared.address}


def _refusal(event: dict[str, Any], kind: str, body: str) -> str:
    if kind not in KINDS:
        return f"The type “{kind[:50]}” is not one of {', '.join(EventKind)}." if kind else "The event has no type."
    if not (event.get("userId") or event.get("anonymousId")):
        return "The event has neither a userId nor an anonymousId, so it belongs to nobody."
    if kind == "track" and not event_name(event).strip():
        return "The track event has no event name."
    if len(body) > MAX_EVENT_BYTES and len(body.encode()) > MAX_EVENT_BYTES + 300:  # 300: what we add ourselves
        return "The event is larger than 32 KB."
    return ""


def _outline(event: dict[str, Any]) -> str:
    """Of an event far too large to keep: who, what and when."""
    kept = ("type", "event", "name", "userId", "anonymousId", "messageId", "timestamp", "receivedAt")
    return dump({key: value for key in kept if isinstance(value := event.get(key), str) and len(value) <= 1000})


def _parse_loosely(value: str) -> datetime | None:
    """Months without a zero, nanoseconds, Go's own form with a space: what real clients have sent."""
    found = _LOOSE_DATE.match(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")),
            UTC,
        )
        if zone and zone != "Z":
            sign = -1 if zone[0] == "-" else 1
            moment -= sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        return moment
    except (ValueError, OverflowError):
        return None
