"""What the trap tests say to a vendor, and samples of what comes in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations import registry, verdicts
from integrations.types import NotSent, OutgoingRequest, Response, Vendor, Verdict
from tests.vendors import cases

NOW = datetime(2026, 5, 13, 10, 15, tzinfo=UTC)
VENDORS = registry.vendors()
HELLO, NOVU, SUPRSEND, SEGMENT = (VENDORS[slug] for slug in ("hello_customer", "novu", "suprsend", "segment"))
CUSTOMERIO, SURVEYS = VENDORS["customerio"], VENDORS["surveys"]
SENDERS = [vendor for vendor in VENDORS.values() if vendor.sends]

ASK = {"settings": {"touchpoint_id": "tp-77", "language_id": "nl-guid"}, "secrets": {"api_key": "ZGVtbzpwYXNz"}}
JANE = {"firstName": "Jane", "lastName": "Doe", "email": "jane@example.com"}
CART = {
    "type": "track",
    "event": "User Abandoned Cart",
    "properties": {
        "name": "abandoned-cart-recovery-workflow",
        "user": {"subscriberId": "63da8ee0c037e013fd790ffd", "email": "hi@hi.com"},
        "environment": "development",
    },
}
DELIVERED_MAIL = {
    "event_type": "email_delivered",
    "event_id": "9420f522-b127-4a74-8b90-bace0edc27ab",
    "timestamp": 1422290032,
    "data": {"customer_id": "568", "email_address": "customer@example.com"},
}
RESPONSE_SUBMITTED = {
    "event": "Response Submitted",
    "event_id": "evt_1",
    "occurred_at": "2026-05-13T10:14:00.000Z",
    "anonymous_id": "anon_abc",
    "app_id": "app_1",
    "organization_id": "org_1",
}


def send(vendor: Vendor, event: dict[str, Any], source_vendor: str = "segment", **connector: Any) -> OutgoingRequest:
    return cases.built(vendor, cases.config_of(vendor, connector), event, source_vendor)


def refusal(vendor: Vendor, event: dict[str, Any], **connector: Any) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(vendor, event, **connector)
    return caught.value


def judge(vendor: Vendor, status: int, body: Any = "", headers: dict[str, str] | None = None) -> Verdict:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response = Response(status=status, headers=headers or {}, body=content)
    return verdicts.judge(vendor, response, cases.config_of(vendor), NOW)


def receive(vendor: Vendor, document: Any, **settings: Any) -> dict[str, Any]:
    assert vendor.receive is not None
    [event] = vendor.receive.parse(document, cases.source_of(vendor, {"settings": settings}))
    return event


def track(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Delivered", "userId": "u1", "properties": properties}


def identify(**traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": "u1", "traits": traits}
