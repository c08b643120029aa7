"""What pages say in states that are easily forgotten: nothing there, nothing filled in, one of a thing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Task

from deliveries.admin.charts import Bar, stacked
from deliveries.core.bidi import isolated
from deliveries.core.causes import explain
from deliveries.models import Event
from integrations.models import Connector
from integrations.templatetags.console import breaks
from tests.console import EMPTY_TABLES, made, person

pytestmark = pytest.mark.django_db


def page(path: str, role: str = "owner", **data: Any) -> str:
    client = person(role)
    answer = client.post(path, data, follow=True) if data else client.get(path)
    return answer.content.decode()


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("look", "Nothing needs a look"),
        ("retrying", "Nothing is being tried again"),
        ("held", "Nothing is held"),
        ("skipped", "Nothing was skipped"),
        ("delivered", "Nothing was delivered yet"),
    ],
)
def test_each_saved_view_says_what_it_means_that_it_is_empty(view: str, words: str) -> None:
    html = page(f"/deliveries/?view={view}")
    assert words in html
    assert "Nothing matches" not in html
    assert "Clear all" not in html
    assert "Export CSV" not in html
    searched = page(f"/deliveries/?view={view}&q=nobody")
    assert "Nothing matches" in searched
    assert f'<a href="?view={view}">Clear all</a>' in searched


def test_a_filter_that_cannot_be_read_is_not_answered_with_nothing_found() -> None:
    html = page("/deliveries/?since=yesterday")
    assert 'class="errornote" role="alert"' in html
    assert "Nothing matches" not in html


def test_a_replay_is_called_by_what_it_sends() -> None:
    m = made()
    m.replay.filters = {"status": "failed", "cause": "key_refused"}
    m.replay.save()
    html = page(f"/replays/{m.replay.pk}/")
    assert "<h1>Replay: failed · key refused</h1>" in html
    assert "Started by" not in html  # made by nobody: no dash in a name's place
    assert ">Failed · key refused</a>" in page("/replays/")


def test_what_is_not_filled_in_is_named_beside_the_form_and_before_turning_on() -> None:
    assert "Not filled in yet, or not as it should be: Address." in page("/connectors/new/webhook/")
    draft = Connector.objects.create(name="Half", vendor="hello_customer", status="off")
    html = page(f"/connectors/{draft.pk}/setup/on/")
    assert "Touchpoint id, Language id, API token. Until then nothing can be sent:" in html
    assert "All events go there under their own names" in html
    draft.settings, draft.secrets = {"touchpoint_id": "t", "language_id": "l"}, {"api_key": "k"}
    draft.save()
    assert "Until then nothing can be sent:" not in page(f"/connectors/{draft.pk}/setup/on/")


def test_turning_on_without_a_source_does_not_promise_events() -> None:
    m = made()
    client = person("owner")
    first = client.post(f"/connectors/{m.draft.pk}/setup/on/", {"backlog": "now"}, follow=True).content.decode()
    assert "Draft is on, but gets the events of no source yet: tick one below, and save." in first
    other = Connector.objects.create(name="Other", vendor="segment", status="off", region=m.connector.region)
    data = {"backlog": "now", "sources": [m.source.pk]}
    second = client.post(f"/connectors/{other.pk}/setup/on/", data, follow=True).content.decode()
    assert "Other is on. Every event from now on goes there." in second


def test_the_examples_of_all_services_name_somebody() -> None:
    for service in ("segment", "novu", "suprsend", "hello_customer", "webhook"):
        assert "This event names nobody" not in page(f"/connectors/new/{service}/")


def test_a_paused_connector_that_holds_nothing_asks_nothing() -> None:
    m = made()
    held, none = (page(f"/connectors/{pk}/") for pk in (m.paused.pk, _paused_without_events(m)))
    assert "1 event is held; the oldest came in" in held
    assert "Events are not kept any more, and the 1 event held now is marked as skipped." in held
    assert "Nothing is held: it goes on with the next event." in none
    assert "Throw them away" not in none
    assert "Events are not kept any more.</p>" in none


def _paused_without_events(m: Any) -> int:
    now, region = timezone.now(), m.connector.region
    return Connector.objects.create(name="Idle", vendor="segment", region=region, status="paused", status_at=now).pk


def test_what_has_no_limit_asks_for_none() -> None:
    m = made()
    alerts, own = page("/alerts/"), page(f"/connectors/{m.connector.pk}/")
    assert 'type="hidden" name="limit_stopped" value="1">at once' in alerts
    assert 'type="number" min="1" max="10000" name="limit_failing"' in alerts
    assert own.count(">at once</td>") == 2


def test_a_name_that_is_taken_is_said_to_be() -> None:
    m = made()
    data = {"name": m.connector.name, "secret_api_key": "k"}
    assert "Another connector is called that already. Choose another name." in page("/connectors/new/novu/", **data)
    taken = page("/sources/add/?service=segment", name=m.source.name)
    assert "Another source is called that already. Choose another name." in taken


def test_an_address_that_is_none_is_explained() -> None:
    m = made()
    words = "Write a whole web address, for example https://example.com/in."
    assert words in page("/connectors/new/webhook/", name="W", setting_url="no address")
    assert words in page("/addresses/add/", vendor="segment", label="X", slug="x", base_url="no address")
    form = {**m.forms["connector"], **EMPTY_TABLES, "name": m.connector.name, "endpoint": "no address"}
    assert words in page(f"/connectors/{m.connector.pk}/", **form)


def test_of_a_saved_key_its_end_is_shown() -> None:
    m = made()
    html = page(f"/connectors/{m.connector.pk}/")
    assert '<span class="mono">•••• 1234</span>' in html
    assert "wk_very_secret" not in html


def test_the_chart_says_what_the_legend_says() -> None:
    chart = stacked([Bar("28 Nov 00:00", {"retrying": 2}), Bar("28 Nov 06:00", {})], "All")
    assert "<title>28 Nov 00:00: 2 under way</title>" in chart
    assert ">28 Nov</text>" in chart
    assert 'class="retrying" x="6.0%"' in chart


def test_the_lists_of_the_queue_are_called_what_they_list() -> None:
    assert "<h1>Scheduled tasks</h1>" in page("/django_q/schedule/")
    assert "<h1>Failed tasks</h1>" in page("/django_q/failure/")


def test_the_queues_own_pages_are_named_and_write_times_as_ours_do() -> None:
    moment = datetime(2026, 11, 3, 14, 5, 9, tzinfo=UTC)
    common = {"func": "deliveries.tasks.drain", "started": moment, "stopped": moment, "success": True}
    Task.objects.create(id="a" * 32, name="bravo", **common)
    assert "03 Nov 2026 14:05:09" in page("/django_q/success/")
    assert "<h1>Background jobs</h1>" in page("/django_q/")


def test_a_limit_below_nothing_is_explained() -> None:
    m = made()
    words = "Give a number above 0, or leave it empty."
    form = {**m.forms["connector"], "name": m.connector.name, "max_concurrency": "-3", "rate_limit_per_second": "-1"}
    assert page(f"/connectors/{m.connector.pk}/", **form).count(words) == 2
    assert page(f"/connectors/{m.connector.pk}/", **{**form, "max_concurrency": "0"}).count(words) == 2
    assert words in page(f"/sources/{m.source.pk}/", name=m.source.name, rate_limit_per_second="0")


@pytest.mark.parametrize(
    ("vendor", "said"),
    [
        ("segment", "It keeps its message ID, so Segment drops it if it has it already."),
        (
            "hello_customer",
            "It keeps its message ID, but Hello Customer does not recognise repeated events: if it has it already, the "
            "person may get something twice.",
        ),
    ],
)
def test_before_a_replay_it_says_what_the_service_does_with_a_repeated_event(vendor: str, said: str) -> None:
    m = made()
    Connector.objects.filter(pk=m.connector.pk).update(vendor=vendor)
    assert said in page(f"/deliveries/{m.delivered.pk}/")


@pytest.mark.parametrize("name", ["סגמנט (1)", "سلة (1)"])
def test_a_name_from_right_to_left_keeps_its_signs_to_itself(name: str) -> None:
    m = made()
    Connector.objects.filter(pk=m.connector.pk).update(name=name)
    html = page("/problems/")
    assert f"\u2068{name}\u2069: the key is refused" in html
    assert f"Open the connector “\u2068{name}\u2069”" in page(f"/deliveries/{m.failed.pk}/")
    Event.objects.update(name=name)
    assert f"“\u2068{name}\u2069” is kept here" in page(f"/deliveries/{m.held.pk}/")
    asked = explain("failed", "not_found", vendor="novu", vendor_label="Novu", asked=name, http_status=422)
    assert f"the workflow “\u2068{name}\u2069” was renamed" in asked.explanation
    assert isolated("Webhook (1)") == "Webhook (1)"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("no address", "no address"),
        ("Webhook URL: http://localhost:80/in", "Webhook URL: http://localhost:80/<wbr>in"),
        (
            "https://a.example/v1/batch?x=1&y=2 and http://b",
            "https://a.<wbr>example/<wbr>v1/<wbr>batch?<wbr>x=1&amp;<wbr>y=2 and http://b",
        ),
        ("<b>https://a/<i>", "&lt;b&gt;https://a/<wbr>&lt;i&gt;"),
        ("https://..//", "https://..//"),
    ],
)
def test_an_address_breaks_between_its_parts(text: str, html: str) -> None:
    assert breaks(text) == html


def test_empty_lists_offer_one_thing_to_press() -> None:
    """No filters over nothing, no export of nothing, and no second button beside the one that fills the list."""
    for path, button in (
        ("/connectors/", "Connect your first service"),
        ("/sources/", "Add a source"),
        ("/deliveries/", "Send a test event from a connector"),
        ("/events/", "Set up a source"),
        ("/history/", ""),
    ):
        html = page(path).partition("<main")[2]
        pressed = len(re.findall(r'class="button[ "]', html))
        assert (pressed, html.count('class="filters"')) == (1 if button else 0, 0), path
        assert button in html
