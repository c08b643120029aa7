"""A configuration document with mistakes: each is told with its path, and nothing is imported."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.configuration import import_document
from integrations.models import Connector
from integrations.regions import seed_regions
from tests.configuration import DOCUMENT, changed, problems

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _regions() -> None:
    seed_regions()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ...}, ["connectors[0].name: missing."]),
        ({"name": "x" * 101}, ["connectors[0].name: longer than 100 characters."]),
        ({"name": "a\x00"}, ["connectors[0].name: there are characters in it that no text has."]),
        ({"name": "hook"}, ["connectors[1].name: “hook” stands in the document more than once."]),
        ({"color": "red"}, ["connectors[0].color: there is no such field; there are name, "]),
        ({"vendor": "nobody"}, ["connectors[0].vendor: there is no service “nobody”; there are "]),
        ({"vendor": 5}, ["connectors[0].vendor: a text was expected, not a number."]),
        ({"status": "resting"}, ["connectors[0].status: “resting” is not one of active, paused, off."]),
        ({"sources": ["shop"]}, ["connectors[0].sources[0]: there is no source “shop”, "]),
        ({"sources": "website"}, ["connectors[0].sources: a list was expected, not a text."]),
        ({"region": "moon"}, ["connectors[0].region: there is no region “moon”; there are us, eu, eu_alternate."]),
        ({"endpoint": "http://example.com"}, ["connectors[0].endpoint: it must begin with https://."]),
        ({"endpoint": "ftp://example.com"}, ["connectors[0].endpoint: “ftp://example.com” is not an address"]),
        ({"endpoint": "https://a:b@example.com"}, ["connectors[0].endpoint: an address has no user name"]),
        ({"endpoint": "https://[::1"}, ["connectors[0].endpoint: “https://[::1” is not an address."]),
        ({"settings": {"speed": 1}}, ["connectors[0].settings.speed: there is no such field; there are no settings"]),
        ({"settings": []}, ["connectors[0].settings: an object was expected, not a list."]),
        (
            {"secrets": {"api_key": "x"}},
            ["connectors[0].secrets.api_key: ", "connectors[0].secrets.write_key: missing"],
        ),
        ({"secrets": ...}, ["connectors[0].secrets.write_key: missing: Write key."]),
        (
            {"secrets": {"write_key": "two words"}},
            ["connectors[0].secrets.write_key: A write key has no spaces, and at least three characters."],
        ),
        ({"prefix": "x" * 51}, ["connectors[0].prefix: longer than 50 characters."]),
        ({"other_events": "maybe"}, ["connectors[0].other_events: “maybe” is not one of send, skip."]),
        ({"events": [{"type": "track"}, {"event": "X", "send_as": 5}]}, ["connectors[0].events[1].send_as: a text"]),
        ({"events": [{"type": "call", "event": "X"}]}, ["connectors[0].events[0].type: “call” is not one of track, "]),
        ({"events": [{"event": ""}]}, ["connectors[0].events[0]: a line needs an event's name, a type, or both."]),
        ({"events": [{"event": "X"}, {"event": "X"}]}, ["connectors[0].events[1]: there is a line for this event"]),
        ({"events": [{"event": "X", "send": "yes"}]}, ["connectors[0].events[0].send: true or false was expected"]),
        ({"channels": {"sms": "phone"}}, ["connectors[0].channels.sms: there is no such channel; Segment has none."]),
        ({"filters": [{"if": "properties.plan ="}]}, ["connectors[0].filters[0].if: "]),
        ({"filters": [{"then": "keep"}]}, ["connectors[0].filters[0].then: “keep” is not one of drop, only_send."]),
        ({"filters": [{"then": {"sample": 2}}]}, ["connectors[0].filters[0].then.sample: “2” is not a share"]),
        ({"filters": [{"then": {}}]}, ["connectors[0].filters[0].then: give one of sample"]),
        (
            {"filters": [{"then": {"drop_properties": {"context": "ip"}}}]},
            ["connectors[0].filters[0].then.drop_properties.context: a list of field names was expected."],
        ),
        ({"retry": "often"}, ["connectors[0].retry: “often” is not standard or patient, and no list of seconds."]),
        ({"retry": []}, ["connectors[0].retry: the list has 0 waits; from 1 to 50 are possible."]),
        ({"retry": [1, "2"]}, ["connectors[0].retry: wait 2 is “2”, which is not a number of seconds"]),
        ({"rate_limit_per_second": 0}, ["connectors[0].rate_limit_per_second: “0” is not a number above 0."]),
        ({"max_concurrency": 1.5}, ["connectors[0].max_concurrency: “1.5” is not a whole number above 0."]),
        (
            {"retry": True, "status": 1, "prefix": []},
            ["connectors[0].retry: ", "connectors[0].prefix: ", "connectors[0].status: "],
        ),
    ],
)
def test_mistakes_of_a_connector_have_their_path(changes: dict[str, Any], expected: list[str]) -> None:
    found = problems(changed(**changes))
    assert len(found) == len(expected), found
    for line, begins in zip(found, expected, strict=True):
        assert line.startswith(begins)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"name": ""}, "sources[0].name: missing."),
        ({"vendor": "webhook"}, "sources[0].vendor: Webhook does not send events to us; these can: "),
        ({"write_keys": [{"label": "main"}]}, "sources[0].write_keys[0].key: missing."),
        ({"write_keys": [{"key": "two words"}]}, "sources[0].write_keys[0].key: a key has no spaces"),
        ({"write_keys": {"main": "x"}}, "sources[0].write_keys: a list was expected, not an object."),
        ({"write_keys": ["wk"]}, "sources[0].write_keys[0]: an object was expected, not a text."),
        ({"settings": {"naming": "seed"}}, "sources[0].settings.naming: there is no such field"),
        ({"status": "paused"}, "sources[0].status: “paused” is not one of active, off."),
    ],
)
def test_mistakes_of_a_source_have_their_path(source: dict[str, Any], expected: str) -> None:
    document = {"version": 1, "sources": [{"name": "website", "vendor": "segment", **source}]}
    assert any(line.startswith(expected) for line in problems(document))


def test_a_key_belongs_to_one_source() -> None:
    import_document(DOCUMENT)
    again = {"version": 1, "sources": [{"name": "shop", "write_keys": [{"key": "wk_website_1"}]}]}
    assert problems(again) == ["sources[0].write_keys[0].key: this key belongs to the source “website”."]
    twice = {"version": 1, "sources": [{"name": name, "write_keys": [{"key": "new"}]} for name in ("a", "b")]}
    assert problems(twice) == [
        "sources[0].write_keys[0].key: this key stands in the document more than once.",
        "sources[1].write_keys[0].key: this key stands in the document more than once.",
    ]


def test_a_connector_keeps_its_service() -> None:
    import_document(DOCUMENT)
    document = {"version": 1, "connectors": [{"name": "hook", "vendor": "segment", "secrets": {"write_key": "abc"}}]}
    assert problems(document) == [
        "connectors[0].vendor: “hook” is a webhook connector already; another service needs another name."
    ]


@pytest.mark.parametrize("document", [[], "text", None, 5, {}, {"version": 2}, {"version": True}])
def test_documents_that_are_none(document: Any) -> None:
    assert problems(document)


def test_settings_of_every_kind() -> None:
    def of(**settings: Any) -> list[str]:
        settings = {"url": "https://example.com", **settings}
        return problems({"version": 1, "connectors": [{"name": "h", "vendor": "webhook", "settings": settings}]})

    path = "connectors[0].settings."
    assert of(url="nowhere") == [f"{path}url: “nowhere” is not an address such as https://example.com."]
    assert of(url="") == [f"{path}url: missing: Address."]
    assert of(method="GET") == [f"{path}method: “GET” is not one of POST, PUT, PATCH."]
    assert of(batch_size="5") == [f"{path}batch_size: “5” is not a whole number from 0."]
    assert of(headers={"X": 5}) == [f"{path}headers: X: a text was expected, not a number."]
    assert of(headers=["X"]) == [f"{path}headers: an object was expected, not a list."]


def test_plain_http_only_with_private_networks(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    import_document(changed(endpoint="http://127.0.0.1:9000"))
    assert Connector.objects.get(name="warehouse").endpoint == "http://127.0.0.1:9000"
