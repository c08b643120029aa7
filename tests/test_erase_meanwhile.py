"""Erasing a person survives whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from deliveries import erase, retention
from deliveries.accept import Accepted, store
from deliveries.core import normalise
from deliveries.engine.claim import LEASE, Claimed, Want, claim
from deliveries.engine.perform import Result, Target, perform
from deliveries.engine.record import record
from deliveries.models import Attempt, Delivery, Event
from integrations import registry, selectors
from integrations.models import Connector, Source
from integrations.types import OutgoingRequest, Response
from tests.erasing import ASKED, IDS, LATER, SECRET, attempt, erased, leftovers, of_bob
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)


@pytest.fixture
def to() -> Connector:
    return connector()


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
