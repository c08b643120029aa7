"""Take due deliveries under a lease. One short transaction for all connectors, a fair share for each.

While a row is ``sending``, ``next_attempt_at`` is when its lease runs out: a drain that died makes its rows due again
without anybody's help. Both queries walk the partial index ``delivery_due`` and stay flat as history grows; its
condition on the status must stand literally in the query for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from deliveries.engine.writing import among_ids, is_sqlite, read_time, stored_time, write_transaction
from deliveries.models import DUE

LEASE = timedelta(seconds=30)
LANES = LIVE, REPLAY, RETRY = 0, 1, 2


class Claimed(NamedTuple):
    """A leased delivery with its event. ``due`` is when it was due, as the database gave it, for giving it back;
    ``attempts`` counts the tries made before."""

    id: int
    connector_id: int
    attempts: int
    due: Any
    lane: int
    as_sent: bool | int
    replay_of_id: int | None
    source_vendor: str
    body: str
    event_id: int = 0


class Want(NamedTuple):
    connector_id: int
    lane: int
    limit: int


def due_times(connector_ids: Sequence[int]) -> dict[tuple[int, int], datetime]:
    """(connector, lane) → when its first open delivery is due. Read only, three index look-ups a connector."""
    if not connector_ids:
        return {}
    first = (  # our own constants only, here and below
        "(SELECT d.next_attempt_at FROM deliveries_delivery d WHERE d.connector_id = c.id AND d.lane = {lane} "  # noqa: S608 - ours
        f"AND d.status IN {DUE} ORDER BY d.next_attempt_at LIMIT 1)"
    )
    marks = ",".join(["%s"] * len(connector_ids))
    query = (
        f"SELECT c.id, {', '.join(first.format(lane=lane) for lane in LANES)} "  # noqa: S608 - numbers of ours
        f"FROM integrations_connector c WHERE c.id IN ({marks})"
    )
    found: dict[tuple[int, int], datetime] = {}
    with connection.cursor() as cursor:
        cursor.execute(query, list(connector_ids))
        for connector_id, *moments in cursor.fetchall():
            for lane, moment in zip(LANES, moments, strict=True):
                if moment is not None:
                    found[connector_id, lane] = read_time(moment)
    return found


def claim(wants: Sequence[Want], owner: str, now: datetime) -> list[Claimed]:
    """Up to each want's limit of its due deliveries, oldest first, leased to ``owner`` until now + LEASE."""
    if not wants:
        return []
    pick = _pick_sqlite if is_sqlite() else _pick_postgresql
    with write_transaction():
        rows = pick(wants, now)
        condition, keys = among_ids([row[0] for row in rows])  # one statement for all
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deliveries_delivery SET status = 'sending', lease_owner = %s, next_attempt_at = %s "  # noqa: S608 - ours
                f"WHERE {condition}",
                [owner, stored_time(now + LEASE), keys],
            )
    return sorted(map(Claimed._make, rows), key=lambda row: (row.due, row.id))


def _pick_postgresql(wants: Sequence[Want], now: datetime) -> list[Any]:
    """Locks them. Written so that the planner need not guess how few rows there are: from a guess that is too high it
    reads whole tables for each claim. A limit that is no literal it takes for a tenth of the table: hence one part for
    all wants with the same limit. "OFFSET 0" keeps the look-up of an event one by its key, and an update by a list of
    keys goes by the index. Times come as texts: the driver takes longer to read one than all of the other columns."""
    by_limit: dict[int, list[Want]] = defaultdict(list)
    for want in wants:
        by_limit[want.limit].append(want)
    due = f"""
        SELECT due.* FROM unnest(%s::bigint[], %s::int[]) AS want(connector_id, lane) CROSS JOIN LATERAL (
            SELECT d.id, d.connector_id, d.attempts, d.next_attempt_at::text AS due, d.lane, d.as_sent, d.replay_of_id,
                d.event_id
            FROM deliveries_delivery d
            WHERE d.connector_id = want.connector_id AND d.lane = want.lane
              AND d.status IN {DUE} AND d.next_attempt_at <= %s
            ORDER BY d.next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
        ) AS due
    """  # noqa: S608 - fragments of ours, here and below
    query = f"""
        WITH picked AS MATERIALIZED ({" UNION ALL ".join([due] * len(by_limit))})
        SELECT p.id, p.connector_id, p.attempts, p.due, p.lane, p.as_sent, p.replay_of_id, event.vendor, event.body,
            p.event_id
        FROM picked p CROSS JOIN LATERAL (
            SELECT e.body, s.vendor FROM deliveries_event e JOIN integrations_source s ON s.id = e.source_id
            WHERE e.id = p.event_id OFFSET 0
        ) AS event
    """  # noqa: S608 - as above
    values: list[Any] = []
    for limit, alike in by_limit.items():
        values += [[want.connector_id for want in alike], [want.lane for want in alike], now, limit]
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def _pick_sqlite(wants: Sequence[Want], now: datetime) -> list[Any]:
    """The driver turns columns of times and booleans into Python's, slowly; "|| ''" and "+" keep it from that."""
    rows: list[Any] = []
    for want in wants:
        rows += connection.connection.execute(
            "SELECT d.id, d.connector_id, d.attempts, d.next_attempt_at || '', d.lane, +d.as_sent, d.replay_of_id, "  # noqa: S608 - ours
            "s.vendor, e.body, e.id FROM deliveries_delivery d INDEXED BY delivery_due "
            "CROSS JOIN deliveries_event e ON e.id = d.event_id CROSS JOIN integrations_source s ON s.id = e.source_id "
            f"WHERE d.connector_id = ? AND d.lane = ? AND d.status IN {DUE} AND d.next_attempt_at <= ? "
            "ORDER BY d.next_attempt_at LIMIT ?",
            (want.connector_id, want.lane, stored_time(now), want.limit),
        ).fetchall()
    return rows


def renew(ids: Iterable[int], owner: str, now: datetime) -> None:
    """Lengthen the lease of rows still in hand."""
    rows = [(stored_time(now + LEASE), row_id, owner) for row_id in ids]
    if rows:
        with write_transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE deliveries_delivery SET next_attempt_at = %s WHERE id = %s AND lease_owner = %s", rows
            )


def release(claimed: Iterable[Claimed], owner: str) -> None:
    """Give back rows that were not sent: due when they were due, tries untouched."""
    rows = list(claimed)
    if not rows:
        return
    with write_transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE deliveries_delivery SET status = CASE WHEN attempts = 0 THEN 'waiting' ELSE 'retrying' END, "
            "lease_owner = '', next_attempt_at = %s WHERE id = %s AND lease_owner = %s",
            [(row.due, row.id, owner) for row in rows],
        )
