"""A connector that stops by itself: people hear of it before and when it happens, and nothing is dropped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from deliveries import hold, problems, upkeep
from deliveries.alarm import AlertRule, AlertTarget, Problem
from deliveries.core.problem_words import WARNED_FOR
from deliveries.engine import drain as drains
from deliveries.engine import rest
from deliveries.engine.drain import Drain
from deliveries.models import Delivery, Lane
from integrations.models import Connector
from tests import rows
from tests.console import person
from tests.service import Service

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("asked")]


@pytest.fixture
def to() -> Connector:
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    connector = rows.connector("hook")
    for _ in range(60):
        rows.delivery(connector, "waiting", next_attempt_at=timezone.now())
    return connector


def run(service: Service, monkeypatch: pytest.MonkeyPatch, later: timedelta = timedelta()) -> datetime:
    """A drain whose clock is ahead by ``later``."""
    monkeypatch.setattr(drains, "utc_now", lambda: timezone.now() + later)
    Drain(lambda: service, 0.7).run()
    return timezone.now() + later


def live() -> list[str]:
    return list(Problem.objects.filter(state="open").order_by("id").values_list("kind", flat=True))


def counts(to: Connector) -> dict[str, int]:
    return {
        status: Delivery.objects.filter(connector=to, status=status).count() for status in ("failed", "waiting", "held")
    }


def test_warned_before_and_told_when_it_happens_and_all_is_held(
    to: Connector, monkeypatch: pytest.MonkeyPatch, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    service = Service(401)
    with django_capture_on_commit_callbacks(execute=True):
        now = run(service, monkeypatch)
    to.refresh_from_db()
    assert (to.status, live()) == ("active", ["key_refused", "stopping"])
    lane, problem = Lane.objects.get(connector=to), Problem.objects.get(kind="stopping")
    assert lane.stops_at is not None
    assert abs(lane.stops_at - problem.opened_at - WARNED_FOR) < timedelta(seconds=1)
    assert "deliveries.tasks.sweep" in asked
    failed = counts(to)["failed"]
    assert failed == 20  # nothing more begins before that is known
    assert counts(to)["waiting"] == 60 - failed
    page = person("operator").get(f"/problems/{problem.pk}/").content.decode()
    assert f"It will stop by itself at {problem.opened_at + WARNED_FOR:%H:%M:%S} UTC if this goes on." in page
    upkeep.sweep(now)
    told = [message.subject.partition("Problem: ")[2] for message in mail.outbox]
    assert "hook: it will stop by itself if this goes on" in told

    now = run(service, monkeypatch, WARNED_FOR + timedelta(seconds=2))
    to.refresh_from_db()
    assert (to.status, to.status_by) == ("paused", "Signalbox")
    assert "stopped" in live()
    assert "stopping" not in live()
    assert counts(to) == {"failed": failed + 1, "waiting": 0, "held": 59 - failed}  # one probe, and nothing is dropped
    upkeep.sweep(now)
    assert "hook: it has stopped by itself" in [message.subject.partition("Problem: ")[2] for message in mail.outbox]

    hold.resume(to, by="Ann", backlog="send")
    service.status = 200
    problems.check(timezone.now(), lambda *_: None)
    assert "stopped" not in live()


def test_gone_stops_at_once_and_all_is_held(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service says itself that nothing more may come: there is nothing to wait for, and the one answer decides.
    The problem that says so is there before, in the transaction of the stop."""
    service = Service(410)
    before: list[str] = []
    raise_now = problems.raise_now

    def noted(connector_id: int, kind: str, now: datetime) -> None:
        before.append(f"{kind}, {Connector.objects.get(pk=connector_id).status}")
        raise_now(connector_id, kind, now)

    monkeypatch.setattr(problems, "raise_now", noted)
    now = run(service, monkeypatch)
    assert before == ["stopped, active"]
    to.refresh_from_db()
    assert (to.status, to.status_by, live()) == ("paused", "Signalbox", ["stopped"])
    assert "410" in to.status_reason
    assert counts(to) == {"failed": 1, "waiting": 0, "held": 59}
    upkeep.sweep(now)
    assert "hook: it has stopped by itself" in [message.subject.partition("Problem: ")[2] for message in mail.outbox]


def test_one_good_answer_and_all_goes_on(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(401)
    run(service, monkeypatch)
    failed = counts(to)["failed"]
    service.status = 200
    run(service, monkeypatch, rest.STOP_PROBE_GAP + timedelta(seconds=1))
    to.refresh_from_db()
    lane = Lane.objects.get(connector=to)
    assert (to.status, lane.stops_at, lane.resting_since, lane.key_refusals) == ("active", None, None, 0)
    assert Delivery.objects.filter(connector=to, status="delivered").count() == 60 - failed
    problems.check(timezone.now(), lambda *_: None)
    assert "stopping" not in live()


def test_who_does_not_want_to_hear_of_it_is_not_told_but_can_see_it(
    to: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop without a problem would be found by chance: the rule says only whether anybody is told."""
    problems.rules(store=True)
    AlertRule.objects.update(enabled=False)
    service = Service(401)
    upkeep.sweep(run(service, monkeypatch))
    assert live() == ["stopping"]
    upkeep.sweep(run(service, monkeypatch, WARNED_FOR + timedelta(seconds=2)))
    assert live() == ["stopped"]
    assert "hook: it has stopped by itself" in person("viewer").get("/problems/").content.decode()
    to.refresh_from_db()
    hold.resume(to, by="Ann", backlog="send")
    problems.check(timezone.now(), lambda *_: None)
    upkeep.sweep(timezone.now())
    assert live() == []
    assert mail.outbox == []
