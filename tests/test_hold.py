"""Pausing, resuming, switching off, and the clock's part in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from deliveries import hold, queue
from deliveries.models import Delivery, Lane
from integrations.models import ConfigVersion, Connector
from tests.console import person
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db
ALL = ("waiting", "sending", "retrying", "delivered", "failed", "held", "skipped")


@pytest.fixture
def to() -> Connector:
    return connector()


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    monkeypatch.setattr(queue, "wake", lambda *_: calls.append(1))
    return calls


def state(row: Delivery) -> tuple[Any, ...]:
    row.refresh_from_db()
    return (row.status, row.cause, row.detail, row.attempts, row.next_attempt_at, row.finished_at)


def one_of_each(to: Connector) -> dict[str, Delivery]:
    return {status: delivery(to, status) for status in ALL}


def test_pause_holds_what_waits_and_nothing_else(to: Connector) -> None:
    rows = one_of_each(to)
    rows["retrying"].attempts = 3
    rows["retrying"].save()
    elsewhere = delivery(connector("other"), "waiting")
    untouched = {status: state(rows[status]) for status in ("sending", "delivered", "failed", "held", "skipped")}
    version = ConfigVersion.current()

    assert hold.pause(to, by="Ann", reason="Moving house", resume_at=T0) == 2

    assert state(rows["waiting"]) == ("held", "paused", "", 0, None, None)
    assert state(rows["retrying"]) == ("held", "paused", "", 3, None, None)
    assert {status: state(rows[status]) for status in untouched} == untouched
    assert state(elsewhere)[0] == "waiting"
    to.refresh_from_db()
    assert (to.status, to.status_by, to.status_reason, to.resume_at) == ("paused", "Ann", "Moving house", T0)
    assert to.status_at is not None
    assert ConfigVersion.current() == version + 1


def test_pause_leaves_alone_what_somebody_else_saves_at_the_same_time(to: Connector) -> None:
    stale = Connector.objects.get(pk=to.pk)
    Connector.objects.filter(pk=to.pk).update(prefix="new ")
    hold.pause(stale, by="Ann")
    to.refresh_from_db()
    assert (to.status, to.prefix) == ("paused", "new ")


def test_pause_works_in_batches(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "BATCH", 2)
    for _ in range(5):
        delivery(to, "waiting")
    assert hold.pause(to, by="Ann") == 5
    assert Delivery.objects.filter(status="held").count() == 5


def test_resume_sends_oldest_first(to: Connector, woken: list[int], django_capture_on_commit_callbacks: Any) -> None:
    hold.pause(to, by="Ann", reason="why", resume_at=T0)
    Lane.objects.create(connector=to, failures=9, key_refusals=20, resting_since=T0, next_probe_at=T0)
    later = delivery(to, "held", cause="paused", created_at=T0 + timedelta(hours=1))
    first = delivery(to, "held", cause="paused", attempts=2)

    with django_capture_on_commit_callbacks(execute=True):
        assert hold.resume(to, by="Bob") == {"released": 2, "discarded": 0}

    assert woken
    to.refresh_from_db()
    one, other = sorted(Delivery.objects.values_list("next_attempt_at", flat=True))  # due at once, but one by one
    assert timedelta(0) <= to.status_at - one < timedelta(minutes=1)
    assert other - one == timedelta(microseconds=1)
    assert state(first) == ("waiting", "", "", 2, one, None)
    assert state(later) == ("waiting", "", "", 0, other, None)
    assert (to.status, to.status_by, to.status_reason, to.resume_at) == ("active", "Bob", "", None)
    lane = Lane.objects.get()
    assert (lane.failures, lane.key_refusals, lane.resting_since, lane.next_probe_at) == (0, 0, None, None)


def test_resume_and_discard(to: Connector) -> None:
    hold.pause(to, by="Ann")
    held = delivery(to, "held", cause="paused")
    assert hold.resume(to, by="Bob", backlog="discard") == {"released": 0, "discarded": 1}
    status, cause, detail, attempts, next_attempt_at, finished_at = state(held)
    assert (status, cause, attempts, next_attempt_at) == ("skipped", "paused", 0, None)
    assert detail == "Thrown away by Bob when the connector was resumed."
    assert finished_at is not None


@pytest.mark.parametrize(("backlog", "count"), [("discard", 2), ("newest", 1)])
def test_what_was_thrown_away_says_so_in_the_log(to: Connector, backlog: str, count: int) -> None:
    for _ in range(2):
        delivery(to, "held", cause="paused", event=event(user_id="u1"))
    Connector.objects.filter(pk=to.pk).update(status="paused")
    to.refresh_from_db()
    hold.resume(to, by="Bob", backlog=backlog)
    page = person("viewer").get("/deliveries/?view=skipped").content.decode()
    assert (page.count("<td>Thrown away</td>"), page.count("<td>Connector paused</td>")) == (count, 0)


def test_resume_and_keep_then_send_later(to: Connector) -> None:
    hold.pause(to, by="Ann")
    held = delivery(to, "held", cause="paused")
    assert hold.resume(to, by="Bob", backlog="keep") == {"released": 0, "discarded": 0}
    assert state(held)[0] == "held"
    assert Connector.objects.get().status == "active"
    assert hold.resume(to, by="Cid", backlog="send") == {"released": 1, "discarded": 0}
    assert Connector.objects.get().status_by == "Bob"  # it was active already


def test_resume_with_the_newest_of_each_person(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "BATCH", 2)
    hold.pause(to, by="Ann")

    def held(**person: str) -> Delivery:
        return delivery(to, "held", cause="paused", event=event(**person))

    ann_old, bob = held(user_id="ann"), held(user_id="bob")
    anonymous_old, ann_older = held(user_id="", anonymous_id="ann"), held(user_id="ann")
    anonymous, ann = held(user_id="", anonymous_id="ann"), held(user_id="ann")
    nobody, nobody_too = held(user_id="", anonymous_id=""), held(user_id="", anonymous_id="")
    assert hold.resume(to, by="Bob", backlog="newest") == {"released": 5, "discarded": 3}
    assert [state(row)[0] for row in (bob, anonymous, ann, nobody, nobody_too)] == ["waiting"] * 5
    assert [state(row)[:2] for row in (ann_old, ann_older, anonymous_old)] == [("skipped", "paused")] * 3


def test_a_bad_choice_changes_nothing(to: Connector) -> None:
    hold.pause(to, by="Ann")
    held = delivery(to, "held", cause="paused")
    with pytest.raises(ValueError, match=r"^backlog: “burn” is not one of send, discard, keep, newest"):
        hold.resume(to, by="Bob", backlog="burn")
    assert (Connector.objects.get().status, state(held)[0]) == ("paused", "held")


def test_switch_off_keeps_nothing_and_switch_on_brings_nothing_back(to: Connector) -> None:
    rows = one_of_each(to)
    assert hold.switch_off(to, by="Ann", reason="No longer used") == 3
    for status in ("waiting", "retrying", "held"):
        assert state(rows[status])[:3] == ("skipped", "switched_off", "The connector was switched off by Ann.")
        assert rows[status].finished_at is not None
    assert [state(rows[status])[0] for status in ("sending", "delivered", "failed")] == [
        "sending",
        "delivered",
        "failed",
    ]
    assert Connector.objects.get().status == "off"
    hold.switch_on(to, by="Ann")
    assert Connector.objects.get().status == "active"
    assert state(rows["waiting"])[0] == "skipped"


def test_an_off_connector_is_neither_paused_nor_resumed(to: Connector) -> None:
    hold.switch_off(to, by="Ann")
    with pytest.raises(hold.NotPossible, match="nothing to pause"):
        hold.pause(to, by="Bob")
    with pytest.raises(hold.NotPossible, match="Switch it on first"):
        hold.resume(to, by="Bob")
    assert hold.stop(to, reason="key refused", announce=lambda: pytest.fail("it did not stop")) == 0
    assert (Connector.objects.get().status, Connector.objects.get().status_by) == ("off", "Ann")


def test_the_server_stops_an_active_connector_only(to: Connector) -> None:
    waiting = delivery(to, "waiting")
    before: list[str] = []

    def announce() -> None:
        before.append(Connector.objects.get().status)

    assert hold.stop(to, reason="The key was refused.", announce=announce) == 1
    assert before == ["active"]
    to.refresh_from_db()
    assert (to.status, to.status_by, to.status_reason) == ("paused", "Signalbox", "The key was refused.")
    assert state(waiting)[0] == "held"
    hold.pause(to, by="Ann")
    hold.stop(to, reason="again", announce=announce)
    assert len(before) == 1
    assert Connector.objects.get().status_by == "Ann"


def test_nothing_stops_without_saying_so(to: Connector) -> None:
    def announce() -> None:
        raise OperationalError

    with pytest.raises(OperationalError):
        hold.stop(to, reason="The key was refused.", announce=announce)
    assert Connector.objects.get().status == "active"


def test_held_deliveries_expire(to: Connector, settings: Any) -> None:
    settings.HOLD_DAYS = 7
    now = T0 + timedelta(days=7)
    old = delivery(to, "held", cause="paused", created_at=T0 - timedelta(seconds=1))
    young = delivery(to, "held", cause="paused", created_at=T0)
    failed = delivery(to, "failed", created_at=T0 - timedelta(days=1))
    assert hold.expire_held(now) == 1
    detail = "Held for more than 7 days while the connector was paused."
    assert state(old) == ("skipped", "paused", detail, 0, None, now)
    assert (state(young)[0], state(failed)[0]) == ("held", "failed")


def test_connectors_resume_by_themselves(to: Connector) -> None:
    hold.pause(to, by="Ann", resume_at=T0)
    held = delivery(to, "held", cause="paused")
    assert hold.resume_due(T0 - timedelta(seconds=1)) == 0
    assert Connector.objects.get().status == "paused"
    assert hold.resume_due(T0) == 1
    assert state(held)[0] == "waiting"
    assert (Connector.objects.get().status, Connector.objects.get().status_by) == ("active", "Signalbox")


def test_strays_follow_their_connector() -> None:
    rows = {}
    for status in ("active", "paused", "off"):
        to = connector(status, status=status)
        rows[status] = (delivery(to, "waiting"), delivery(to, "retrying"), delivery(to, "sending"))
    archived = delivery(connector("archived", archived_at=T0), "waiting")
    assert hold.hold_strays(T0) == 5
    assert [state(row)[:2] for row in rows["active"]] == [("waiting", ""), ("retrying", ""), ("sending", "")]
    assert [state(row)[:2] for row in rows["paused"]] == [("held", "paused"), ("held", "paused"), ("sending", "")]
    skipped = ("skipped", "switched_off")
    assert [state(row)[:2] for row in rows["off"]] == [skipped, skipped, ("sending", "")]
    assert state(archived)[:2] == skipped
    assert hold.hold_strays(T0) == 0
