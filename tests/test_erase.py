"""Erasing a person: what it reaches, what stays, and that it survives whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.apps import apps

from deliveries import erase, hold, replay, retention
from deliveries.accept import Accepted, store
from deliveries.core import normalise
from deliveries.engine.claim import LEASE, Claimed, Want, claim
from deliveries.engine.perform import Result, Target, perform
from deliveries.engine.record import record
from deliveries.erasures import Erasure
from deliveries.models import Attempt, Delivery, Event, Trial
from integrations import registry, selectors
from integrations.history import Change
from integrations.models import Connector, Source
from integrations.types import OutgoingRequest, Response
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db
ASKED = T0 + timedelta(hours=1)
LATER = ASKED + timedelta(minutes=2)
SECRET = "bob@example.com"  # stands in for all that is personal
IDS = ("bob-7", "anon-bob")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)


@pytest.fixture
def to() -> Connector:
    return connector()


def of_bob(**fields: Any) -> Event:
    """An event that says who it is about in every place it can."""
    user = fields.setdefault("user_id", "bob-7")
    anonymous = fields.setdefault("anonymous_id", "anon-bob")
    body = {"type": "track", "event": "Order Completed", "userId": user, "anonymousId": anonymous, "messageId": "m"}
    body["timestamp"] = "2025-11-22T09:00:00.000Z"
    fields.setdefault("body", orjson.dumps({**body, "properties": {"email": SECRET}}).decode())
    return event(**fields)


def attempt(row: Delivery, **fields: Any) -> Attempt:
    values: dict[str, Any] = {
        "number": 1,
        "started_at": T0,
        "duration_ms": 12,
        "request": orjson.dumps({"method": "POST", "url": f"https://x.example/{SECRET}", "headers": {}}).decode(),
        "request_body": row.event.body,
        "response": "{}",
        "response_body": f'{{"said": "{SECRET}"}}',
        "response_status": 400,
        "outcome": "rejected",
        "cause": "data_refused",
        "detail": f"{SECRET} is not valid",
    }
    return Attempt.objects.create(delivery=row, **{**values, **fields})


def erased(users: tuple[str, ...] = ("bob-7",), anonymous: tuple[str, ...] = (), **more: Any) -> Erasure:
    row = erase.ask(users, anonymous, by="Ann", now=ASKED, **more)
    erase.advance(row.pk, LATER)
    row.refresh_from_db()
    return row


def leftovers(*words: str) -> list[str]:
    """Every column of every row of the log and of the history in which one of the words still stands."""
    found = []
    for model in [*apps.get_app_config("deliveries").get_models(), Change]:
        for values in model._default_manager.values():
            found += [f"{model.__name__}.{key}" for key, value in values.items() for w in words if w in str(value)]
    return found


# What it reaches


def test_nothing_personal_is_left_anywhere(to: Connector) -> None:
    for status in ("delivered", "failed", "held", "retrying", "waiting", "sending", "skipped"):
        row = delivery(to, status, event=of_bob(), detail=f"{SECRET} is odd", notes=f"left out {SECRET}")
        attempt(row)
    of_bob(refused=f"What {SECRET} sent is odd")
    replay.start({"user_id": "bob-7"}, by="Ann")
    Trial.objects.create(connector=to, at=T0, message_id="test_1", outcome="failed", answer=f"no {SECRET}")
    assert leftovers(SECRET, *IDS)

    row = erased()

    assert leftovers(SECRET, *IDS) == []
    assert (row.state, row.events, row.stopped, row.people, row.finished_at) == ("done", 8, 3, {}, LATER)


def test_how_each_delivery_ended_stays_and_what_waits_is_not_sent(to: Connector) -> None:
    rows = {
        status: delivery(to, status, event=of_bob())
        for status in ("delivered", "failed", "held", "retrying", "waiting", "skipped")
    }
    erased()
    for status, row in rows.items():
        row.refresh_from_db()
        stopped = status in ("held", "retrying", "waiting")
        assert (row.status, row.cause if stopped else "") == (("skipped", "erased") if stopped else (status, "")), (
            status
        )
        assert row.next_attempt_at is None
        assert row.finished_at == (LATER if stopped else T0)


def test_a_try_keeps_its_numbers(to: Connector) -> None:
    one = attempt(delivery(to, "failed", event=of_bob()))
    erased()
    one.refresh_from_db()
    assert (one.number, one.started_at, one.duration_ms, one.response_status, one.outcome, one.cause) == (
        1, T0, 12, 400, "rejected", "data_refused",
    )  # fmt: skip
    assert (one.request_body, one.response_body, one.response, one.detail) == ("", "", "", "")
    assert orjson.loads(one.request) == {"method": "", "url": "", "headers": {}}


def test_an_answer_shared_with_others_goes_from_their_tries_too(to: Connector) -> None:
    bob, eve, far = (delivery(to, "failed", event=of_bob(user_id=who, anonymous_id="")) for who in ("bob-7", "e", "f"))
    attempt(bob, batch_size=2)
    hers, other = attempt(eve, batch_size=2), attempt(far, batch_size=2, started_at=T0 + timedelta(seconds=1))
    erased()
    hers.refresh_from_db()
    other.refresh_from_db()
    assert hers.response_body == "(The answer was also about an event whose person was erased, and is gone with it.)"
    assert hers.request_body == eve.event.body
    assert SECRET in other.response_body


def test_others_keep_everything(to: Connector) -> None:
    eve = delivery(to, "waiting", event=event(user_id="eve", anonymous_id="anon-eve"))
    shared = event(user_id="eve", anonymous_id="anon-bob")
    before = list(Event.objects.filter(user_id="eve").values())
    of_bob()
    erased()
    eve.refresh_from_db()
    assert eve.status == "waiting"
    assert list(Event.objects.filter(user_id="eve").values()) == before
    assert shared.pk in {row["id"] for row in before}


def test_anonymous_ids_seen_with_the_person_go_along_unless_spared(to: Connector) -> None:
    of_bob()
    of_bob(anonymous_id="anon-shared")
    before = event(user_id="", anonymous_id="anon-bob")
    kept = event(user_id="", anonymous_id="anon-shared")
    row = erased(spared=("anon-shared",))
    assert row.events == 3
    before.refresh_from_db()
    kept.refresh_from_db()
    assert (before.anonymous_id, before.erased_at) == ("", LATER)
    assert (kept.anonymous_id, kept.erased_at) == ("anon-shared", None)


def test_an_alias_names_the_id_the_person_had_before(to: Connector) -> None:
    body = orjson.dumps({"type": "alias", "userId": "bob-7", "previousId": "anon-old"}).decode()
    event(kind="alias", name="", user_id="bob-7", body=body)
    old = event(user_id="", anonymous_id="anon-old")
    assert erased().events == 2
    old.refresh_from_db()
    assert old.erased_at == LATER


def test_a_page_s_name_may_be_a_person_s() -> None:
    page = of_bob(name="Bob's orders", kind="page")
    track = of_bob()
    erased()
    page.refresh_from_db()
    track.refresh_from_db()
    assert (page.name, track.name) == ("", "Order Completed")


def test_history_says_who_asked_and_how_much_but_not_who_it_was(to: Connector) -> None:
    delivery(to, "waiting", event=of_bob())
    row = erased()
    lines = Change.objects.filter(kind="erasure").order_by("id").values_list("by", "object_id", "words")
    assert list(lines) == [
        ("Ann", row.pk, "Asked for the erasure of a person"),
        ("Ann", row.pk, "Erased a person: 1 events, 1 deliveries not sent any more"),
    ]


def test_nobody_cannot_be_erased() -> None:
    event(user_id="", anonymous_id="")
    with pytest.raises(ValueError, match="nobody to erase"):
        erase.ask(["", ""], [""], by="Ann", now=ASKED)
    assert not Erasure.objects.exists()


def test_the_preview_counts_what_it_would_reach(to: Connector) -> None:
    for status in ("waiting", "held", "delivered"):
        delivery(to, status, event=of_bob())
    delivery(to, "retrying", event=event(user_id="", anonymous_id="anon-bob"))
    delivery(to, "waiting", event=event(user_id="eve", anonymous_id="anon-bob"))
    assert erase.preview(["bob-7"], ["anon-bob"]) == {
        "ids": [("user", "bob-7", 3), ("anonymous", "anon-bob", 1)],
        "events": 4,
        "deliveries": 3,
    }


# What stays shut afterwards


def test_the_same_message_is_not_taken_in_again(to: Connector) -> None:
    of_bob(message_id="m-bob")
    erased()
    document = {"type": "track", "event": "Order Completed", "userId": "bob-7", "messageId": "m-bob"}
    shared = normalise.envelope(LATER, {})
    assert store([Accepted(source().pk, LATER, [normalise.normalise(document, shared)])]) == 0
    assert leftovers("bob-7") == []


def test_a_replay_of_one_is_refused_and_says_why(to: Connector) -> None:
    row = delivery(to, "failed", event=of_bob())
    erased()
    row.refresh_from_db()
    with pytest.raises(replay.NotReplayable, match="was erased"):
        replay.replay_one(Delivery.objects.get(pk=row.pk), by="Ann")
    assert Delivery.objects.count() == 1


def test_a_replay_of_many_leaves_them_out_and_counts_them(to: Connector) -> None:
    delivery(to, "failed", event=of_bob())
    other = delivery(to, "failed", event=event(user_id="eve"))
    erased()
    counts = replay.preview({"status": "failed"})
    assert (counts["matching"], counts["total"], counts["erased"]) == (2, 1, 1)
    job = replay.start({"status": "failed"}, by="Ann")
    replay.advance(job.pk, LATER, patience=0)
    assert list(Delivery.objects.filter(replay=job).values_list("replay_of_id", flat=True)) == [other.pk]


def test_a_replay_made_before_is_skipped_when_its_turn_comes(to: Connector) -> None:
    """Held while the connector is paused: the erasure ends it, and resuming sends nothing."""
    old = delivery(to, "failed", event=of_bob())
    Connector.objects.update(status="paused")
    new = replay.replay_one(old, by="Ann")
    erased()
    Connector.objects.update(status="active")
    hold.resume(Connector.objects.get(), by="Ann")
    new.refresh_from_db()
    assert (new.status, new.cause) == ("skipped", "erased")


# What happens meanwhile


class Network:
    def __init__(self, status: int = 200) -> None:
        self.status, self.sent = status, list[OutgoingRequest]()

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        self.sent.append(request)
        return Response(status=self.status, body=f"no {SECRET}".encode())


def claimed(to: Connector, owner: str = "me", now: datetime = ASKED) -> list[Claimed]:
    return claim([Want(to.pk, lane, 100) for lane in (0, 1, 2)], owner, now)


def sent(rows: list[Claimed], to: Connector, network: Network) -> list[Result]:
    selectors.forget()
    config = selectors.snapshot().connectors[to.pk]
    vendor = registry.get(to.vendor)
    assert vendor is not None
    return perform(rows, Target(config, vendor, ()), network, lambda: ASKED)


@pytest.mark.parametrize(
    ("status", "expected"), [(200, ("delivered", "")), (400, ("failed", "data_refused")), (503, ("skipped", "erased"))]
)
def test_what_is_in_flight_ends_and_leaves_no_trace(to: Connector, status: int, expected: tuple[str, str]) -> None:
    row, network = delivery(to, "waiting", event=of_bob()), Network(status)
    rows = claimed(to)
    results = sent(rows, to, network)
    erased()
    row.refresh_from_db()
    assert row.status == "sending"
    record(results, "me", LATER, selectors.snapshot().connectors)
    row.refresh_from_db()
    assert (row.status, row.cause) == expected
    assert Attempt.objects.get().response_status == status
    assert leftovers(SECRET, *IDS) == []


def test_a_worker_whose_lease_ran_out_leaves_no_trace_either(to: Connector) -> None:
    row, network = delivery(to, "waiting", event=of_bob()), Network()
    results = sent(claimed(to), to, network)
    erased()
    again = claimed(to, "other", ASKED + LEASE + timedelta(seconds=1))
    record(sent(again, to, network), "other", LATER, selectors.snapshot().connectors)
    record(results, "me", LATER, selectors.snapshot().connectors)
    row.refresh_from_db()
    assert (row.status, row.cause) == ("skipped", "erased")
    assert len(network.sent) == 1
    assert Attempt.objects.count() == 1
    assert leftovers(SECRET, *IDS) == []


def test_an_event_stored_by_a_slow_request_is_found_by_the_last_look(to: Connector) -> None:
    of_bob()
    row = erase.ask(["bob-7"], [], by="Ann", now=ASKED)
    erase.advance(row.pk, ASKED)
    row.refresh_from_db()
    assert (row.state, row.events, row.next_look_at) == ("running", 1, ASKED + erase.SETTLE)
    assert not erase.due(ASKED)
    slow = of_bob(received_at=ASKED)
    new = of_bob(received_at=ASKED + timedelta(seconds=1))
    assert erase.due(LATER)
    erase.advance_all(LATER)
    row.refresh_from_db()
    slow.refresh_from_db()
    new.refresh_from_db()
    assert (row.state, row.events) == ("done", 2)
    assert (slow.erased_at, new.erased_at, new.user_id) == (LATER, None, "bob-7")


def test_events_that_arrive_between_batches_are_taken_in_and_kept(
    to: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "BATCH", 2)
    for _ in range(5):
        of_bob()
    row = erase.ask(["bob-7"], [], by="Ann", now=ASKED)
    taken: list[int] = []

    def one_comes_in() -> bool:
        document = {"type": "track", "event": "New", "userId": "bob-7", "messageId": f"new-{len(taken)}"}
        shared = normalise.envelope(LATER, {})
        taken.append(store([Accepted(source().pk, LATER, [normalise.normalise(document, shared)])]))
        return True

    erase.advance(row.pk, LATER, goes_on=one_comes_in)
    row.refresh_from_db()
    assert taken == [1, 1, 1, 1]  # before each of three batches and before the last look
    assert (row.state, row.events) == ("done", 5)
    assert Event.objects.filter(user_id="bob-7", name="New").count() == 4
    assert Delivery.objects.filter(event__name="New", status="waiting").count() == 4


def dying(after: int) -> Iterator[bool]:
    yield from [True] * after
    yield False


def test_it_goes_on_where_it_died(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "BATCH", 2)
    of_bob(anonymous_id="anon-0")
    for number in range(1, 5):
        attempt(delivery(to, "failed", event=of_bob(anonymous_id=f"anon-{number}")))
    old = event(user_id="", anonymous_id="anon-0")
    row = erase.ask(["bob-7"], [], by="Ann", now=ASKED)
    stops = dying(1)
    erase.advance(row.pk, LATER, goes_on=lambda: next(stops))
    row.refresh_from_db()
    assert (row.state, row.events) == ("running", 2)

    real, calls = erase.erased.strip_attempts, []

    def broken(ids: Any) -> None:
        calls.append(ids)
        real(ids)
        raise KeyboardInterrupt  # the process dies in the middle of a batch

    monkeypatch.setattr(erase.erased, "strip_attempts", broken)
    with pytest.raises(KeyboardInterrupt):
        erase.advance(row.pk, LATER)
    row.refresh_from_db()
    assert (row.state, row.events, len(calls)) == ("running", 2, 1)
    assert Event.objects.filter(erased_at=None).count() == 4

    monkeypatch.setattr(erase.erased, "strip_attempts", real)
    erase.advance_all(LATER)
    row.refresh_from_db()
    old.refresh_from_db()
    assert (row.state, row.events) == ("done", 6)
    assert old.erased_at == LATER  # its id was learned in the first batch, before the event lost it
    assert leftovers(SECRET, "bob-7", "anon-") == []


def test_the_sweep_wakes_what_is_due(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    from deliveries import queue, upkeep

    woken: list[str] = []
    monkeypatch.setattr(queue, "async_task", woken.append)
    erase.ask(["bob-7"], [], by="Ann", now=ASKED)
    upkeep.sweep(ASKED - timedelta(seconds=1))
    assert queue.ERASE not in woken
    upkeep.sweep(ASKED)
    assert woken.count(queue.ERASE) == 1
    erase.advance_all(LATER)
    upkeep.sweep(LATER)
    assert woken.count(queue.ERASE) == 1


def test_retention_deletes_the_shells_in_their_time(to: Connector) -> None:
    attempt(delivery(to, "failed", event=of_bob()))
    erased()
    assert retention.delete_old(T0 + timedelta(days=31)) == 1
    assert (Event.objects.count(), Delivery.objects.count(), Attempt.objects.count()) == (0, 0, 0)


def test_by_a_person_it_reaches_every_source() -> None:
    of_bob()
    of_bob(source=Source.objects.create(name="app"))
    assert erased().events == 2
