"""A refused key is a problem at the moment the first refusal is recorded, and whoever is to be told is told once."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import problems, upkeep
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.engine.drain import Drain
from deliveries.models import Delivery
from integrations.models import Connector
from tests import rows
from tests.service import Service

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]
SWEEP = "deliveries.tasks.sweep"


def connector(waiting: int, name: str = "hook") -> Connector:
    row = rows.connector(name)
    for _ in range(waiting):
        rows.delivery(row, "waiting", next_attempt_at=timezone.now())
    return row


def drain(status: int, on_commit: Any) -> list[str]:
    """Run one; returns what it read and wrote of problems and their rules."""
    with on_commit(execute=True), CaptureQueriesContext(connection) as queries:
        Drain(lambda: Service(status), 3).run()
    return [query["sql"] for query in queries if "deliveries_problem" in query["sql"] or "alertrule" in query["sql"]]


def test_the_first_refusal_opens_it_and_one_alert_goes_out(
    asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    to = connector(1)
    drain(401, django_capture_on_commit_callbacks)
    problem = Problem.objects.get()
    assert (problem.connector, problem.kind, problem.cause, problem.count) == (to, "key_refused", "key_refused", 1)
    assert (problem.state, problem.sample, problem.told_at) == ("open", Delivery.objects.get(connector=to), None)
    assert asked.count(SWEEP) == 1  # this is what tells, and no drain waits for a mail server

    upkeep.sweep(timezone.now())
    rows.delivery(to, "waiting", next_attempt_at=timezone.now())
    drain(401, django_capture_on_commit_callbacks)
    upkeep.sweep(timezone.now())
    assert [message.subject for message in mail.outbox] == ["[Signalbox] Problem: hook: the key is refused"]
    problem.refresh_from_db()
    assert (Problem.objects.count(), problem.count, asked.count(SWEEP)) == (1, 2, 1)


def test_two_checks_at_once_tell_once(django_capture_on_commit_callbacks: Any) -> None:
    connector(1)
    drain(401, django_capture_on_commit_callbacks)
    told: list[str] = []

    def tell(problem: Problem, what: str) -> None:
        told.append(what)

    now = timezone.now()
    stale = Problem.objects.get()
    problems.check(now, tell)
    assert not problems._told(stale, now)
    assert told == ["opened"]


@pytest.mark.parametrize(
    ("rule", "opens"),
    [
        ({"limit": 1, "enabled": False}, 0),
        ({"limit": 3}, 0),
        ({"limit": 2}, 1),
    ],
)
def test_the_rule_for_this_connector_counts(
    rule: dict[str, Any], opens: int, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    AlertRule.objects.create(kind="key_refused", connector=connector(2), **rule)
    drain(401, django_capture_on_commit_callbacks)
    assert Delivery.objects.filter(status="failed").count() == 2
    assert (Problem.objects.count(), asked.count(SWEEP)) == (opens, opens)


@pytest.mark.parametrize("status", [200, 400, 503])
def test_other_answers_ask_nothing_of_problems(status: int, django_capture_on_commit_callbacks: Any) -> None:
    connector(3)
    assert drain(status, django_capture_on_commit_callbacks) == []
    assert Problem.objects.count() == 0
