"""Claims, leases and records: who has a delivery, and whose word counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from deliveries.engine.claim import LEASE, LIVE, REPLAY, Want, claim, due_times, release, renew
from deliveries.engine.lane import utc_now
from deliveries.engine.perform import Call, Result
from deliveries.engine.record import record
from deliveries.engine.writing import among_ids, write_transaction
from deliveries.models import Attempt, Delivery, Status
from integrations import selectors
from integrations.types import Disposition, Verdict
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db
NOW = T0 + timedelta(hours=1)


def waiting(to: Any, minutes: int = 0, **fields: Any) -> Delivery:
    return delivery(to, "waiting", created_at=T0 + timedelta(minutes=minutes), **fields)


def want(to: Any, limit: int = 100, lane: int = LIVE) -> list[Want]:
    return [Want(to.id, lane, limit)]


def test_the_oldest_due_are_leased() -> None:
    to = connector()
    rows = [waiting(to, minutes) for minutes in (3, 1, 2)]
    waiting(to, 120)  # not due yet
    claimed = claim(want(to, 2), "me", NOW)
    assert [row.id for row in claimed] == [rows[1].id, rows[2].id]
    assert (claimed[0].source_vendor, claimed[0].attempts) == ("segment", 0)
    leased = Delivery.objects.get(id=rows[1].id)
    assert (leased.status, leased.lease_owner, leased.next_attempt_at) == (Status.SENDING, "me", NOW + LEASE)


@pytest.mark.parametrize("status", ["delivered", "failed", "held", "skipped"])
def test_what_is_settled_is_never_claimed(status: str) -> None:
    to = connector()
    delivery(to, status, next_attempt_at=T0)
    assert claim(want(to), "me", NOW) == []


def test_a_lease_keeps_others_off_until_it_runs_out() -> None:
    to = connector()
    row = waiting(to)
    assert [found.id for found in claim(want(to), "first", NOW)] == [row.id]
    assert claim(want(to), "second", NOW + LEASE - timedelta(seconds=1)) == []
    assert [found.id for found in claim(want(to), "second", NOW + LEASE)] == [row.id]


def test_a_renewed_lease_lasts_longer_and_only_its_owner_renews() -> None:
    to = connector()
    row = waiting(to)
    claim(want(to), "first", NOW)
    renew([row.id], "somebody", NOW + timedelta(seconds=20))
    assert Delivery.objects.get().next_attempt_at == NOW + LEASE
    renew([row.id], "first", NOW + timedelta(seconds=20))
    assert claim(want(to), "second", NOW + LEASE) == []


def test_each_connector_and_lane_gets_its_share() -> None:
    one, two = connector("one"), connector("two")
    for number in range(5):
        waiting(one, number)
    last = waiting(two, 9)
    replayed = waiting(two, 0, lane=REPLAY)
    wants = [Want(one.id, LIVE, 3), Want(two.id, LIVE, 3), Want(two.id, REPLAY, 3)]
    claimed = claim(wants, "me", NOW)
    assert len([row for row in claimed if row.connector_id == one.id]) == 3
    assert {row.id for row in claimed if row.connector_id == two.id} == {last.id, replayed.id}


def test_due_times() -> None:
    one, two, idle = connector("one"), connector("two"), connector("idle")
    waiting(one, 5)
    waiting(one, 3)
    waiting(two, 7, lane=REPLAY)
    found = due_times([one.id, two.id, idle.id])
    assert found == {(one.id, LIVE): T0 + timedelta(minutes=3), (two.id, REPLAY): T0 + timedelta(minutes=7)}


def test_what_is_given_back_is_due_as_before_and_keeps_its_tries() -> None:
    to = connector()
    fresh, tried = waiting(to, 1), delivery(to, "retrying", attempts=2, next_attempt_at=T0)
    claimed = claim(want(to), "me", NOW)
    release(claimed, "somebody")
    assert Delivery.objects.filter(status=Status.SENDING).count() == 2
    release(claimed, "me")
    fresh.refresh_from_db()
    tried.refresh_from_db()
    assert (fresh.status, fresh.next_attempt_at, fresh.lease_owner) == (Status.WAITING, T0 + timedelta(minutes=1), "")
    assert (tried.status, tried.attempts, tried.next_attempt_at) == (Status.RETRYING, 2, T0)


def result(claimed: Any, **verdict: Any) -> Result:
    call = Call(NOW, 12, '{"method":"POST","url":"https://example.com/","headers":{}}', "{}", "", 200, 1)
    return Result(claimed, Verdict(**verdict), None, call, "{}", "Order Completed", "", NOW)


def test_the_owners_result_counts() -> None:
    to = connector()
    waiting(to)
    (claimed,) = claim(want(to), "me", NOW)
    record([result(claimed, disposition=Disposition.DELIVERED)], "me", NOW, selectors.snapshot().connectors)
    row = Delivery.objects.get()
    assert (row.status, row.attempts, row.finished_at, row.lease_owner) == (Status.DELIVERED, 1, NOW, "")
    assert row.next_attempt_at is None
    assert Attempt.objects.get().delivery_id == row.id


def test_a_stale_owner_changes_no_status_but_its_attempt_is_kept() -> None:
    to = connector()
    waiting(to)
    (stale,) = claim(want(to), "dead", NOW)
    claim(want(to), "heir", NOW + LEASE)
    record([result(stale, disposition=Disposition.DELIVERED)], "dead", NOW, {})
    row = Delivery.objects.get()
    assert (row.status, row.lease_owner) == (Status.SENDING, "heir")
    assert Attempt.objects.count() == 1


def test_a_retry_is_due_by_its_connectors_list() -> None:
    to = connector(retry=[10, 20])
    waiting(to)
    (claimed,) = claim(want(to), "me", NOW)
    record([result(claimed, disposition=Disposition.RETRY)], "me", NOW, selectors.snapshot().connectors)
    row = Delivery.objects.get()
    assert (row.status, row.cause, row.attempts) == (Status.RETRYING, "service_error", 1)
    assert row.next_attempt_at is not None
    assert timedelta(seconds=9) <= row.next_attempt_at - NOW <= timedelta(seconds=10)


def test_the_drivers_own_errors_come_out_as_djangos() -> None:
    """Raw statements go past Django's wrapping, and what waits for a database only knows Django's errors."""

    def fail() -> None:
        with write_transaction():
            if connection.vendor == "sqlite":
                connection.connection.execute("SELECT * FROM nowhere")
            with connection.cursor() as cursor, cursor.copy("COPY nowhere FROM STDIN"):
                pass

    with pytest.raises(DatabaseError):
        fail()


def test_now_is_aware_and_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_however_many_rows_are_looked_up_by_their_keys() -> None:
    to, about = connector(), event()
    Delivery.objects.bulk_create(
        [Delivery(event=about, connector=to, status="delivered", created_at=T0) for _ in range(4000)]
    )
    ids = list(Delivery.objects.values_list("id", flat=True))
    condition, keys = among_ids(ids)
    update = f"UPDATE deliveries_delivery SET detail = 'x' WHERE {condition}"  # noqa: S608 - ours
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries_delivery")
        words = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{words} {update}", [keys])
        plan = str(cursor.fetchall())
        cursor.execute(update, [keys])
        assert cursor.rowcount == 4000
    assert "SCAN deliveries_delivery" not in plan
    assert "Seq Scan on deliveries_delivery" not in plan
