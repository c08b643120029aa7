"""Rows for tests: made straight in the database, without the road they usually come by."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson

from deliveries.models import Delivery, Event
from integrations.models import Connector, Source

T0 = datetime(2025, 11, 22, 9, 0, tzinfo=UTC)
_numbers = count(1)


def source(name: str = "website", **fields: Any) -> Source:
    return Source.objects.get_or_create(name=name, defaults=fields)[0]


def connector(name: str = "warehouse", vendor: str = "webhook", **fields: Any) -> Connector:
    fields.setdefault("settings", {"url": "https://example.com/hook", "method": "POST", "headers": {}, "batch_size": 1})
    row = Connector.objects.create(name=name, vendor=vendor, **fields)
    row.sources.add(source())
    return row


def event(name: str = "Order Completed", kind: str = "track", **fields: Any) -> Event:
    number = next(_numbers)
    fields.setdefault("source", source())
    fields.setdefault("message_id", f"m-{number}")
    fields.setdefault("user_id", "user_1")
    fields.setdefault("received_at", T0)
    payload = {
        "type": kind,
        "event": name,
        "userId": fields["user_id"],
        "messageId": fields["message_id"],
        "properties": {"plan": "free"},
        "timestamp": "2025-11-22T09:00:00.000Z",
    }
    fields.setdefault("body", orjson.dumps(payload).decode())
    return Event.objects.create(type=kind, name=name, **fields)


def delivery(to: Connector, status: str = "delivered", **fields: Any) -> Delivery:
    fields.setdefault("event", None)
    fields["event"] = fields["event"] or event()
    fields.setdefault("created_at", T0)
    if status in ("waiting", "sending", "retrying"):
        fields.setdefault("next_attempt_at", fields["created_at"])
    if status in ("delivered", "failed", "skipped"):
        fields.setdefault("finished_at", fields["created_at"])
    if status in ("delivered", "failed", "retrying"):
        fields.setdefault("attempts", 1)
    if status == "failed":
        fields.setdefault("cause", "data_refused")
    return Delivery.objects.create(connector=to, status=status, **fields)
