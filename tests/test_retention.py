"""Retention gives way to what comes in: small transactions of their own, a pause after each, events in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from deliveries import books, retention, tasks, upkeep
from deliveries.accept import Accepted, store
from deliveries.core import normalise
from deliveries.models import Attempt, Delivery, Event
from tests.rows import T0, connector, delivery, event, source

NOW = T0 + timedelta(days=31)


@pytest.mark.django_db(transaction=True)
def test_events_come_in_between_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    pauses: list[float] = []
    monkeypatch.setattr(retention.time, "sleep", pauses.append)
    to = connector()
    for _ in range(5):
        Attempt.objects.create(
            delivery=delivery(to, "delivered"),
            number=1,
            started_at=T0,
            duration_ms=1,
            request="{}",
            outcome="delivered",
        )
    there: list[tuple[bool, int, int]] = []

    def one_comes_in() -> bool:
        document = {"type": "track", "event": "New", "userId": "u", "messageId": f"new-{len(there)}"}
        taken = store([Accepted(source().pk, NOW, [normalise.normalise(document, normalise.envelope(NOW, {}))])])
        old = Event.objects.filter(received_at=T0).count()
        there.append((connection.in_atomic_block, taken, old))
        return True

    assert retention.delete_old(NOW, goes_on=one_comes_in) == 5
    assert there == [(False, 1, 5), (False, 1, 3), (False, 1, 1), (False, 1, 0)]
    assert pauses == [retention.PAUSE] * 3
    assert (Attempt.objects.count(), Delivery.objects.filter(status="waiting").count()) == (0, 4)
    (day,) = books.books(T0.date())
    assert (day["received"], day["delivered"], day["missing"]) == (5, 5, 0)


@pytest.mark.django_db
def test_it_stops_between_batches_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "PAUSE", 0)
    to = connector()
    for _ in range(5):
        delivery(to, "delivered")
    time_left = iter([True, True, False])
    assert retention.delete_old(NOW, goes_on=lambda: next(time_left)) == 4
    assert Event.objects.count() == 1
    assert retention.delete_old(NOW) == 1


@pytest.mark.django_db
def test_what_is_on_its_way_stays_and_what_came_in_at_the_same_moment_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of events come in at one moment, in one request."""
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "PAUSE", 0)
    to = connector()
    kept = [delivery(to, status).event_id for status in ("waiting", "delivered", "held", "delivered", "retrying")]
    later = delivery(to, "delivered", event=event(received_at=T0 + timedelta(seconds=1)))
    young = delivery(to, "delivered", event=event(received_at=NOW - timedelta(days=30)))
    assert retention.delete_old(NOW) == 3
    assert list(Event.objects.order_by("id").values_list("id", flat=True)) == [*kept[::2], young.event_id]
    assert not Delivery.objects.filter(pk=later.pk).exists()


@pytest.mark.parametrize(("seconds", "next_task"), [(0, ["deliveries.tasks.retire"]), (60, [])])
@pytest.mark.django_db
def test_when_a_task_s_time_is_up_the_next_goes_on(
    seconds: int, next_task: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much must go as comes in, and an hour brings more than one task can delete."""
    monkeypatch.setattr(upkeep, "RETIRE_SECONDS", seconds)
    delivery(connector(), "delivered")
    upkeep.hourly(NOW)
    assert (asked, Event.objects.count()) == (next_task, 1 if next_task else 0)
    monkeypatch.setattr(upkeep, "RETIRE_SECONDS", 60)
    tasks.retire()
    assert Event.objects.count() == 0
