"""The traps in how people have connected Novu by hand: see test_traps.py."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from integrations.types import Cause, Disposition, Response
from tests.vendors import cases
from tests.vendors.talk import CART, NOVU, judge, refusal, send


def test_trap_12_a_missing_subscriber_is_named() -> None:
    """The sample dies on an event without a user."""
    found = refusal(NOVU, {"type": "track", "event": "A", "anonymousId": "a1", "properties": {"name": "w"}})
    assert (found.cause, "properties.user.subscriberId" in found.detail) == (Cause.MAPPING_MISSING, True)
    assert send(NOVU, {"type": "track", "event": "A", "userId": "u1", "properties": {"name": "w"}}).json["to"] == {
        "subscriberId": "u1"
    }


def test_trap_13_another_environment_is_skipped_with_the_reason() -> None:
    """The sample ends silently, which looks like a delivery."""
    found = refusal(NOVU, CART, settings={"environment": "production"})
    assert found.cause is Cause.FILTERED
    assert found.detail == "The event's environment is “development”; only “production” is sent here."


def test_trap_14_workflows_can_be_chosen_by_us() -> None:
    """The sample lets whoever can send an event trigger any workflow."""
    settings = {"workflow_from": "events"}
    assert refusal(NOVU, CART, settings=settings).cause is Cause.MAPPING_MISSING
    events = [{"event": "User Abandoned Cart", "send_as": "cart-reminder"}]
    assert send(NOVU, CART, settings=settings, events=events).json["name"] == "cart-reminder"


@pytest.mark.parametrize(
    ("style", "wanted"), [("nested", {"eventProperties": CART["properties"]}), ("flat", CART["properties"])]
)
def test_trap_15_the_payload_is_nested_or_flat(style: str, wanted: dict[str, Any]) -> None:
    """The sample puts the properties one level deeper than its readers expect."""
    assert send(NOVU, CART, settings={"payload_style": style}).json["payload"] == wanted


def test_trap_16_a_second_send_carries_the_same_transaction_id() -> None:
    """The sample has none: a retry after a time-out notifies twice."""
    first, again, other = (send(NOVU, {**CART, "messageId": name}).json["transactionId"] for name in ("m1", "m1", "m2"))
    assert first == again == str(uuid.uuid5(uuid.UUID(cases.UID), "m1"))
    assert first != other


@pytest.mark.parametrize("status", ["trigger_not_active", "no_workflow_steps_defined", "invalid_recipients", "error"])
def test_trap_17_a_201_may_say_no(status: str) -> None:
    """The sample judges the status code alone; a bulk call has one result per event."""
    verdict = judge(NOVU, 201, {"data": {"acknowledged": True, "status": status}})
    assert (verdict.disposition, verdict.cause) == (Disposition.REFUSED, Cause.REFUSED_BY_SERVICE)
    assert status in verdict.detail
    assert NOVU.batch is not None
    assert NOVU.batch.classify_each is not None
    body = json.dumps({"data": [{"status": "processed"}, {"status": status}]}).encode()
    each = NOVU.batch.classify_each(Response(status=201, body=body), cases.config_of(NOVU), 2)
    assert [one.disposition for one in each] == [Disposition.DELIVERED, Disposition.REFUSED]


def test_trap_18_no_idempotency_key_that_keeps_errors() -> None:
    """Novu replays an error for a day under the same Idempotency-Key."""
    assert NOVU.batch is not None
    for request in (send(NOVU, CART), NOVU.batch.request(cases.config_of(NOVU), b"{}")):
        assert "idempotency-key" not in {name.lower() for name in request.headers}
