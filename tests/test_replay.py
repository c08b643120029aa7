"""Replaying one and many."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from deliveries import hold, replay
from deliveries.models import Delivery, Replay
from deliveries.replay_plan import candidates
from integrations.models import Connector
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    return connector()


def made(job: Replay) -> list[int | None]:
    return list(Delivery.objects.filter(replay=job).order_by("id").values_list("replay_of_id", flat=True))


def settle(job: Replay, status: str = "delivered", cause: str = "") -> int:
    """Stand in for the workers: whatever waits has come to this end."""
    return Delivery.objects.filter(replay=job, status="waiting").update(
        status=status, cause=cause, next_attempt_at=None, finished_at=T0 + timedelta(hours=1)
    )


def run(job: Replay, status: str = "delivered", cause: str = "") -> Replay:
    for _ in range(20):
        replay.advance(job.pk, T0, patience=0)
        job.refresh_from_db()
        if not settle(job, status, cause):
            break
    job.refresh_from_db()
    return job


# One


def test_one_becomes_a_new_delivery_of_the_same_event(to: Connector) -> None:
    old = delivery(to, "failed", cause="key_refused")
    new = replay.replay_one(old, by="Ann")
    assert new.pk != old.pk
    assert (new.replay_of_id, new.event_id, new.connector_id) == (old.pk, old.event_id, to.pk)
    assert (new.status, new.cause, new.attempts, new.lane, new.as_sent) == ("waiting", "", 0, 0, False)
    assert (new.replayed_by, new.notes) == ("Ann", "")
    assert new.next_attempt_at == new.created_at > T0
    old.refresh_from_db()
    assert (old.status, old.cause) == ("failed", "key_refused")


@pytest.mark.parametrize(
    ("connector_status", "expected"),
    [("paused", ("held", "paused", None)), ("off", ("skipped", "switched_off", None))],
)
def test_one_follows_the_connector(to: Connector, connector_status: str, expected: tuple[Any, ...]) -> None:
    old = delivery(to, "delivered")
    Connector.objects.update(status=connector_status)
    new = replay.replay_one(old, by="Ann", as_sent=True)
    assert (new.status, new.cause, new.next_attempt_at) == expected
    assert (new.finished_at is not None) is (connector_status == "off")
    assert new.as_sent


@pytest.mark.parametrize("status", ["waiting", "sending", "retrying", "held"])
def test_what_is_still_to_be_sent_is_not_replayed(to: Connector, status: str) -> None:
    old = delivery(to, status)
    with pytest.raises(replay.NotReplayable, match=f"This delivery is {status}"):
        replay.replay_one(old, by="Ann")
    assert Delivery.objects.count() == 1


def test_what_was_never_sent_is_not_sent_again_as_it_was(to: Connector) -> None:
    old = delivery(to, "skipped", cause="filtered")
    with pytest.raises(replay.NotReplayable, match="Nothing was sent"):
        replay.replay_one(old, by="Ann", as_sent=True)
    assert replay.replay_one(old, by="Ann").status == "waiting"


# Many


def test_many_takes_the_failed_ones_in_their_order(to: Connector) -> None:
    failed = [delivery(to, "failed").pk for _ in range(3)]
    for status in ("waiting", "sending", "retrying", "delivered", "held", "skipped"):
        delivery(to, status)
    job = replay.start({}, by="Ann")
    assert (job.state, job.total, job.created_by) == ("preparing", 3, "Ann")
    later = delivery(to, "failed")
    run(job)
    assert made(job) == failed
    assert later.pk not in made(job)
    assert (job.state, job.made, job.total) == ("done", 3, 3)
    assert {row.lane for row in Delivery.objects.filter(replay=job)} == {1}


def test_filters_are_honoured(to: Connector) -> None:
    other = connector("other")
    delivery(other, "failed", cause="key_refused")
    wanted = delivery(to, "failed", cause="key_refused")
    delivery(to, "failed", cause="too_large")
    switched = delivery(to, "skipped", cause="switched_off")
    job = replay.start({"connector": "warehouse", "cause": "key_refused"}, by="Ann")
    Connector.objects.filter(pk=to.pk).update(name="renamed meanwhile")
    assert made(run(job)) == [wanted.pk]
    assert made(run(replay.start({"cause": "switched_off"}, by="Ann"))) == [switched.pk]


def test_delivered_ones_only_on_request(to: Connector) -> None:
    failed, good = delivery(to, "failed"), delivery(to, "delivered")
    assert made(run(replay.start({"user_id": "user_1"}, by="Ann", include_delivered=True))) == [failed.pk, good.pk]
    other = connector("other")
    good = delivery(other, "delivered")
    assert made(run(replay.start({"connector": "other"}, by="Ann"))) == []
    assert made(run(replay.start({"connector": "other", "status": "delivered"}, by="Ann"))) == [good.pk]


@pytest.mark.parametrize(
    ("filters", "begins"),
    [
        ({"status": "held"}, "status: only failed, skipped and delivered"),
        ({"status": "broken"}, "status: “broken”"),
        ({"conector": "warehouse"}, "conector: there is no such filter"),
        ({"connector": "nobody"}, "connector: there is none"),
    ],
)
def test_bad_filters_start_nothing(to: Connector, filters: dict[str, str], begins: str) -> None:
    with pytest.raises(ValueError, match=f"^{begins}"):
        replay.start(filters, by="Ann")
    with pytest.raises(ValueError, match=f"^{begins}"):
        replay.preview(filters)
    assert not Replay.objects.exists()


def test_what_got_there_since_or_is_on_its_way_is_left_out(to: Connector) -> None:
    there, on_its_way, still_failed = (delivery(to, "failed") for _ in range(3))
    again = delivery(to, "failed", event=there.event, replay_of=there)
    delivery(to, "delivered", event=there.event, replay_of=again)
    delivery(to, "held", event=on_its_way.event, replay_of=on_its_way)
    delivery(connector("other"), "delivered", event=still_failed.event)
    seen = replay.preview({"connector": "warehouse"})
    assert {key: seen[key] for key in ("matching", "total", "already_delivered_since", "on_their_way")} == {
        "matching": 4,
        "total": 1,
        "already_delivered_since": 2,
        "on_their_way": 1,
    }
    assert made(run(replay.start({}, by="Ann"))) == [still_failed.pk]


def test_an_event_goes_once_however_often_it_failed(to: Connector) -> None:
    first = delivery(to, "failed")
    delivery(to, "failed", event=first.event, replay_of=first)
    job = replay.start({}, by="Ann")
    assert job.total == 1
    assert made(run(job)) == [first.pk]


def test_a_replay_goes_on_where_it_was_after_a_crash(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = [delivery(to, "failed").pk for _ in range(5)]
    job = replay.start({}, by="Ann")
    monkeypatch.setattr(replay, "BATCH", 2)
    calls = []

    def dies_after_the_rows_are_made() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(replay, "_wake", dies_after_the_rows_are_made)
    with pytest.raises(KeyboardInterrupt):
        replay.advance(job.pk, T0, patience=0)
    job.refresh_from_db()
    assert (made(job), job.made, job.last_id) == (failed[:2], 2, failed[1])
    assert made(run(job)) == failed
    assert job.made == 5


def test_a_replay_starts_slowly(to: Connector) -> None:
    for _ in range(100):
        delivery(to, "failed")
    job = replay.start({}, by="Ann")
    sizes = []
    for _ in range(5):
        replay.advance(job.pk, T0, patience=0)
        sizes.append(settle(job))
    assert sizes == [20, 20, 40, 20, 0]


def test_a_replay_stops_when_all_fail_alike(to: Connector) -> None:
    for _ in range(50):
        delivery(to, "failed")
    job = run(replay.start({}, by="Ann"), "failed", "key_refused")
    assert job.state == "stopped"
    assert job.made == 20
    assert job.stop_reason == ("Stopped by itself: 20 deliveries in a row failed for the same reason (key refused).")


def test_a_replay_goes_on_when_they_fail_differently(to: Connector) -> None:
    for _ in range(30):
        delivery(to, "failed")
    job = replay.start({}, by="Ann")
    replay.advance(job.pk, T0, patience=0)
    settle(job, "failed", "key_refused")
    one = Delivery.objects.filter(replay=job).latest("id")
    Delivery.objects.filter(pk=one.pk).update(cause="data_refused")
    job = run(job)
    assert (job.state, job.made) == ("done", 30)


def test_stopping_skips_what_is_not_sent_yet(to: Connector) -> None:
    for _ in range(30):
        delivery(to, "failed")
    job = replay.start({}, by="Ann")
    replay.advance(job.pk, T0, patience=0)
    rows = list(Delivery.objects.filter(replay=job).order_by("id"))
    Delivery.objects.filter(pk=rows[0].pk).update(status="delivered", finished_at=T0, next_attempt_at=None)
    Delivery.objects.filter(pk=rows[1].pk).update(status="sending")
    replay.stop(job, by="Bob")
    assert (job.state, job.stop_reason) == ("stopped", "Stopped by Bob.")
    seen = replay.progress(job)
    assert {key: seen[key] for key in ("total", "made", "delivered", "sending", "skipped", "waiting")} == {
        "total": 30,
        "made": 20,
        "delivered": 1,
        "sending": 1,
        "skipped": 18,
        "waiting": 0,
    }
    rows[2].refresh_from_db()
    assert (rows[2].status, rows[2].cause) == ("skipped", "paused")
    assert rows[2].detail == "The replay was stopped before this was sent. Stopped by Bob."
    replay.advance(job.pk, T0, patience=0)
    assert Delivery.objects.filter(replay=job).count() == 20


def test_looks_for_later_deliveries_by_the_event_on_a_new_database_too(to: Connector) -> None:
    """By the connector it would read all that ever went there, for each of the rows: 8,000 deliveries of the first
    minute took seconds."""
    one = {"connector": to, "event": event(), "status": "failed", "cause": "data_refused", "created_at": T0}
    Delivery.objects.bulk_create(Delivery(**one, finished_at=T0, attempts=1) for _ in range(6000))
    plan = candidates({}).explain()
    assert "delivery_by_connector" not in plan
    assert "event_id" in plan


def test_progress_says_done_as_soon_as_all_have_ended(to: Connector) -> None:
    delivery(to, "failed")
    job = replay.start({}, by="Ann")
    assert replay.progress(job)["state"] == "preparing"
    replay.advance(job.pk, T0, patience=0)
    job.refresh_from_db()
    assert (replay.progress(job)["state"], replay.progress(job)["waiting"]) == ("running", 1)
    settle(job)
    assert (replay.progress(job)["state"], replay.progress(job)["delivered"]) == ("done", 1)


def test_a_replay_to_a_paused_connector_is_held_and_stays_open(to: Connector) -> None:
    delivery(to, "failed")
    hold.pause(to, by="Ann")
    job = run(replay.start({}, by="Ann"))
    assert job.state == "running"
    assert list(Delivery.objects.filter(replay=job).values_list("status", "cause")) == [("held", "paused")]


def test_as_sent_takes_only_what_was_sent(to: Connector) -> None:
    delivery(to, "failed", cause="mapping_missing", attempts=0)
    sent = delivery(to, "failed")
    job = run(replay.start({}, by="Ann", as_sent=True))
    assert made(job) == [sent.pk]
    assert Delivery.objects.get(replay=job).as_sent
