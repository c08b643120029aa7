"""What opens a problem, reminds of it and ends it; and who is told."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from deliveries import alerts, problems
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.models import Delivery
from integrations.models import Connector
from tests import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def connector() -> Connector:
    return rows.connector()


class Told(list[tuple[str, str]]):
    def __call__(self, problem: Problem, what: str) -> None:
        self.append((problem.title, what))


def failed(connector: Connector, count: int, cause: str, at: datetime) -> None:
    for _ in range(count):
        rows.delivery(connector, "failed", cause=cause, created_at=at, finished_at=at)


def test_a_refused_key_opens_one_problem_and_tells_once(connector: Connector, now: datetime) -> None:
    told = Told()
    failed(connector, 2, "key_refused", now)
    problems.check(now, told)
    failed(connector, 3, "key_refused", now + timedelta(seconds=30))
    problems.check(now + timedelta(minutes=1), told)
    assert told == [("warehouse: the key is refused", "opened")]
    problem = Problem.objects.get()
    assert (problem.state, problem.count, problem.cause) == ("open", 5, "key_refused")
    assert problem.sample == Delivery.objects.get(pk=problem.sample_id)


@pytest.mark.parametrize(("failures", "delivered", "opens"), [(9, 0, 0), (10, 0, 1), (10, 190, 1), (10, 191, 0)])
def test_many_failures_need_ten_and_five_percent(
    connector: Connector, now: datetime, failures: int, delivered: int, opens: int
) -> None:
    told = Told()
    failed(connector, failures, "data_refused", now)
    event = rows.event()
    Delivery.objects.bulk_create(
        Delivery(event=event, connector=connector, status="delivered", created_at=now, finished_at=now)
        for _ in range(delivered)
    )
    problems.check(now, told)
    assert bool(told) == opens
    assert Problem.objects.exists() == opens


def test_it_ends_when_something_arrives_and_not_because_time_passes(connector: Connector, now: datetime) -> None:
    told = Told()
    failed(connector, 1, "key_refused", now)
    problems.check(now, told)
    later = now + timedelta(minutes=20)
    problems.check(later, told)
    assert Problem.objects.get().state == "open"
    rows.delivery(connector, "delivered", created_at=later, finished_at=later)
    problems.check(later, told)
    assert (Problem.objects.get().state, told[-1][1]) == ("solved", "ended")


def test_one_reminder_a_day_and_none_once_seen(connector: Connector, now: datetime) -> None:
    told = Told()
    failed(connector, 1, "key_refused", now)
    for hours in (0, 23, 24, 30, 48):
        problems.check(now + timedelta(hours=hours), told)
    assert [what for _, what in told] == ["opened", "reminder", "reminder"]
    Problem.objects.update(state="seen")
    problems.check(now + timedelta(hours=100), told)
    assert len(told) == 3


def test_overdue_and_its_end(connector: Connector, now: datetime) -> None:
    told = Told()
    row = rows.delivery(connector, "waiting", created_at=now, next_attempt_at=now - timedelta(minutes=9))
    problems.check(now, told)
    assert told == []
    problems.check(now + timedelta(minutes=2), told)
    Delivery.objects.filter(pk=row.pk).update(status="delivered")
    problems.check(now + timedelta(minutes=3), told)
    assert told == [("warehouse: deliveries wait too long", "opened"), ("warehouse: deliveries wait too long", "ended")]


def test_held_near_the_age_limit(connector: Connector, now: datetime, settings: object) -> None:
    settings.HOLD_DAYS = 10  # type: ignore[attr-defined]
    told = Told()
    rows.delivery(connector, "held", cause="paused", created_at=now - timedelta(days=7.9))
    problems.check(now, told)
    assert told == []
    problems.check(now + timedelta(days=0.2), told)
    assert told == [("warehouse: held events will soon be too old", "opened")]


def test_quiet_is_off_until_somebody_turns_it_on(connector: Connector, now: datetime) -> None:
    told = Told()
    rows.delivery(connector, "delivered", created_at=now - timedelta(hours=25))
    problems.check(now, told)
    assert told == []
    AlertRule.objects.filter(kind="quiet").update(enabled=True)
    problems.check(now, told)
    assert told == [("warehouse: nothing arrives any more", "opened")]


def test_an_alert_says_what_to_do_and_a_target_that_fails_keeps_its_error(connector: Connector, now: datetime) -> None:
    good = AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    bad = AlertTarget.objects.create(kind="webhook", name="hook", address="https://10.0.0.1/x")
    failed(connector, 1, "key_refused", now)
    problems.check(now, alerts.tell)
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.last_error, good.last_sent_at is not None) == ("", True)
    assert bad.last_error
    assert [message.subject for message in mail.outbox] == ["[Signalbox] Problem: warehouse: the key is refused"]
    assert "What to do:" in mail.outbox[0].body
