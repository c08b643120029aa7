"""The step list of the way to a new connector: a tick stands for what is really done."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from deliveries.models import Event, Replay
from deliveries.trials import Trial
from integrations.models import Connector, EventRule, RegionEndpoint, Source
from tests.console import EMPTY_TABLES, event_of, made, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def steps(client: Client, row: Connector, step: str) -> dict[str, str]:
    """The steps by name: done, here, or neither."""
    page = client.get(f"/connectors/{row.pk}/setup/{step}/").content.decode()
    listed = page[page.index('<ol class="steps"') :].split("</ol>")[0]
    found = re.findall(r"<li([^>]*)>(.*?)</li>", listed)
    words = {re.sub(r"<[^>]+>", "", inner).removesuffix(", done"): marks for marks, inner in found}
    return {
        name: "here" if "aria-current" in marks else "done" if "done" in marks else "" for name, marks in words.items()
    }


def started(client: Client) -> Connector:
    region = RegionEndpoint.objects.get(vendor="segment", slug="eu")
    data = {"name": "New", "secret_write_key": "wk_1234567890ab", "region": region.pk}
    client.post("/connectors/new/segment/", data)
    return Connector.objects.get(name="New", region=region)


def test_going_back_takes_no_tick_away() -> None:
    client = person("editor")
    row = started(client)
    assert steps(client, row, "events") == {
        "Service": "done", "Keys and region": "done", "Events": "here", "Test": "", "Turn on": "",
    }  # fmt: skip
    client.post(f"/connectors/{row.pk}/setup/events/", {"other_events": "send", **EMPTY_TABLES})
    assert steps(client, row, "keys") == {
        "Service": "done", "Keys and region": "here", "Events": "done", "Test": "", "Turn on": "",
    }  # fmt: skip


def test_a_region_is_a_choice_beside_the_keys() -> None:
    """And where there is none, neither is an own address asked for."""
    client = person("editor")
    for service, fields in (
        ("segment", ["name", "secret_write_key", "region", "endpoint"]),
        ("webhook", ["name", "setting_url", "setting_method", "setting_batch_size", "secret_signing_secret"]),
    ):
        page = client.get(f"/connectors/new/{service}/")
        asked = [field.name for field in page.context["form"]]
        assert [name for name in asked if name in fields] == fields
        assert ("endpoint" in asked) == ("endpoint" in fields)
    page = client.get("/connectors/new/segment/").content.decode()
    assert re.findall(r'name="region" value="\d+"[^>]*( checked)[^>]*> <span>([^<]+)<', page) == [
        (" checked", "Global / US (Oregon)")
    ]
    assert "with the wrong one Segment says yes and shows nothing." in page
    nothing = client.post("/connectors/new/segment/", {"name": "New", "secret_write_key": "wk_1234567890ab"})
    assert nothing.context["form"].errors == {"region": ["This field is required."]}
    row = started(client)
    assert client.get(f"/connectors/{row.pk}/setup/region/").status_code == 404
    assert Connector.objects.count() == 1


def test_sending_a_test_is_the_button_and_no_tick_until_one_was_sent() -> None:
    client = person("editor")
    row = started(client)
    address, on = f"/connectors/{row.pk}/setup/test/", f"/connectors/{row.pk}/setup/on/"
    assert f'<a class="button" href="{on}">Continue without a test</a>' in client.get(address).content.decode()
    assert steps(client, row, "on")["Test"] == ""
    Connector.objects.filter(pk=row.pk).update(tested_at=timezone.now())
    assert f'<a class="button primary" href="{on}">Continue</a>' in client.get(address).content.decode()
    assert [steps(client, row, step)["Test"] for step in ("on", "keys")] == ["done", "done"]


def test_a_test_that_failed_is_no_tick_and_is_said_before_turning_on() -> None:
    client = person("editor")
    row = started(client)
    address, on = f"/connectors/{row.pk}/setup/test/", f"/connectors/{row.pk}/setup/on/"
    Connector.objects.filter(pk=row.pk).update(tested_at=timezone.now())
    Trial.objects.create(connector=row, message_id="test_1", outcome="failed", headline="Refused.")
    assert f'<a class="button" href="{on}">Continue all the same</a>' in client.get(address).content.decode()
    assert steps(client, row, "on")["Test"] == ""
    said = f'The last test event did not arrive: <a href="{address}">back to the test</a>.'
    assert said in client.get(on).content.decode()
    Trial.objects.create(connector=row, message_id="test_2", outcome="delivered", headline="Accepted.")
    assert f'<a class="button primary" href="{on}">Continue</a>' in client.get(address).content.decode()
    assert steps(client, row, "on")["Test"] == "done"
    assert said not in client.get(on).content.decode()


def test_a_copy_has_no_keys_yet() -> None:
    m, client = made(), person("editor")
    client.post(f"/connectors/{m.connector.pk}/copy/")
    copy = Connector.objects.exclude(pk__in=[m.connector.pk, m.paused.pk, m.off.pk, m.draft.pk]).get()
    assert steps(client, copy, "events") == {
        "Service": "done", "Keys and region": "", "Events": "here", "Test": "", "Turn on": "",
    }  # fmt: skip


def test_the_steps_are_forgotten_with_the_draft() -> None:
    client = person("editor")
    row = started(client)
    assert client.session["setup_reached"] == {str(row.pk): 1}
    client.post(f"/connectors/{row.pk}/discard/")
    assert client.session["setup_reached"] == {}


def test_known_events_say_what_they_mean() -> None:
    Source.objects.create(name="surveys", vendor="surveys")
    Source.objects.create(name="mail", vendor="customerio")
    client = person("editor")
    row = started(client)
    for name in ("", "Flow Viewed"):
        EventRule.objects.create(connector=row, kind="page", name=name)
    for name in ("Of our own", "Email Marked as Spam"):
        EventRule.objects.create(connector=row, kind="track", name=name)
    page = client.get(f"/connectors/{row.pk}/setup/events/").content.decode()
    listed = re.findall(
        r'name="rules-\d+-name"[^>]*value="([^"]*)"[^>]*>(?:<span class="small" id="means-rules-\d+">([^<]*)</span>)?',
        page,
    )
    meanings = dict(listed)
    assert meanings["Response Submitted"] == "Somebody answered a survey."
    assert meanings["customerio:email_bounced"] == "An e-mail could not be delivered."
    assert meanings["Email Marked as Spam"] == "Somebody marked an e-mail as spam."  # in the other style of naming
    assert meanings["Of our own"] == ""
    assert page.count("Somebody saw a survey.") == 1  # the track event, and no page of that name
    assert page.count("Somebody opened a page of a website.") == 1


def lines_of(row: Connector) -> list[str]:
    return list(row.rules.order_by("id").values_list("name", flat=True))


@pytest.mark.parametrize(("naming", "bounced"), [("seed", "customerio:email_bounced"), ("segment", "Email Bounced")])
def test_the_table_begins_with_what_the_sources_send_as_they_call_it(naming: str, bounced: str) -> None:
    Source.objects.create(name="mail", vendor="customerio", settings={"naming": naming, "signature_max_age": 3})
    names = lines_of(started(person("editor")))
    assert (len(names), bounced in names) == (12, True)


def test_the_table_begins_with_what_came_in_too_newest_first() -> None:
    source, now = Source.objects.create(name="website"), timezone.now()
    Source.objects.create(name="surveys", vendor="surveys")
    for number, (kind, name) in enumerate(
        [("track", "Order Paid"), ("track", "Flow Viewed"), ("identify", ""), ("page", "Home"), ("track", "x" * 201)]
    ):
        event_of(source, 10 + number, type=kind, name=name, received_at=now - timedelta(hours=9 - number))
    event_of(source, 20, name="Order Sent", received_at=now)
    row = started(person("editor"))
    assert lines_of(row) == ["Flow Viewed", "Flow Dismissed", "Response Submitted", "Order Sent", "Order Paid"]
    assert set(row.rules.values_list("kind", "send", "send_as")) == {("track", True, "")}
    page = person("editor").get(f"/connectors/{row.pk}/setup/events/").content.decode()
    seen = re.findall(r'id="seen-rules-\d+">(?:<time [^>]+>)?([^<]*)<', page)
    assert seen == ["8 h ago", "not yet", "not yet", "just now", "9 h ago"]


def test_the_table_does_not_begin_with_hundreds_of_lines() -> None:
    source = Source.objects.create(name="website")
    for number in range(40):
        event_of(source, number, name=f"E {number}")
    assert len(lines_of(started(person("editor")))) == 30


def ticked(row: Connector) -> list[str]:
    """The sources that are ticked where it is turned on."""
    page = person("editor").get(f"/connectors/{row.pk}/setup/on/").content.decode()
    boxes = re.findall(r'<input type="checkbox" name="sources" value="(\d+)"[^>]*( checked)[^>]*>', page)
    return [Source.objects.get(pk=key).name for key, _ in boxes]


def test_the_only_source_is_ticked_and_of_several_none() -> None:
    row = started(person("editor"))
    assert ticked(row) == []
    practice = Source.objects.create(name="Practice website", settings={"practice": True})
    assert ticked(row) == []  # made-up people are nobody's to write to
    practice.delete()
    Source.objects.create(name="website")
    assert ticked(row) == ["website"]
    Source.objects.create(name="shop")
    assert ticked(row) == []


def test_what_came_in_before_is_sent_only_where_there_is_a_source_to_have_it_from() -> None:
    client, m = person("editor"), made()
    event_of(m.source, 60, refused="It names nobody.")
    row = started(client)
    page = client.get(f"/connectors/{row.pk}/setup/on/").content.decode()
    taken = Event.objects.filter(refused="").count()
    assert f"during the last 24 hours ({taken} events from all sources)" in page
    answer = client.post(f"/connectors/{row.pk}/setup/on/", {"backlog": "day"}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/connectors/{row.pk}/"
    assert "gets the events of no source yet: tick one below, and save." in answer.content.decode()
    assert not Replay.objects.filter(created_by="Editor Jones").exists()
