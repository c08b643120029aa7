"""Turning a connector on with what came in during the last 24 hours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from deliveries import accept, backfill, hold, replay
from deliveries.core.normalise import envelope, normalise
from deliveries.models import Delivery, Event, Replay
from integrations.models import Connector, EventRule
from tests.console import person
from tests.rows import connector, delivery, event, source
from tests.test_replay import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def hours_ago(hours: float, **fields: object) -> Event:
    return event(received_at=timezone.now() - timedelta(hours=hours), **fields)


def start(to: Connector) -> Replay:
    return backfill.start(to, by="Ann", now=timezone.now())


def sent(job: Replay) -> list[tuple[int, int | None, int]]:
    return list(
        Delivery.objects.filter(replay=job).order_by("id").values_list("event_id", "replay_of_id", "connector_id")
    )


def test_a_new_connector_gets_the_last_day_of_its_own_sources_oldest_first() -> None:
    to = connector()
    hours_ago(24.1)
    first, second = hours_ago(23.9), hours_ago(1)
    hours_ago(1, refused="The event has no type.")
    hours_ago(1, erased_at=timezone.now())
    hours_ago(1, source=source("another"))
    job = start(to)
    assert (job.total, job.created_by, job.state) == (2, "Ann", "preparing")
    run(job)
    assert sent(job) == [(first.pk, None, to.pk), (second.pk, None, to.pk)]
    assert (job.state, job.made) == ("done", 2)
    assert set(Delivery.objects.values_list("lane", flat=True)) == {1}


def test_what_it_got_already_is_left_out() -> None:
    to = connector()
    got, filtered, rule = hours_ago(1), hours_ago(1), hours_ago(1)
    delivery(to, "failed", event=got)
    delivery(to, "skipped", event=filtered, cause="filtered")
    delivery(to, "skipped", event=rule, cause="switched_off", detail="Flow Viewed is switched off in its events.")
    hours_ago(1)
    assert start(to).total == 1


@pytest.mark.parametrize("way", ["when it came in", "while it waited", "when it was replayed"])
def test_what_was_skipped_because_it_was_off_is_replayed(way: str) -> None:
    to = connector()
    now = timezone.now()
    if way == "when it came in":
        Connector.objects.update(status="off", status_at=now)
        document = {"type": "track", "event": "A", "userId": "u", "messageId": "m"}
        incoming = normalise(document, envelope(now, {}))
        accept.store([accept.Accepted(source().pk, now, [incoming])])
    elif way == "while it waited":
        delivery(to, "waiting", event=hours_ago(1), created_at=now)
        hold.switch_off(to, by="Ann")
    else:
        failed = delivery(to, "failed", event=hours_ago(1))
        hold.switch_off(to, by="Ann")
        replay.replay_one(failed, by="Ann")
        failed.delete()
    skipped = Delivery.objects.get()
    assert skipped.status == "skipped"
    to.refresh_from_db()
    hold.switch_on(to, by="Ann")
    job = run(start(to))
    assert sent(job) == [(skipped.event_id, skipped.pk, to.pk)]
    assert start(to).total == 0


def test_a_second_job_finds_nothing_and_one_that_was_stopped_can_go_on() -> None:
    to = connector()
    for _ in range(30):
        hours_ago(1)
    job = start(to)
    replay.advance(job.pk, timezone.now(), patience=0)
    assert Delivery.objects.filter(replay=job).count() == 20  # no more than the first few until some have ended
    assert start(to).total == 10


def test_todays_rules_count_when_it_is_sent() -> None:
    """The job makes deliveries; the engine leaves out what is switched off, as for live traffic."""
    to = connector()
    EventRule.objects.create(connector=to, name="Order Completed", send=False)
    hours_ago(1)
    assert run(start(to)).made == 1


# --- In the console ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "jobs"), [("now", 0), ("day", 1), ("", 0)])
def test_choice_when_it_is_turned_on_again(choice: str, jobs: int) -> None:
    to = connector(status="off", status_at=timezone.now())
    hours_ago(1)
    client = person("operator")
    assert "Also what came in during the last 24 hours" in client.get(f"/connectors/{to.pk}/").content.decode()
    answer = client.post(reverse("admin:integrations_connector_on", args=[to.pk]), {"backlog": choice})
    to.refresh_from_db()
    assert (to.status, Replay.objects.count()) == ("active", jobs)
    where = f"/replays/{Replay.objects.get().pk}/" if jobs else f"/connectors/{to.pk}/"
    assert answer["Location"] == where
    page = client.get(where).content.decode()
    assert ("the events from before it was turned on · warehouse" in page) == bool(jobs)


def test_choice_in_the_last_step_of_the_wizard() -> None:
    to = Connector.objects.create(name="To", vendor="practice", status="off")
    one = hours_ago(2)
    client = person("editor")
    page = client.get(f"/connectors/{to.pk}/setup/on/").content.decode()
    assert "Also what came in during the last 24 hours (1 event from all sources)" in page
    answer = client.post(f"/connectors/{to.pk}/setup/on/", {"sources": [source().pk], "backlog": "day"})
    job = Replay.objects.get()
    assert answer["Location"] == f"/replays/{job.pk}/"
    assert sent(run(job)) == [(one.pk, None, to.pk)]
    shown = client.get(f"/replays/{job.pk}/").content.decode()
    assert "with today's settings</p>" in shown  # none of them was delivered, so it takes no delivered ones
    assert (
        "Had what came in during the last 24 hours sent too: 1" in client.get(f"/connectors/{to.pk}/").content.decode()
    )
