"""The books: an event counts once under what became of it, also when rows are gone; what is wrong is found and told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from deliveries import alerts, books, erase, problems, retention, upkeep
from deliveries.alarm import AlertTarget, Problem
from deliveries.ledger import Book
from deliveries.models import Attempt, Delivery, Event
from integrations.models import Connector
from tests.console import person
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db
DAY = T0.date()
NEXT_DAY = T0 + timedelta(days=1)
PAST = T0 + timedelta(days=31)  # when retention takes the day
ALL = ("waiting", "sending", "retrying", "delivered", "failed", "held", "skipped")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)
    monkeypatch.setattr(retention, "PAUSE", 0)


@pytest.fixture
def to() -> Connector:
    return connector()


def row(day: date = DAY) -> dict[str, Any]:
    (found,) = books.books(day)
    return {name: count for name, count in found.items() if count and name != "connector"}


def kept() -> list[tuple[int, int, int]]:
    return list(Book.objects.order_by("day").values_list("received", "missing", "extra"))


def check(now: datetime = NEXT_DAY) -> None:
    books.check_day(DAY, now)


def test_all_that_can_become_of_an_event_adds_up(to: Connector) -> None:
    for status in ALL:
        delivery(to, status)
    delivery(to, "skipped", cause="erased")
    assert row() == {**dict.fromkeys(ALL, 1), "erased": 1, "received": 8}
    check()
    assert kept() == [(8, 0, 0)]


def test_an_erased_person_moves_what_waited_and_nothing_else(to: Connector) -> None:
    for status in ("waiting", "held", "delivered"):
        delivery(to, status)
    check()
    erasure = erase.ask(["user_1"], [], by="Ann", now=NEXT_DAY)
    erase.advance(erasure.pk, NEXT_DAY + timedelta(minutes=2))
    assert row() == {"erased": 2, "delivered": 1, "received": 3}
    check()
    assert kept() == [(3, 0, 0)]


def test_a_day_partly_and_then_wholly_deleted_still_adds_up(to: Connector) -> None:
    rows = {status: delivery(to, status) for status in ALL}
    delivery(to, "skipped", cause="erased")
    again = delivery(to, "delivered", event=rows["failed"].event, replay_of=rows["failed"], created_at=NEXT_DAY)
    Attempt.objects.create(delivery=again, number=1, started_at=T0, duration_ms=1, request="{}", outcome="delivered")
    check()
    before = {name: count for name, count in row().items() if name != "replays"}
    assert before == {
        "received": 8, "delivered": 2, "skipped": 1, "erased": 1, "waiting": 1, "sending": 1, "retrying": 1, "held": 1,
    }  # fmt: skip

    assert retention.delete_old(PAST) == 4
    assert Event.objects.count() == 4
    assert row() == before
    check(PAST)
    assert kept() == [(8, 0, 0)]

    Delivery.objects.update(status="failed", cause="gave_up", next_attempt_at=None)
    assert retention.delete_old(PAST) == 4
    assert (Event.objects.count(), Delivery.objects.count(), Attempt.objects.count()) == (0, 0, 0)
    assert row() == {"received": 8, "delivered": 2, "failed": 4, "skipped": 1, "erased": 1}
    check(PAST)
    assert kept() == [(8, 0, 0)]


def test_a_day_that_no_check_saw_before_it_was_deleted(to: Connector) -> None:
    delivery(to, "delivered")
    retention.delete_old(PAST)
    assert row() == {"received": 1, "delivered": 1}
    check(PAST)
    assert kept() == [(1, 0, 0)]


def test_rows_that_went_in_any_other_way_are_missing(to: Connector) -> None:
    rows = [delivery(to, "delivered") for _ in range(3)]
    check()
    Delivery.objects.filter(pk=rows[0].pk).delete()
    check()
    assert kept() == [(3, 1, 0)]
    assert row() == {"received": 3, "delivered": 2, "missing": 1}


def test_a_delivery_without_its_event_is_found(to: Connector) -> None:
    one = delivery(to, "delivered")
    delivery(to, "delivered")
    Event.objects.filter(pk=one.event_id)._raw_delete("default")  # type: ignore[attr-defined]  # of querysets, private
    check()
    assert kept() == [(1, 0, 1)]


def test_an_event_twice_at_one_connector_is_found(to: Connector) -> None:
    one = delivery(to, "delivered")
    delivery(to, "delivered", event=one.event)
    check()
    assert kept() == [(1, 0, 1)]


def test_what_just_comes_in_is_left_for_the_next_check(to: Connector) -> None:
    """A request that is still being stored must not look like a mistake."""
    delivery(to, "waiting")
    delivery(to, "waiting", created_at=T0 + timedelta(minutes=9))
    books.check_day(DAY, T0 + timedelta(minutes=11))
    assert kept() == [(1, 0, 0)]
    books.check_day(DAY, T0 + timedelta(minutes=20))
    assert kept() == [(2, 0, 0)]


def test_what_goes_while_it_is_counted_is_not_counted_twice(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        delivery(to, "delivered")
    count = books._counted

    def slowly(*day: Any) -> Any:
        found = count(*day)
        retention.delete_old(PAST)
        return found

    monkeypatch.setattr(books, "_counted", slowly)
    check(PAST)
    monkeypatch.undo()
    check(PAST)
    assert kept() == [(3, 0, 0)]


def test_every_hour_today_yesterday_and_then_the_longest_unchecked(to: Connector) -> None:
    today = DAY + timedelta(days=20)
    now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    for number in range(4):
        delivery(to, "delivered", created_at=now - timedelta(days=number, hours=1))
    budget = iter([True] * 3 + [False])
    assert books.check(now, goes_on=lambda: next(budget)) == 3
    assert books.check(now) == 38  # RETENTION_DAYS and HOLD_DAYS back, and today
    assert Book.objects.filter(checked_at=now).count() == 4


def test_an_imbalance_opens_a_problem_tells_it_and_ends_with_it(to: Connector) -> None:
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    now = timezone.now()
    came = now - timedelta(hours=1)
    rows = [delivery(to, "delivered", event=event(received_at=came), created_at=came) for _ in range(3)]
    upkeep.hourly(now)
    problems.check(now, alerts.tell)
    assert not Problem.objects.exists()

    Delivery.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).delete()
    upkeep.hourly(now)
    problems.check(now, alerts.tell)
    problem = Problem.objects.get()
    assert (problem.kind, problem.state, problem.count) == ("books", "open", 2)
    assert problem.title == "warehouse: a day's books do not add up"
    (told,) = mail.outbox
    assert "The books of a day do not add up." in told.body
    assert "What to do: Open the books" in told.body
    text = person("viewer").get(f"/problems/{problem.pk}/").content.decode()
    assert "The books of a day do not add up." in text
    assert 'href="/books/"' in text

    Book.objects.update(missing=0)
    problems.check(now, alerts.tell)
    problem.refresh_from_db()
    assert problem.state == "solved"


def test_the_page_shows_a_day_and_what_is_wrong_with_it(to: Connector) -> None:
    for _ in range(3):
        delivery(to, "delivered")
    erased = event(user_id="bob")
    delivery(to, "skipped", cause="erased", event=erased)
    client = person("viewer")
    good = client.get("/books/?day=2025-11-22").content.decode()
    assert "Books of 22 November 2025" in good
    assert '<td class="num" data-label="Received">4</td>' in good
    assert '<td class="num" data-label="Erased">1</td>' in good
    assert "do not add up" not in good
    assert "Nothing came in that day" in client.get("/books/?day=2025-11-21").content.decode()
    assert "is not a day" in client.get("/books/?day=x").content.decode()


def test_the_page_names_what_is_missing(to: Connector) -> None:
    Book.objects.create(connector=to, day=DAY, received=5)
    delivery(to, "delivered")
    text = person("viewer").get("/books/?day=2025-11-22").content.decode()
    assert "4 events came in, and are nowhere any more." in text
    assert "4 missing" in text
