"""Every ingest route, with and without a trailing slash, every place for a key, every spelling of a body."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from django.test import Client

from deliveries.models import Delivery, Event
from tests.conftest import MakeSource
from tests.door import BATCHES, CALLS, LETTERS, assert_refused, assert_taken, basic, bearer, post, track

pytestmark = pytest.mark.django_db
ROUTES = [*((name, name) for name in CALLS), *LETTERS.items()]
EVERY_V1 = [*(f"/v1/{name}" for name, _ in ROUTES), *(f"/v1/{name}" for name in BATCHES), "/v1/m"]
SURVEY = {
    "event": "Flow Viewed", "event_id": "e1", "occurred_at": "2025-11-22T09:00:00Z", "anonymous_id": "a1",
    "app_id": "app", "organization_id": "org",
}  # fmt: skip
REPORTED = {
    "event_type": "email_delivered", "event_id": "9420f522", "timestamp": 1422290032, "data": {"customer_id": "568"},
}  # fmt: skip


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("name", "kind"), ROUTES)
def test_one_event(make_source: MakeSource, name: str, kind: str, slash: str) -> None:
    _, key = make_source()
    assert_taken(post(f"/v1/{name}{slash}", {"userId": "u1", **CALLS[kind]}, key))
    event = Event.objects.get()
    assert (event.type, event.user_id, event.refused) == (kind, "u1", "")
    assert event.payload["type"] == kind
    assert {key: event.payload[key] for key in CALLS[kind]} == CALLS[kind]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch(make_source: MakeSource, name: str, slash: str) -> None:
    _, key = make_source()
    items = [{"type": kind, "userId": "u1", **fields} for kind, fields in CALLS.items()]
    assert_taken(post(f"/v1/{name}{slash}", {"batch": items}, key))
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == list(CALLS)


@pytest.mark.parametrize("slash", ["", "/"])
def test_metrics_of_the_libraries_are_taken_and_ignored(db: Any, slash: str) -> None:
    assert_taken(post(f"/v1/m{slash}", {"series": [{"type": "Counter", "metric": "x", "value": 1, "tags": {}}]}))
    assert Event.objects.count() == 0


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_settings_document(make_source: MakeSource, slash: str) -> None:
    make_source(key="wk_website")
    response = Client().get(f"/v1/projects/wk_website/settings{slash}")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.json()["integrations"] == {"Segment.io": {"apiKey": "wk_website", "apiHost": "testserver/v1"}}
    assert_refused(Client().get(f"/v1/projects/wk_other/settings{slash}"), 401, "unknown_key")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("vendor", "path", "document", "name"),
    [
        ("segment", "/connector/segment", track(), "Order Completed"),
        ("customerio", "/connector/customerio", REPORTED, "customerio:email_delivered"),
        ("customerio", "/connector/customerio/wk_website", REPORTED, "customerio:email_delivered"),
        ("surveys", "/connector/surveys", SURVEY, "Flow Viewed"),
    ],
)
def test_webhooks(
    make_source: MakeSource, vendor: str, path: str, document: dict[str, Any], name: str, slash: str
) -> None:
    _, key = make_source(vendor=vendor)
    assert_taken(post(path + slash, document, "" if key in path else key))
    event = Event.objects.get()
    assert (event.type, event.name, event.refused) == ("track", name, "")


def test_no_route_redirects(make_source: MakeSource) -> None:
    """Clients follow a redirect with a GET, and the event is lost."""
    make_source()
    for path in (*EVERY_V1, "/connector/segment", "/connector/customerio/k", "/v1/projects/k/settings"):
        for spelling in (path, f"{path}/"):
            for method in ("GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE"):
                response = Client().generic(method, spelling, b"{}", content_type="application/json")
                assert not 300 <= response.status_code < 400, (method, spelling)


# --- Keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        (basic("wk_website"), {}),
        ({"Authorization": "Basic " + base64.b64encode(b"wk_website").decode()}, {}),
        ({"Authorization": "basic " + base64.b64encode(b"wk_website:ignored").decode()}, {}),
        (bearer("wk_website"), {}),
        ({}, {"writeKey": "wk_website"}),
        (bearer("an.oauth.token"), {"writeKey": "wk_website"}),
        (basic("wk_website"), {"writeKey": "wk_website"}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_key_places(make_source: MakeSource, headers: dict[str, str], fields: dict[str, str], path: str) -> None:
    make_source()
    body = track(**fields) if path.endswith("track") else {"batch": [track()], **fields}
    assert_taken(post(path, body, headers=headers))
    assert "writeKey" not in Event.objects.get().payload


def test_a_key_in_the_first_item_of_a_batch(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/b", {"batch": [track(writeKey=key), track(writeKey=key)]}))
    assert Event.objects.count() == 2
    assert not Event.objects.filter(body__contains="writeKey").exists()


def test_a_key_leads_to_its_own_source_and_connectors(make_source: MakeSource, make_connector: Any) -> None:
    (one, first), (two, second) = make_source("one"), make_source("two")
    to_one, to_both = make_connector("to one", one), make_connector("to both", one, two)
    assert_taken(post("/v1/track", track(), first))
    assert_taken(post("/v1/track", track(), second))
    found = Delivery.objects.order_by("id").values_list("event__source_id", "connector_id", "status")
    assert sorted(found) == sorted(
        [(one.id, to_one.id, "waiting"), (one.id, to_both.id, "waiting"), (two.id, to_both.id, "waiting")]
    )


# --- Bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "application/json; charset=utf-8", "text/plain", "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream", "",
        "no/such; thing=\x01",
    ],
)  # fmt: skip
def test_any_content_type_is_json(make_source: MakeSource, content_type: str) -> None:
    _, key = make_source()
    assert_taken(post("/v1/track", track(), key, content_type))
    assert Event.objects.get().payload["event"] == "Order Completed"


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_encodings(make_source: MakeSource, encoding: str, compress: Any) -> None:
    _, key = make_source()
    raw = compress(json.dumps({"batch": [track(event="Café 😀")]}).encode())
    assert_taken(post("/v1/batch", raw, key, headers={"Content-Encoding": encoding}))
    assert Event.objects.get().name == "Café 😀"


def test_a_byte_order_mark_is_no_mistake(make_source: MakeSource) -> None:
    _, key = make_source()
    assert_taken(post("/v1/track", b"\xef\xbb\xbf" + json.dumps(track()).encode(), key))


# --- Browsers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*EVERY_V1, "/v1/projects/wk_website/settings"])
def test_preflight(db: Any, path: str) -> None:
    asked = {
        "Origin": "https://shop.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-retry-count",
    }
    response = Client().options(path, headers=asked)
    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {"authorization", "content-type", "x-retry-count"}


def test_browsers_may_read_answers_and_errors(make_source: MakeSource) -> None:
    _, key = make_source()
    for response in (
        post("/v1/track", track(), key),
        post("/v1/track", b"{", key),
        post("/v1/track", track()),
        post("/v1/track", track(), "wk_wrong"),
        Client().get("/v1/track"),
    ):
        assert response.headers["Access-Control-Allow-Origin"] == "*", response.status_code
        exposed = {name.strip() for name in response.headers["Access-Control-Expose-Headers"].split(",")}
        assert exposed >= {"Retry-After", "X-RateLimit-Reset"}
