"""What other services post: Segment's Webhooks destination, Customer.io's reporting webhooks, survey events."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from standardwebhooks import Webhook

from deliveries.models import Delivery, Event
from tests.conftest import MakeSource
from tests.door import assert_refused, assert_taken, bearer, post, track

pytestmark = pytest.mark.django_db
# A test vector: HMAC-SHA1 of exactly these bytes.
SIGNED = '{"type":"track","event":"Café Ordered","userId":"u1","properties":{"total":9.5}}'.encode()
SIGNATURE = "3e8f42a1cef7b9d482093c3db78a15eaad70f4ee"
LEGACY = {
    "event_type": "email_delivered",
    "event_id": "9420f522-b127-4a74-8b90-bace0edc27ab",
    "timestamp": 1422290032,
    "data": {"customer_id": "568", "email_address": "customer@example.com"},
}
CURRENT = {
    "data": {"identifiers": {"id": "0200102"}, "delivery_id": "d1", "recipient": "test@example.com"},
    "event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQJ",
    "object_type": "email",
    "metric": "unsubscribed",
    "timestamp": 1613063089,
}
SURVEY = {
    "event": "Response Submitted", "event_id": "e1", "occurred_at": "2025-11-22T09:00:00Z", "anonymous_id": "a1",
    "app_id": "app", "organization_id": "org", "survey_id": "srv", "response_id": "resp",
}  # fmt: skip


def signed(raw: bytes) -> dict[str, str]:
    return {"X-Signature": hmac.new(b"shared-secret", raw, hashlib.sha1).hexdigest()}


# --- Segment ----------------------------------------------------------------------------------------------------------


def test_a_list_of_events(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/connector/segment", [track(messageId="1"), track(messageId="2"), "x"], headers=bearer(key)))
    assert list(Event.objects.order_by("id").values_list("message_id", "refused"))[:2] == [("1", ""), ("2", "")]
    assert "not an event" in Event.objects.order_by("id").last().refused  # type: ignore[union-attr]  # one was stored


def test_the_signature(make_source: MakeSource) -> None:
    _, key = make_source(signing_secret="shared-secret")
    assert signed(SIGNED) == {"X-Signature": SIGNATURE}
    assert_taken(post("/connector/segment", SIGNED, headers={**bearer(key), "X-Signature": SIGNATURE}))
    assert_taken(post("/connector/segment", SIGNED, headers={**bearer(key), "X-Signature": SIGNATURE.upper()}))


@pytest.mark.parametrize(
    ("raw", "signature"),
    [
        (SIGNED + b" ", SIGNATURE),
        (SIGNED.replace(b"9.5", b"9.6"), SIGNATURE),
        (SIGNED, SIGNATURE[:-1] + "f"),
        (SIGNED, ""),
        (SIGNED, "é"),
    ],
)
def test_a_wrong_signature(make_source: MakeSource, raw: bytes, signature: str) -> None:
    _, key = make_source(signing_secret="shared-secret")
    given = {**bearer(key), **({"X-Signature": signature} if signature else {})}
    assert_refused(post("/connector/segment", raw, headers=given), 401, "bad_signature")
    assert Event.objects.count() == 0


def test_of_a_list_the_first_event_is_signed(make_source: MakeSource) -> None:
    _, key = make_source(signing_secret="shared-secret")
    second = b'{"type":"track","event":"Second","userId":"u2"}'
    raw = b"[ " + SIGNED + b" ,\n" + second + b"]"
    assert_taken(post("/connector/segment", raw, headers={**bearer(key), "X-Signature": SIGNATURE}))
    assert Event.objects.count() == 2
    assert_refused(post("/connector/segment", raw, headers={**bearer(key), **signed(raw)}), 401, "bad_signature")


def test_a_signature_of_a_gzipped_body_is_that_of_the_text(make_source: MakeSource) -> None:
    _, key = make_source(signing_secret="shared-secret")
    given = {**bearer(key), "X-Signature": SIGNATURE, "Content-Encoding": "gzip"}
    assert_taken(post("/connector/segment", gzip.compress(SIGNED), headers=given))


def test_the_tracking_api_needs_no_signature(make_source: MakeSource) -> None:
    """Segment's libraries can't sign."""
    _, key = make_source(signing_secret="shared-secret")
    assert_taken(post("/v1/track", track(), key))


def test_a_deletion_is_stored(make_source: MakeSource, make_connector: Any) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    assert_taken(post("/connector/segment", {"type": "delete", "userId": "u1", "messageId": "d1"}, key))
    assert (Event.objects.get().type, Delivery.objects.count()) == ("delete", 1)


def test_a_single_invalid_event_is_told_so(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_refused(post("/connector/segment", {"type": "track", "event": "x"}, key), 400, "invalid_event")
    assert Event.objects.get().refused


# --- Customer.io ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "naming", "name", "user_id"),
    [
        (LEGACY, {}, "customerio:email_delivered", "568"),
        (LEGACY, {"naming": "segment"}, "Email Delivered", "568"),
        (CURRENT, {}, "customerio:email_unsubscribed", "0200102"),
        (CURRENT, {"naming": "segment"}, "Email Unsubscribed", "0200102"),
    ],
)
def test_customerio(
    make_source: MakeSource, document: dict[str, Any], naming: dict[str, str], name: str, user_id: str
) -> None:
    _, key = make_source(vendor="customerio", settings=naming)
    for _ in range(2):
        assert_taken(post(f"/connector/customerio/{key}", document))
    event = Event.objects.get()
    assert (event.name, event.user_id, event.message_id) == (name, user_id, document["event_id"])
    assert event.payload["timestamp"] == normal(document["timestamp"])


def normal(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_customerio_gets_200_for_what_cannot_be_mapped(make_source: MakeSource) -> None:
    """It blocks its whole stream on an error."""
    _, key = make_source(vendor="customerio")
    for document in ({"data": {}}, {"event_type": "email_sent", "data": {}}, {"event_type": "x", "data": None}, {}):
        assert_taken(post(f"/connector/customerio/{key}", {**document, "event_id": json.dumps(document)}))
    assert Event.objects.count() == Event.objects.exclude(refused="").count() == 4


def test_customerio_signature(make_source: MakeSource) -> None:
    _, key = make_source(vendor="customerio", signing_secret="cio-secret")
    raw, stamp = json.dumps(CURRENT).encode(), str(int(time.time()))
    good = hmac.new(b"cio-secret", b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    path = f"/connector/customerio/{key}"
    assert_refused(post(path, raw), 401, "bad_signature")
    assert_refused(
        post(path, raw, headers={"X-CIO-Timestamp": stamp, "X-CIO-Signature": "0" * 64}), 401, "bad_signature"
    )
    assert Event.objects.count() == 0
    assert_taken(post(path, raw, headers={"X-CIO-Timestamp": stamp, "X-CIO-Signature": good}))


@pytest.mark.parametrize("key", ["wk_wrong", "%20", "..", "é", "\x00", "x" * 2000])
def test_a_wrong_key_in_the_path(make_source: MakeSource, key: str) -> None:
    make_source(vendor="customerio")
    assert_refused(post(f"/connector/customerio/{quote(key)}", CURRENT), 401)


# --- Surveys ----------------------------------------------------------------------------------------------------------


def test_survey_events(make_source: MakeSource) -> None:
    _, key = make_source(vendor="surveys")
    viewed = {**SURVEY, "event": "Flow Viewed", "event_id": "e2", "user_id": "u1"}
    assert_taken(post("/connector/surveys", [SURVEY, viewed, {"event": "Flow Viewed"}], headers=bearer(key)))
    assert_taken(post("/connector/surveys", SURVEY, headers=bearer(key)))
    first, second, third = Event.objects.order_by("id")
    assert (first.name, first.message_id, first.anonymous_id) == ("Response Submitted", "e1", "a1")
    assert first.payload["properties"].items() >= {"app_id": "app", "identities": {}, "references": {}}.items()
    assert (second.name, second.user_id) == ("Flow Viewed", "u1")
    assert "no event_id" in third.refused


def test_a_signed_survey_event(make_source: MakeSource) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    _, key = make_source(vendor="surveys", signing_secret=secret)
    raw, now = json.dumps(SURVEY).encode(), datetime.now(UTC)
    good = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, raw.decode()),
    }
    assert_refused(post("/connector/surveys", raw, key), 401, "bad_signature")
    assert_refused(post("/connector/surveys", raw + b" ", key, headers=good), 401, "bad_signature")
    assert_taken(post("/connector/surveys", raw, key, headers=good))


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("segment", "/connector/surveys"),
        ("segment", "/connector/customerio"),
        ("surveys", "/connector/segment"),
        ("customerio", "/connector/segment"),
    ],
)
def test_a_key_of_another_service(make_source: MakeSource, vendor: str, path: str) -> None:
    _, key = make_source(vendor=vendor)
    assert_refused(post(path, SURVEY, key), 401, "wrong_source")
    assert Event.objects.count() == 0
