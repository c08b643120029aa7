"""Whatever is posted, the answer is one of the table's and never a 500, and what is stored can be read again."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from deliveries.models import Event
from tests import hostile
from tests.conftest import MakeSource
from tests.door import ERROR_FIELDS, assert_refused, assert_taken, post, track

pytestmark = pytest.mark.django_db
PATHS = ["/v1/track", "/v1/batch", "/connector/segment"]
many = hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def in_batch(path: str, event: bytes) -> bytes:
    return b'{"batch":[' + event + b"]}" if path == "/v1/batch" else event


def assert_an_answer(response: Any) -> None:
    """One that every client can read."""
    assert response.status_code in (200, 400, 401), response.content
    document = json.loads(response.content)
    assert document == {"success": True} or set(document) == ERROR_FIELDS


def assert_readable() -> None:
    for event in Event.objects.order_by("-id")[:100]:
        assert isinstance(orjson.loads(event.body), dict | list | str | int | float | None)
        assert len(event.message_id) in range(1, 256)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", hostile.REFUSED)
def test_bodies_that_are_refused(make_source: MakeSource, path: str, name: str) -> None:
    _, key = make_source()
    raw, headers = hostile.REFUSED[name]
    assert_refused(post(path, raw, key, headers=headers), 400)
    assert Event.objects.count() == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", hostile.TAKEN)
def test_bodies_that_are_taken_as_they_are(make_source: MakeSource, path: str, name: str) -> None:
    """Integers to the last digit; what no database can hold becomes U+FFFD."""
    _, key = make_source()
    raw, properties = hostile.TAKEN[name]
    depth_of_batch = b'{"a":{"a":' if path == "/v1/batch" else b""
    if depth_of_batch and name.startswith("nesting"):
        raw = hostile.nested(97)
    assert_taken(post(path, in_batch(path, raw), key))
    stored = json.loads(Event.objects.get().body)
    assert stored["properties"].items() >= properties.items()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", [b"", b" ", b"\n"])
def test_an_empty_body(make_source: MakeSource, path: str, raw: bytes) -> None:
    _, key = make_source()
    assert_refused(post(path, raw, key), 400, "invalid_request")
    assert_refused(post(path, raw), 400, "invalid_request")
    assert Event.objects.count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_list_as_long_as_a_body_can_hold(make_source: MakeSource, path: str) -> None:
    _, key = make_source()
    assert_refused(post(path, in_batch(path, b",".join([b"0"] * 200_000)), key), 400)
    assert_refused(post(path, b"[" + b",".join([b"[]"] * 150_000) + b"]", key), 400)
    assert Event.objects.count() == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", ["userId", "anonymousId", "messageId", "event", "type", "timestamp", "name"])
def test_ids_of_every_kind(make_source: MakeSource, make_connector: Any, path: str, field: str) -> None:
    source, key = make_source()
    make_connector("warehouse", source)
    for value in hostile.IDS:
        for kind in ("track", "page") if field in ("name", "type") else ("track",):
            event = {**track(anonymousId="a1", type=kind), field: value}
            assert_an_answer(post(path, {"batch": [event]} if path == "/v1/batch" else event, key))
    assert Event.objects.count() > 0
    assert_readable()


@pytest.mark.parametrize("value", hostile.IDS)
def test_keys_of_every_kind(make_source: MakeSource, value: Any) -> None:
    make_source()
    for body in (track(writeKey=value), {"batch": [track(writeKey=value)]}, {"batch": [], "writeKey": value}):
        assert_refused(post("/v1/batch" if "batch" in body else "/v1/track", body), 401)


@pytest.mark.parametrize("path", ["/connector/customerio", "/connector/surveys"])
def test_other_services_bodies(make_source: MakeSource, path: str) -> None:
    _, key = make_source(vendor=path.rpartition("/")[2])
    for name, (raw, headers) in hostile.REFUSED.items():
        assert_refused(post(path, raw, key, headers=headers), 400)
        assert Event.objects.count() == 0, name
    for value in hostile.IDS:
        data = {"identifiers": {"id": value}, "customer_id": value, "email_address": value}
        survey = dict.fromkeys(("event", "event_id", "anonymous_id", "user_id", "app_id", "organization_id"), value)
        times = {"timestamp": value, "occurred_at": value, "page": value, "traits": value, "locale": value}
        body = {"event_type": value, "object_type": value, "metric": value, "data": data, **survey, **times}
        assert_an_answer(post(path, body, key))
        assert_an_answer(
            post(path, {**body, "event_id": "e1", "event": "Flow Viewed", "event_type": "email_sent"}, key)
        )
        assert_an_answer(post(path, {**body, "data": value, "identities": value, "references": value}, key))
    assert_readable()


@many
@given(document=hostile.events, path=st.sampled_from(["/v1/track", "/v1/identify", "/v1/page", "/connector/segment"]))
def test_any_event(make_source_once: str, document: Any, path: str) -> None:
    assert_an_answer(post(path, document, make_source_once))
    assert_readable()


@many
@given(document=hostile.batches)
def test_any_batch(make_source_once: str, document: Any) -> None:
    assert_an_answer(post("/v1/batch", document, make_source_once))
    assert_readable()


@many
@given(raw=st.binary(max_size=200), encoding=st.sampled_from(["", "gzip", "deflate", "br"]))
def test_any_bytes(make_source_once: str, raw: bytes, encoding: str) -> None:
    assert_an_answer(post("/v1/track", raw, make_source_once, headers={"Content-Encoding": encoding}))


@many
@given(header=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60))
def test_any_authorization(make_source_once: str, header: str) -> None:
    assert_an_answer(post("/v1/track", track(), headers={"Authorization": header}))


@pytest.fixture
def make_source_once(make_source: MakeSource) -> str:
    return make_source()[1]
