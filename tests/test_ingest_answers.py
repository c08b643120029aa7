"""Every row of the table of answers, and what was stored or was not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from deliveries.models import Delivery, Event
from integrations.models import WriteKey
from tests.conftest import MakeSource
from tests.door import BATCHES, CALLS, LETTERS, assert_refused, assert_taken, bearer, post, track

pytestmark = pytest.mark.django_db
POSTED_TO = ["/v1/track", "/v1/batch", "/connector/segment"]


def body_for(path: str, *events: dict[str, Any]) -> Any:
    return {"batch": list(events)} if path == "/v1/batch" else events[0]


def sized(size: int, wrap: bool = False) -> bytes:
    """An event, or a batch of small ones, of exactly ``size`` bytes."""
    if not wrap:
        empty = len(json.dumps(track(messageId="m", properties={"text": ""})))
        return json.dumps(track(messageId="m", properties={"text": "x" * (size - empty)})).encode()
    item = json.dumps(track(properties={"text": "x" * 20_000}))
    head, tail = b'{"batch": [' + b",".join([item.encode()] * 25), b"]}"
    return head + b" " * (size - len(head) - len(tail)) + tail


@pytest.mark.parametrize("path", POSTED_TO)
def test_stored_before_answered(make_source: MakeSource, make_connector: Any, path: str) -> None:
    source, key = make_source()
    active = make_connector("active", source)
    paused = make_connector("paused", source, status="paused")
    off = make_connector("off", source, status="off")
    make_connector("archived", source, archived_at=timezone.now())
    assert_taken(post(path, body_for(path, track(messageId="m1")), key))
    event = Event.objects.get()
    assert (event.message_id, event.source_id) == ("m1", source.id)
    rows = Delivery.objects.order_by("connector_id").values_list("connector_id", "status", "cause", "next_attempt_at")
    assert list(rows) == [
        (active.id, "waiting", "", event.received_at),
        (paused.id, "held", "paused", None),
        (off.id, "skipped", "switched_off", None),
    ]


@pytest.mark.parametrize("path", POSTED_TO)
def test_a_duplicate_answers_200_and_makes_nothing(make_source: MakeSource, make_connector: Any, path: str) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    for _ in range(3):
        assert_taken(post(path, body_for(path, track(messageId="m1")), key))
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


def test_duplicates_within_a_batch_and_between_routes(make_source: MakeSource, make_connector: Any) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    assert_taken(post("/v1/batch", {"batch": [track(messageId="m1"), track(messageId="m1"), track()]}, key))
    assert_taken(post("/v1/track", track(messageId="m1"), key))
    assert (Event.objects.count(), Delivery.objects.count()) == (2, 2)


def test_the_same_id_at_another_source_is_another_event(make_source: MakeSource) -> None:
    keys = [make_source(name)[1] for name in ("one", "two")]
    for key in keys:
        assert_taken(post("/v1/track", track(messageId="m1"), key))
    assert Event.objects.count() == 2


@pytest.mark.parametrize("path", POSTED_TO)
@pytest.mark.parametrize("raw", [b"{", b'{"a": nope}', b"not json", b'{"event": "x"} trailing', b"'single'"])
def test_bad_json(make_source: MakeSource, path: str, raw: bytes) -> None:
    _, key = make_source()
    assert_refused(post(path, raw, key), 400, "invalid_request")
    assert Event.objects.count() == 0


def test_an_event_of_32_kb_and_one_byte_more(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/track", sized(32_768), key))
    assert_refused(post("/v1/track", sized(32_769), key), 400, "too_large")
    assert Event.objects.count() == 1


def test_a_batch_of_512000_bytes_and_one_byte_more(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/batch", sized(512_000, wrap=True), key))
    assert_refused(post("/v1/batch", sized(512_001, wrap=True), key), 400, "too_large")
    assert Event.objects.count() == 25


@pytest.mark.parametrize("path", ["/v1/batch", "/connector/segment"])
def test_2500_events_and_one_more(make_source: MakeSource, path: str) -> None:
    _, key = make_source()
    item = {"type": "track", "event": "e", "userId": "u"}

    def body(count: int) -> Any:
        return [item] * count if "connector" in path else {"batch": [item] * count}

    assert_taken(post(path, body(2500), key))
    assert Event.objects.count() == 2500
    assert_refused(post(path, body(2501), key), 400, "too_many_events")
    assert Event.objects.count() == 2500


@pytest.mark.parametrize("path", POSTED_TO)
def test_keys_that_open_nothing(make_source: MakeSource, path: str) -> None:
    _, key = make_source()
    good = body_for(path, track())
    refused = [post(path, good), post(path, good, "wk_wrong"), post(path, good, headers=bearer("wk_wrong"))]
    refused.append(post(path, good, headers={"Authorization": "Digest x"}))
    refused.append(post(path, good, headers={"Authorization": "Basic %%%"}))
    refused.append(post(path, good, headers={"Authorization": "Basic /////w=="}))
    WriteKey.objects.get().revoke()
    refused.append(post(path, good, key))
    for response in refused:
        assert_refused(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert Event.objects.count() == 0


def test_a_rolled_key_works_until_it_expires(make_source: MakeSource) -> None:
    _, old = make_source()
    new = WriteKey.objects.get().roll().key
    assert_taken(post("/v1/track", track(), old))
    assert_taken(post("/v1/track", track(), new))
    row = WriteKey.objects.get(expires_at__isnull=False)
    row.expires_at = timezone.now() - timedelta(seconds=1)
    row.save()
    assert_refused(post("/v1/track", track(), old), 401, "unknown_key")
    assert_taken(post("/v1/track", track(), new))
    row.roll()  # a second press does not bring it back
    assert_refused(post("/v1/track", track(), old), 401, "unknown_key")


@pytest.mark.parametrize("path", POSTED_TO)
def test_a_source_that_is_off(make_source: MakeSource, path: str) -> None:
    _, key = make_source(status="off")
    assert_refused(post(path, body_for(path, track()), key), 403, "source_off")
    assert Event.objects.count() == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/m", "/connector/segment", "/connector/surveys"])
def test_wrong_methods(db: Any, method: str, path: str) -> None:
    response = Client().generic(method, path, b"{}", content_type="application/json")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    if method != "HEAD":
        assert_refused(response, 405, "method_not_allowed")


def test_a_post_to_the_settings_document(make_source: MakeSource) -> None:
    make_source()
    assert_refused(post("/v1/projects/wk_website/settings", {}), 405)


@pytest.mark.parametrize("path", POSTED_TO)
def test_too_fast(make_source: MakeSource, path: str) -> None:
    _, key = make_source(rate_limit_per_second=1)
    assert_taken(post(path, body_for(path, track()), key))
    response = post(path, body_for(path, track()), key)
    assert_refused(response, 429, "rate_limited")
    assert 1 <= int(response.headers["Retry-After"]) <= 300
    assert response.headers["X-RateLimit-Reset"] == response.headers["Retry-After"]
    assert Event.objects.count() == 1


@pytest.mark.parametrize("path", POSTED_TO)
def test_nothing_can_be_stored(make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    _, key = make_source()

    def fail(*_: Any, **__: Any) -> int:
        raise OperationalError("disk full")

    monkeypatch.setattr("deliveries.accept.store", fail)
    response = post(path, body_for(path, track()), key)
    assert_refused(response, 503, "try_again")
    assert int(response.headers["Retry-After"]) >= 1
    assert Event.objects.count() == 0


def test_all_or_nothing(make_source: MakeSource, make_connector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events whose deliveries can't be stored are not stored either, so that the sender's retry makes both."""
    from deliveries import accept

    source, key = make_source()
    make_connector("warehouse", source)
    insert = accept.insert

    def fail(table: str, *args: Any) -> None:
        if table == "deliveries_delivery":
            raise OperationalError("connection lost")
        insert(table, *args)

    monkeypatch.setattr(accept, "FEW", 0)  # one statement is all or nothing by itself
    monkeypatch.setattr(accept, "insert", fail)
    assert_refused(post("/v1/track", track(messageId="m1"), key), 503)
    monkeypatch.setattr(accept, "insert", insert)
    assert_taken(post("/v1/track", track(messageId="m1"), key))
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


# --- One invalid event ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"/v1/{name}" for name in (*CALLS, *LETTERS)])
def test_an_event_of_nobody_is_kept_as_refused(make_source: MakeSource, make_connector: Any, path: str) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    assert_refused(post(path, {"event": "Lost", "messageId": "m1"}, key), 400, "invalid_event")
    event = Event.objects.get()
    assert "belongs to nobody" in event.refused
    assert Delivery.objects.count() == 0


def test_a_track_call_without_a_name(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_refused(post("/v1/track", {"userId": "u1"}, key), 400, "invalid_event")
    assert "no event name" in Event.objects.get().refused


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"text"', b"null", b"true", b'[{"event": "x"}]'])
@pytest.mark.parametrize("path", ["/v1/track", *(f"/v1/{name}" for name in BATCHES)])
def test_json_that_is_no_event_or_batch(make_source: MakeSource, path: str, raw: bytes) -> None:
    _, key = make_source()
    assert_refused(post(path, raw, key), 400, "invalid_request")
    assert Event.objects.count() == 0
