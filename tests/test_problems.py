"""What opens a problem, reminds of it and ends it; and who is told."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from deliveries import alerts, problems, silence
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.models import Delivery, Heartbeat
from integrations.models import Connector
from tests import rows
from tests.console import person

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


def test_a_key_that_is_taken_again_for_a_minute_ends_it_at_once(connector: Connector, now: datetime) -> None:
    told = Told()
    failed(connector, 2, "key_refused", now)
    problems.check(now, told)
    rows.delivery(connector, "delivered", created_at=now, finished_at=now + timedelta(seconds=1))
    problems.check(now + timedelta(seconds=59), told)
    assert Problem.objects.get().state == "open"
    failed(connector, 1, "key_refused", now + timedelta(seconds=2))  # after what arrived: not good, then
    problems.check(now + timedelta(minutes=2), told)
    assert Problem.objects.get().state == "open"
    rows.delivery(connector, "delivered", created_at=now, finished_at=now + timedelta(seconds=30))
    problems.check(now + timedelta(minutes=2), told)
    assert (Problem.objects.get().state, told[-1][1]) == ("solved", "ended")
    problems.check(now + timedelta(minutes=3), told)
    assert Problem.objects.count() == 1


@pytest.mark.parametrize("cause", ["key_refused", "data_refused"])
def test_what_was_replayed_and_has_arrived_is_no_failure_any_more(
    connector: Connector, now: datetime, cause: str
) -> None:
    told = Told()
    failed(connector, 10, cause, now)
    problems.check(now, told)
    later = now + timedelta(seconds=10)
    for original in Delivery.objects.filter(status="failed"):
        assert Problem.objects.get().state == "open"
        rows.delivery(
            connector, "delivered", event=original.event, replay_of=original, created_at=later, finished_at=later
        )
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
    settings.HOLD_DAYS = 10  # type: ignore[attr-defined]  # pytest's settings
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
    assert "replay this delivery" not in mail.outbox[0].body  # it stands for all that failed alike


def test_a_connectors_own_rule_counts_for_it_alone(connector: Connector, now: datetime) -> None:
    told = Told()
    other = rows.connector("other")
    for row in (connector, other):
        rows.delivery(row, "waiting", created_at=now, next_attempt_at=now - timedelta(minutes=20))
        failed(row, 2, "key_refused", now)
    AlertRule.objects.create(kind="overdue", connector=connector, limit=30)
    AlertRule.objects.create(kind="key_refused", connector=connector, limit=3)
    AlertRule.objects.create(kind="quiet", connector=other, limit=1)
    problems.check(now, told)
    assert sorted(told) == [("other: deliveries wait too long", "opened"), ("other: the key is refused", "opened")]
    AlertRule.objects.filter(connector=connector).update(limit=1)
    AlertRule.objects.filter(connector=other, kind="quiet").update(limit=2)
    problems.check(now, told)
    assert sorted(told[2:]) == [
        ("warehouse: deliveries wait too long", "opened"),
        ("warehouse: the key is refused", "opened"),
    ]
    AlertRule.objects.create(kind="overdue", connector=other, limit=1, enabled=False)
    problems.check(now, told)
    assert told[4:] == [("other: deliveries wait too long", "ended")]


def test_silent_workers_are_told_once_reminded_of_and_over_with_the_next_sweep(now: datetime) -> None:
    told = Told()
    Heartbeat.objects.create(cluster="a", seen_at=now - timedelta(hours=9))
    Heartbeat.objects.create(cluster="b", seen_at=now)
    began = now - timedelta(days=1)
    silence.check(now + timedelta(seconds=119), began, told)
    assert told == []
    for seconds in (120, 180, 86_400 + 121):
        silence.check(now + timedelta(seconds=seconds), began, told)
    title = "Nothing is being sent: the workers give no sign of life"
    assert told == [(title, "opened"), (title, "reminder")]
    assert Problem.objects.get().opened_at == now
    problems.check(now + timedelta(days=2), told)
    assert (told[-1], Problem.objects.get().state) == ((title, "ended"), "solved")


def test_workers_that_never_were_have_two_minutes_from_the_start_and_the_rule_can_be_off(now: datetime) -> None:
    told = Told()
    Heartbeat.objects.create(cluster="before", seen_at=now - timedelta(days=3))
    silence.check(now + timedelta(seconds=119), now, told)
    AlertRule.objects.create(kind="silent", limit=2, enabled=False)
    silence.check(now + timedelta(hours=1), now, told)
    assert told == []
    AlertRule.objects.update(enabled=True, limit=1)
    silence.check(now + timedelta(minutes=1), now, told)
    assert [what for _, what in told] == ["opened"]


def test_the_alert_about_silent_workers_says_what_to_do(now: datetime) -> None:
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    silence.check(now + timedelta(minutes=5), now, alerts.tell)
    assert [message.subject for message in mail.outbox] == [
        "[Signalbox] Problem: Nothing is being sent: the workers give no sign of life"
    ]
    assert "start it again" in mail.outbox[0].body
    assert "nothing is lost" in mail.outbox[0].body


def test_the_usual_limits_and_a_connectors_own_do_not_touch_each_other(connector: Connector) -> None:
    client = person("editor")
    form = {"kind": "failing", "connector": str(connector.pk), "limit": "9", "on": "on"}
    client.post("/alerts/rules/own/", form)
    client.post("/alerts/rules/", {f"limit_{kind}": "7" for kind in AlertRule.Kind.values})
    client.post("/alerts/rules/own/", {**form, "limit": "8"})
    client.post("/alerts/rules/own/", {**form, "kind": "silent"})
    client.post("/alerts/rules/own/", {**form, "limit": "0"})
    assert list(AlertRule.objects.filter(kind="failing").order_by("limit").values_list("connector", "limit")) == [
        (None, 7),
        (connector.pk, 8),
    ]
    assert AlertRule.objects.exclude(connector=None).count() == 1
    assert "8" in client.get("/alerts/").content.decode().partition("For one connector alone")[2]
