"""The steps to a new connector: what they say while somebody fills them in, and after the test."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from integrations import clashes, selectors
from integrations.clashes import Clash
from integrations.models import Connector, EventRule, Filter, Source
from integrations.vendors.segment import VENDOR as SEGMENT
from tests.console import connector_form, event_of, made, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def pieces(html: str) -> dict[str, str]:
    """The pieces for other places of the page, as words."""
    found = re.findall(r'<template data-into="([^"]+)">(.*?)</template>', html, re.DOTALL)
    return {place: " ".join(unescape(re.sub(r"<[^>]+>", " ", inner)).split()) for place, inner in found}


def rules(*lines: tuple[str, str, str]) -> dict[str, str]:
    """The events table as a browser posts it: (name, kind, sent as)."""
    posted = {"rules-TOTAL_FORMS": str(len(lines)), "rules-INITIAL_FORMS": "0"}
    for number, (name, kind, send_as) in enumerate(lines):
        values = {"name": name, "kind": kind, "send_as": send_as, "send": "on"}
        posted |= {f"rules-{number}-{field}": value for field, value in values.items()}
    return posted


def typed(row: Connector, data: dict[str, Any], role: str = "editor") -> dict[str, str]:
    """What the page hears at a pause in typing."""
    return pieces(person(role).post(f"/connectors/{row.pk}/preview/", data).content.decode())


# --- Names that clash -------------------------------------------------------------------------------------------------


def test_two_kept_events_with_one_name_clash_and_one_switched_off_does_not() -> None:
    row = Connector.objects.create(name="To", vendor="segment", prefix="shop: ")
    for name, send, send_as in (("A", True, "same"), ("B", True, "same"), ("C", False, "same"), ("D", True, "")):
        EventRule.objects.create(connector=row, kind="track", name=name, send=send, send_as=send_as)
    config = selectors.connector_config(row)
    assert clashes.find(config, SEGMENT, []) == [Clash("shop: same", ("A", "B"))]
    seen = [("track", "same"), ("page", "same"), ("identify", "")]
    assert clashes.find(config, SEGMENT, seen) == [Clash("shop: same", ("A", "B", "same"))]


def test_what_is_not_sent_at_all_does_not_clash() -> None:
    row = Connector.objects.create(name="To", vendor="segment", other_events="skip")
    EventRule.objects.create(connector=row, kind="track", name="A", send_as="B")
    config = selectors.connector_config(row)
    assert clashes.find(config, SEGMENT, [("track", "B")]) == []
    Connector.objects.filter(pk=row.pk).update(other_events="send")
    row.refresh_from_db()
    assert clashes.find(selectors.connector_config(row), SEGMENT, [("track", "B")]) == [Clash("B", ("A", "B"))]


def test_the_page_warns_of_a_clash_with_an_event_that_comes_in() -> None:
    m = made()  # "Response Submitted" has come in
    rule = EventRule.objects.create(connector=m.connector, kind="track", name="Flow Done", send_as="Response Submitted")
    words = "2 events go out as “Response Submitted”:"
    for address in (f"/connectors/{m.connector.pk}/", f"/connectors/{m.connector.pk}/setup/events/"):
        page = person("owner").get(address).content.decode()
        assert words in page
        assert "Flow Done, Response Submitted." in page
    rule.send_as = ""
    rule.save()
    assert words not in person("owner").get(f"/connectors/{m.connector.pk}/").content.decode()


def test_an_event_of_another_source_does_not_clash_here() -> None:
    m = made()
    other = Source.objects.create(name="other")
    event_of(other, 50, name="Order Paid")
    EventRule.objects.create(connector=m.connector, kind="track", name="Flow Done", send_as="Order Paid")
    assert "go out as" not in person("owner").get(f"/connectors/{m.connector.pk}/").content.decode()
    EventRule.objects.create(connector=m.draft, kind="track", name="Flow Done", send_as="Order Paid")
    # A draft listens to no source yet: any may become its own.
    assert "2 events go out as “Order Paid”" in person("owner").get(f"/connectors/{m.draft.pk}/").content.decode()


def test_the_warning_comes_while_typing() -> None:
    m = made()
    form = connector_form(m.connector.region)
    said = typed(m.connector, {**form, **rules(("A", "track", "one name"), ("B", "track", "one name"))})
    assert said["clashes"].startswith("2 events go out as “one name”: A, B.")
    assert typed(m.connector, {**form, **rules(("A", "track", "one name"), ("B", "track", ""))})["clashes"] == ""


# --- When an event was last seen --------------------------------------------------------------------------------------


def test_each_line_says_when_its_event_was_last_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    m = made()
    form = connector_form(m.connector.region)
    lines = rules(("Response Submitted", "track", ""), ("Never Sent", "", ""), ("", "", ""), ("", "track", ""))
    said = typed(m.connector, {**form, **lines})
    assert [said[f"seen-rules-{n}"] for n in range(4)] == ["5 min ago", "not yet", "", "5 min ago"]
    monkeypatch.setattr("deliveries.admin.event_lines.LOOKED_AT", 2)
    cache.clear()
    event_of(m.source, 60, name="Newer")
    event_of(m.source, 61, name="Newer", received_at=timezone.now())
    said = typed(m.connector, {**form, **lines})
    assert [said[f"seen-rules-{n}"] for n in (0, 1, 3)] == ["not in the last 2", "not in the last 2", "just now"]


def test_the_events_step_has_the_column() -> None:
    m = made()
    EventRule.objects.create(connector=m.draft, kind="track", name="Response Submitted")
    page = person("editor").get(f"/connectors/{m.draft.pk}/setup/events/").content.decode()
    assert "<th>Last seen</th>" in page
    assert re.search(r'id="seen-rules-0"><time [^>]+>5 min ago</time>', page)


def test_what_an_event_means_comes_while_typing() -> None:
    m = made()
    lines = rules(("Flow Viewed", "track", ""), ("Email Bounced", "", ""), ("Our own", "track", ""))
    said = typed(m.connector, {**connector_form(m.connector.region), **lines})
    assert [said[f"means-rules-{n}"] for n in range(3)] == [
        "Somebody saw a survey.",
        "An e-mail could not be delivered.",
        "",
    ]


# --- Mistakes while typing --------------------------------------------------------------------------------------------


def test_a_mistake_stands_at_its_field_once_somebody_was_there() -> None:
    m = made()
    form = {**connector_form(m.connector.region), "name": "", "secret_write_key": "two words"}
    said = typed(m.connector, {**form, "touched": ["secret_write_key"]})
    assert said["errors-secret_write_key"] == "A write key has no spaces, and at least three characters."
    assert "errors-name" not in said  # empty, but nobody has been there yet
    said = typed(m.connector, {**form, "secret_write_key": "wk_good", "touched": ["name", "secret_write_key"]})
    assert (said["errors-secret_write_key"], said["errors-name"]) == ("", "This field is required.")


def test_a_mistake_in_a_line_stands_in_its_line() -> None:
    m = made()
    lines = {"filters-TOTAL_FORMS": "1", "filters-0-condition": "plan = = 1", "filters-0-action": "drop"}
    said = typed(m.connector, {**connector_form(m.connector.region), **lines, "touched": ["filters-0-condition"]})
    assert said["errors-filters-0-condition"].startswith("This condition cannot be read:")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("xoxb-1234567890", "This looks like a Slack token, not like the write key."),
        ("https://app.segment.com/x", "This looks like a web address, not like the write key."),
        (
            '{"key": 1}',
            "This looks like a piece of JSON, not like the write key. "
            "A write key has no spaces, and at least three characters.",
        ),
        ("wk_1234567890ab", ""),
    ],
)
def test_the_first_step_checks_the_key_before_there_is_a_row(key: str, words: str) -> None:
    data = {"name": "New", "secret_write_key": key, "touched": ["secret_write_key"]}
    client = person("editor")
    html = client.post("/connectors/new/segment/preview/", data).content.decode()
    assert pieces(html)["errors-secret_write_key"] == words
    assert "https://api.<wbr>segment.<wbr>io/<wbr>v1/<wbr>batch" in html  # *Try it*, for what was typed
    assert key not in html
    assert Connector.objects.count() == 0
    page = client.get("/connectors/new/segment/").content.decode()
    assert 'data-preview="/connectors/new/segment/preview/"' in page
    assert 'id="errors-secret_write_key"' in page


def test_a_name_in_capitals_keeps_them() -> None:
    data = {"secret_api_key": "whsec_1234", "touched": ["secret_api_key"]}
    html = person("editor").post("/connectors/new/suprsend/preview/", data).content.decode()
    words = "This looks like a webhook's signing secret, not like the API key."
    assert pieces(html)["errors-secret_api_key"] == words


def test_a_slack_token_is_taken_where_one_is_asked_for() -> None:
    data = {"secret_slack_access_token": "xoxb-12345", "touched": ["secret_slack_access_token"]}
    html = person("editor").post("/connectors/new/suprsend/preview/", data).content.decode()
    assert pieces(html)["errors-secret_slack_access_token"] == ""


# --- The catalog ------------------------------------------------------------------------------------------------------


def test_something_else_leads_to_a_webhook_whatever_is_searched_for() -> None:
    for query in ("", "?q=nothing+is+called+that"):
        page = person("editor").get(f"/connectors/new/{query}").content.decode()
        assert page.count("Something else → Webhook") == 1


def test_the_catalog_counts_what_is_connected_and_no_draft() -> None:
    made()  # four Segment connectors, one of them never finished
    page = person("editor").get("/connectors/new/")
    assert {vendor.slug: count for vendor, count in page.context["sending"]}["segment"] == 3
    assert [row.name for row in page.context["drafts"]] == ["Draft"]


def test_a_filter_on_a_field_that_no_event_has_is_hinted_at_while_it_is_typed_and_after() -> None:
    row = made().connector
    hint = "Events have no score of their own: is properties.score meant, or traits.score?"
    filled = {"filters-TOTAL_FORMS": "1", "filters-INITIAL_FORMS": "0", "filters-0-action": "drop"}
    assert typed(row, {**filled, "filters-0-condition": "score > 5"})["hint-filters-0"] == hint
    assert typed(row, {**filled, "filters-0-condition": "properties.score > 5"})["hint-filters-0"] == ""
    Filter.objects.create(connector=row, condition="score > 5", action="drop")
    page = person("viewer").get(f"/connectors/{row.pk}/").content.decode()
    assert f'id="hint-filters-0" aria-live="polite">{hint}</span>' in page
