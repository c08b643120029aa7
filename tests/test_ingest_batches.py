"""Batches: what is merged into their items, how clocks are corrected, what is refused at the door."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from deliveries.core import normalise
from deliveries.models import Delivery, Event
from tests.conftest import MakeSource
from tests.door import assert_refused, assert_taken, post, track

pytestmark = pytest.mark.django_db
RECEIVED = datetime(2025, 11, 22, 9, 0, 10, tzinfo=UTC)


def payloads() -> list[dict[str, Any]]:
    return [event.payload for event in Event.objects.order_by("id")]


def test_context_and_integrations_are_merged_and_the_item_wins(make_source: MakeSource) -> None:
    _, key = make_source()
    batch = {
        "batch": [
            track(),
            track(context={"library": {"name": "own"}, "ip": "192.0.2.9"}, integrations={"Warehouse": True}),
            track(context=None, integrations="all"),
        ],
        "context": {"library": {"name": "analytics-go"}, "locale": "nl"},
        "integrations": {"Warehouse": False, "All": True},
    }
    assert_taken(post("/v1/batch", batch, key))
    first, second, third = payloads()
    assert first["context"] == {"library": {"name": "analytics-go"}, "locale": "nl"}
    assert first["integrations"] == {"Warehouse": False, "All": True}
    assert second["context"] == {"library": {"name": "own"}, "locale": "nl", "ip": "192.0.2.9"}
    assert second["integrations"] == {"Warehouse": True, "All": True}
    assert (third["context"], third["integrations"]) == (batch["context"], batch["integrations"])


@pytest.mark.parametrize("strange", [[], "text", 5, None, True])
def test_a_strange_context_of_a_batch_is_left_out(make_source: MakeSource, strange: Any) -> None:
    _, key = make_source()
    assert_taken(post("/v1/batch", {"batch": [track()], "context": strange, "integrations": strange}, key))
    assert "context" not in payloads()[0]


def test_invalid_items_are_refused_at_the_door_and_the_rest_is_taken(
    make_source: MakeSource, make_connector: Any
) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    items = [
        track(messageId="good-1"),
        {"type": "track", "event": "Lost"},
        {"type": "track", "userId": "u1"},
        {"type": "purchase", "userId": "u1"},
        {"userId": "u1", "event": "typeless"},
        track(properties={"text": "x" * 40_000}),
        "no object",
        None,
        track(messageId="good-2"),
    ]
    assert_taken(post("/v1/batch", {"batch": items}, key))
    reasons = [event.refused for event in Event.objects.order_by("id")]
    assert [bool(reason) for reason in reasons] == [False, True, True, True, True, True, True, True, False]
    words = ["to nobody", "no event name", "“purchase”", "no type", "larger than 32 KB", "not an event", "not an event"]
    assert [word in reason for word, reason in zip(words, reasons[1:8], strict=True)] == [True] * 7
    delivered = Delivery.objects.order_by("id").values_list("event__message_id", flat=True)
    assert list(delivered) == ["good-1", "good-2"]


def test_an_item_far_too_large_is_kept_in_outline(make_source: MakeSource) -> None:
    _, key = make_source()
    item = track(messageId="m1", properties={"text": "x" * 400_000})
    assert_taken(post("/v1/batch", {"batch": [item]}, key))
    event = Event.objects.get()
    assert "larger than 32 KB" in event.refused
    assert len(event.body) < 10_000
    assert event.payload["messageId"] == "m1"


def test_an_empty_batch(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/batch", {"batch": []}, key))
    assert Event.objects.count() == 0


@pytest.mark.parametrize("batch", [None, {}, "text", 5, {"0": track()}])
def test_a_batch_that_is_no_list(make_source: MakeSource, batch: Any) -> None:
    _, key = make_source()
    assert_refused(post("/v1/batch", {"batch": batch}, key), 400, "invalid_request")
    assert_refused(post("/v1/batch", {}, key), 400, "invalid_request")


def test_an_event_without_an_id_gets_one(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/batch", {"batch": [track(), track(messageId=""), track(messageId=None)]}, key))
    ids = [event.message_id for event in Event.objects.all()]
    assert len(set(ids)) == 3
    assert all(len(text) == 36 for text in ids)
    assert [payload["messageId"] for payload in payloads()] == [
        event.message_id for event in Event.objects.order_by("id")
    ]


# --- Time -------------------------------------------------------------------------------------------------------------


def timed(**fields: Any) -> dict[str, Any]:
    sent_at = fields.pop("sentAt", None)
    shared = normalise.envelope(RECEIVED, {"sentAt": sent_at})
    return orjson.loads(normalise.normalise(track(**fields), shared).body)


def test_the_clients_wrong_clock_is_taken_out() -> None:
    """timestamp = receivedAt - (sentAt - originalTimestamp)."""
    event = timed(timestamp="2020-01-01T00:00:00.000Z", sentAt="2020-01-01T00:00:04.500Z")
    assert event["timestamp"] == "2025-11-22T09:00:05.500Z"
    assert event["originalTimestamp"] == "2020-01-01T00:00:00.000Z"
    assert event["sentAt"] == "2020-01-01T00:00:04.500Z"
    assert event["receivedAt"] == "2025-11-22T09:00:10.000Z"


def test_without_sent_at_the_timestamp_stays() -> None:
    event = timed(timestamp="2020-01-01T00:00:00.123456+02:00")
    assert event["timestamp"] == "2020-01-01T00:00:00.123456+02:00"
    assert "originalTimestamp" not in event


def test_without_a_timestamp_it_is_the_receipt() -> None:
    event = timed(sentAt="2020-01-01T00:00:04.500Z")
    assert event["timestamp"] == "2025-11-22T09:00:10.000Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2015-2-02T00:30:08.276Z", "2015-02-02T00:30:08.276Z"),  # the month of Segment's own example
        ("2025-11-22T10:00:00.123456789+01:00", "2025-11-22T09:00:00.123Z"),  # Go
        ("2025-11-22 09:00:00.5 +0000 UTC", "2025-11-22T09:00:00.500Z"),
        ("2025-11-22T09:00:00+00:00", "2025-11-22T09:00:00.000Z"),
        ("2025-11-22", "2025-11-22T00:00:00.000Z"),
    ],
)
def test_spellings_of_time(text: str, moment: str) -> None:
    """Sent at the moment it was received, so that the correction leaves the time as it is."""
    assert timed(timestamp=text, sentAt="2025-11-22T09:00:10Z")["timestamp"] == moment


@pytest.mark.parametrize(
    "strange", ["yesterday", "", 1422290032, -1, 1e300, [], {}, True, "0000-00-00T00:00:00Z", "9" * 5000, "9999-12-31"]
)
def test_no_time_refuses_an_event(make_source: MakeSource, strange: Any) -> None:
    _, key = make_source()
    sent_at = "0001-01-01T00:00:00Z"
    assert_taken(post("/v1/track", track(timestamp=strange), key))
    assert_taken(post("/v1/track", track(timestamp="2025-11-22T09:00:00Z", sentAt=strange), key))
    assert_taken(post("/v1/batch", {"batch": [track(timestamp=strange)], "sentAt": sent_at}, key))
    assert_taken(post("/v1/batch", {"batch": [track(timestamp="2025-11-22T09:00:00Z")], "sentAt": strange}, key))
    assert [event.refused for event in Event.objects.all()] == [""] * 4
    for payload in payloads():
        assert normalise.parse_time(payload["timestamp"]) is not None


def test_items_of_a_batch_share_the_receipt_and_sent_at(make_source: MakeSource) -> None:
    _, key = make_source()
    sent = datetime(2020, 1, 1, tzinfo=UTC)
    items = [track(timestamp=normalise.iso(sent - timedelta(seconds=second))) for second in (3, 1)]
    assert_taken(post("/v1/batch", {"batch": items, "sentAt": normalise.iso(sent)}, key))
    first, second = payloads()
    assert first["receivedAt"] == second["receivedAt"]
    times = [normalise.parse_time(payload["timestamp"]) for payload in (first, second)]
    assert times[1] - times[0] == timedelta(seconds=2)  # type: ignore[operator]  # both are there


def test_context_direct_asks_for_the_address(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/track", track(context={"direct": True}), key))
    assert_taken(post("/v1/track", track(context={"direct": True, "ip": "192.0.2.1"}), key))
    assert_taken(post("/v1/track", track(context={}), key))
    assert [payload["context"].get("ip") for payload in payloads()] == ["127.0.0.1", "192.0.2.1", None]
