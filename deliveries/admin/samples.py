"""The event that a test panel tries: a real one, the service's example or one that was pasted; as it is, or addressed
to whoever sits in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest

from deliveries.core import own
from deliveries.models import Event
from integrations import clock
from integrations.types import ConnectorConfig, Vendor

OFFERED = 10
NAMED = 3  # addresses that the warning names


@dataclass(frozen=True)
class Own:
    """What stands in the fields below *Send it to myself instead*."""

    on: bool = False
    email: str = ""
    user_id: str = ""


@dataclass(frozen=True)
class Sample:
    """``errors``: field → what is wrong with it; nothing is sent while there are any."""

    payload: dict[str, Any]
    chosen: str = ""
    pasted: str = ""
    own: Own = Own()
    errors: Mapping[str, str] = field(default_factory=dict)

    def addressed(self, config: ConnectorConfig) -> tuple[dict[str, Any], list[str]]:
        """The event as it would be sent, and what is to be said about its way there."""
        if not self.own.on or self.errors:
            return self.payload, []
        email, user_id = self.own.email, self.own.user_id
        payload, gone = own.addressed(self.payload, email=email, user_id=user_id, mapped=[*config.channels.values()])
        left = f" Left out, so that nobody else is reached: {', '.join(dict.fromkeys(gone))}." if gone else ""
        return payload, [f"Addressed to you: {user_id or email}.{left}"]

    def reaches(self, config: ConnectorConfig, payload: Mapping[str, Any]) -> list[str]:
        """Whom the service may notify."""
        return own.addresses(payload, config.channels.values())[:NAMED]


def offered() -> list[tuple[str, str]]:
    """The newest events, to choose from."""
    events = Event.objects.filter(refused="", erased_at=None).order_by("-id")
    rows = events.only("id", "name", "type", "received_at")[:OFFERED]
    return [
        (str(event.pk), f"{event.name or event.type} · {clock.say(event.received_at, '%d %b %H:%M:%S')}")
        for event in rows
    ]


def chosen(request: HttpRequest, params: Any, vendor: Vendor) -> Sample:
    mine = Own(
        on="to_me" in params,
        email=params.get("my_email", getattr(request.user, "email", "")).strip()[:254],
        user_id=params.get("my_id", "").strip()[:255],
    )
    errors = _own_errors(mine) if mine.on else {}
    choice, pasted = params.get("sample", ""), params.get("pasted", "")
    if choice == "paste":
        payload, wrong = _read(pasted)
        errors |= {"pasted": wrong} if wrong else {}
        if payload is not None:
            return Sample(payload, choice, pasted, mine, errors)
    elif choice.isascii() and choice.isdigit():
        event = Event.objects.filter(pk=int(choice[:18]), erased_at=None).first()
        if event is not None:
            return Sample(event.payload, choice, "", mine, errors)
    return Sample(dict(vendor.test_event), choice, pasted, mine, errors)


def _read(text: str) -> tuple[dict[str, Any] | None, str]:
    """The event that was pasted, or what is wrong with it."""
    if not text.strip():
        return None, "Paste an event here, or choose another one above."
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        place = f"line {wrong.lineno}, character {wrong.colno}"
        return None, f"This cannot be read as an event: it goes wrong at {place}. Paste all of it, from {{ to }}."
    if isinstance(found, dict):
        return found, ""
    return None, "An event stands in curly brackets, from { to }."


def _own_errors(mine: Own) -> dict[str, str]:
    if not mine.email:
        return {} if mine.user_id else {"my_email": "Give your e-mail address, or below the id you have over there."}
    try:
        validate_email(mine.email)
    except ValidationError:
        return {"my_email": "This is no e-mail address. It looks like name@example.com."}
    return {}
