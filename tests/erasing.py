"""A person with something everywhere, their erasure, and what is left of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from django.apps import apps

from deliveries import erase
from deliveries.erasures import Erasure
from deliveries.models import Attempt, Delivery, Event
from integrations.history import Change
from tests.rows import T0, event

ASKED = T0 + timedelta(hours=1)
LATER = ASKED + timedelta(minutes=2)
SECRET = "bob@example.com"  # stands in for all that is personal
IDS = ("bob-7", "anon-bob")


def of_bob(**fields: Any) -> Event:
    """An event that says who it is about in every place it can."""
    user = fields.setdefault("user_id", "bob-7")
    anonymous = fields.setdefault("anonymous_id", "anon-bob")
    body = {"type": "track", "event": "Order Completed", "userId": user, "anonymousId": anonymous, "messageId": "m"}
    body["timestamp"] = "2025-11-22T09:00:00.000Z"
    fields.setdefault("body", orjson.dumps({**body, "properties": {"email": SECRET}}).decode())
    return event(**fields)


def attempt(row: Delivery, **fields: Any) -> Attempt:
    values: dict[str, Any] = {
        "number": 1,
        "started_at": T0,
        "duration_ms": 12,
        "request": orjson.dumps({"method": "POST", "url": f"https://x.example/{SECRET}", "headers": {}}).decode(),
        "request_body": row.event.body,
        "response": "{}",
        "response_body": f'{{"said": "{SECRET}"}}',
        "response_status": 400,
        "outcome": "rejected",
        "cause": "data_refused",
        "detail": f"{SECRET} is not valid",
    }
    return Attempt.objects.create(delivery=row, **{**values, **fields})


def erased(users: tuple[str, ...] = ("bob-7",), anonymous: tuple[str, ...] = (), **more: Any) -> Erasure:
    row = erase.ask(users, anonymous, by="Ann", now=ASKED, **more)
    erase.advance(row.pk, LATER)
    row.refresh_from_db()
    return row


def leftovers(*words: str) -> list[str]:
    """Every column of every row of the log and of the history in which one of the words still stands."""
    found = []
    for model in [*apps.get_app_config("deliveries").get_models(), Change]:
        for values in model._default_manager.values():
            found += [f"{model.__name__}.{key}" for key, value in values.items() for w in words if w in str(value)]
    return found
