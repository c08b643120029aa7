"""Replaying what failed alike, from the page of one of them and from a list of several pages."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from deliveries import replay
from deliveries.models import Delivery, Replay
from integrations.models import Connector, Source
from tests.console import delivery_of, event_of, person

pytestmark = pytest.mark.django_db
MANY = 60  # three pages of the list
WHOLE_LIST = "Replay all that match, on every page…"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


@pytest.fixture
def to() -> Connector:
    """To which MANY were refused for the key and one for its data; to another one, one for the key."""
    source = Source.objects.create(name="website")
    to = Connector.objects.create(name="To", vendor="segment", secrets={"write_key": "k"}, status_at=timezone.now())
    other = Connector.objects.create(name="Other", vendor="segment", secrets={"write_key": "k"})
    for number in range(MANY):
        delivery_of(event_of(source, number), to, "failed", "key_refused", attempts=1)
    delivery_of(event_of(source, MANY), to, "failed", "data_refused", attempts=1)
    delivery_of(event_of(source, MANY + 1), other, "failed", "key_refused", attempts=1)
    return to


def link(html: str, words: str) -> str:
    found = re.search(rf'href="([^"]+)">{re.escape(words)}</a>', html)
    return unescape(found[1]) if found else ""


def hidden(html: str) -> dict[str, str]:
    form = html[html.index('action="/replays/start/"') :]
    return dict(re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)">', form))


def made(page: str, role: str = "operator") -> Replay:
    """The replay that the preview's button starts, run until all its deliveries are there."""
    person(role).post("/replays/start/", hidden(page))
    job = Replay.objects.get()
    for _ in range(20):
        replay.advance(job.pk, timezone.now(), patience=0)
        Delivery.objects.filter(replay=job, status="waiting").update(status="delivered")
    job.refresh_from_db()
    return job


def test_all_like_one_are_replayed_from_its_page(to: Connector) -> None:
    one = Delivery.objects.filter(connector=to, cause="key_refused").earliest("id")
    page = person("operator").get(f"/deliveries/{one.pk}/").content.decode()
    assert f"Show all {MANY} like this" in page
    preview = person("operator").get(link(page, "Replay all like this…")).content.decode()
    assert f"Replay {MANY} events" in preview
    job = made(preview)
    again = Delivery.objects.filter(replay=job)
    assert (job.total, again.count()) == (MANY, MANY)
    assert set(again.values_list("connector__name", "replay_of__cause")) == {("To", "key_refused")}


def test_what_is_held_is_not_like_what_was_thrown_away(to: Connector) -> None:
    source = Source.objects.get()
    held = [delivery_of(event_of(source, 70 + number), to, "held", "paused") for number in range(2)]
    away = [delivery_of(event_of(source, 80 + number), to, "skipped", "paused") for number in range(3)]
    for one, count in ((held[0], 2), (away[0], 3)):
        page = person("operator").get(f"/deliveries/{one.pk}/").content.decode()
        shown = person("operator").get(link(page, f"Show all {count} like this"))
        assert {line.row.status for line in shown.context["lines"]} == {one.status}
        assert len(shown.context["lines"]) == count


def test_the_list_replays_its_other_pages_too(to: Connector) -> None:
    listed = person("operator").get(f"/deliveries/?connector={to.pk}&cause=key_refused")
    assert len(listed.context["lines"]) == 25
    preview = person("operator").get(link(listed.content.decode(), WHOLE_LIST)).content.decode()
    assert f"Replay {MANY} events" in preview


def test_from_a_later_page_all_are_meant_as_well(to: Connector) -> None:
    older = person("operator").get(f"/deliveries/?connector={to.pk}&cause=key_refused").context["page"].older
    page = person("operator").get(f"/deliveries/?connector={to.pk}&cause=key_refused&before={older}").content.decode()
    assert link(page, WHOLE_LIST) == f"/replays/new/?connector={to.pk}&cause=key_refused"


@pytest.mark.parametrize("query", ["?status=held", "?view=retrying", "?view=delivered", "?cause=nonsense"])
def test_a_list_of_what_cannot_be_replayed_offers_none(to: Connector, query: str) -> None:
    page = person("operator").get(f"/deliveries/{query}").content.decode()
    assert "Replay these…" not in page
    assert WHOLE_LIST not in page


def test_one_alone_and_a_viewer_are_offered_none(to: Connector) -> None:
    alone = Delivery.objects.get(cause="data_refused")
    assert "Replay all like this…" not in person("operator").get(f"/deliveries/{alone.pk}/").content.decode()
    one = Delivery.objects.filter(connector=to).earliest("id")
    assert "Replay all like this…" not in person("viewer").get(f"/deliveries/{one.pk}/").content.decode()
    assert WHOLE_LIST not in person("viewer").get("/deliveries/").content.decode()


def test_from_the_deliveries_of_a_replay_only_its_own_are_meant(to: Connector) -> None:
    job = Replay.objects.create(total=1, state="done")
    mine: Any = Delivery.objects.filter(connector=to, cause="key_refused")[:3]
    Delivery.objects.filter(pk__in=[one.pk for one in mine]).update(replay=job)
    page = person("operator").get(f"/deliveries/?replay={job.pk}")
    assert len(page.context["lines"]) == 3
    preview = person("operator").get(link(page.content.decode(), "Replay these…")).content.decode()
    assert "Replay 3 events" in preview
    assert f"of replay {job.pk}" in preview
    assert hidden(preview)["replay"] == str(job.pk)


def test_where_nothing_is_left_to_replay_the_page_says_why(to: Connector) -> None:
    alone = Delivery.objects.get(cause="data_refused")
    one = person("operator").get("/replays/new/?status=failed&cause=data_refused").content.decode()
    assert "<h1>Replay 1 event</h1>" in one
    delivery_of(alone.event, to, "delivered", replay_of=alone)
    none = person("operator").get("/replays/new/?status=failed&cause=data_refused").content.decode()
    assert "<h1>Nothing to replay</h1>" in none
    assert "There is nothing to replay here. 1 event was delivered since." in none


def test_a_tick_for_delivered_ones_says_for_which_delivery_an_event_goes_out(to: Connector) -> None:
    alone = Delivery.objects.get(cause="data_refused")
    delivery_of(alone.event, to, "delivered", replay_of=alone)
    address, told = f"/replays/new/?connector={to.pk}&range=24h", "1 event was delivered since and is left out."
    plain = person("operator").get(address).content.decode()
    assert f"<h1>Replay {MANY} events</h1>" in plain
    assert told in plain
    ticked = person("operator").get(f"{address}&include_delivered=on").content.decode()
    assert f"<h1>Replay {MANY + 1} events</h1>" in ticked
    assert told not in ticked
    words = "1 event was delivered later than here. It goes out once, for the delivery that arrived, if that one is in"
    assert words in ticked


def test_before_a_replay_to_what_does_not_work_a_test_is_one_press_away(to: Connector) -> None:
    page = person("operator").get("/replays/new/?status=failed").content.decode()
    assert "Send a test event first." in page
    assert page.count("Not working") == page.count('/test/">Send a test event<') > 0
    assert f'<a href="/connectors/{to.pk}/test/">Send a test event<' in page
