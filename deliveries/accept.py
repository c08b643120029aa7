"""Store events and their deliveries in one transaction. An answer of 200 is given only after :func:`store` returned.

Several requests may be stored in one commit (see ``deliveries.writer``). Per source a ``messageId`` is stored once
within the retention time; a repeated one makes no row and no delivery, and its sender gets the same 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import orjson
from django.db import IntegrityError, connection
from django.utils import timezone

from deliveries.accept_few import store_few
from deliveries.core.normalise import Incoming
from deliveries.engine.writing import insert, is_sqlite, json_text, stored_time, write_transaction
from deliveries.erasures import Erasure
from integrations import selectors
from integrations.models import Connector, Source
from integrations.selectors import Snapshot

EVENT_COLUMNS = "id, source_id, message_id, type, name, user_id, anonymous_id, received_at, refused, body, email"
DELIVERY_COLUMNS = (
    "event_id, connector_id, status, cause, detail, attempts, lane, created_at, next_attempt_at, lease_owner, "
    "finished_at, sent_as, notes, as_sent"
)
TURNED_OFF = "The connector was turned off when this event arrived."
# A fresh delivery's status, cause and detail, by the status of its connector.
FIRST_STATUS = {
    Connector.Status.ACTIVE.value: ("waiting", "", ""),
    Connector.Status.PAUSED.value: ("held", "paused", ""),
    Connector.Status.OFF.value: ("skipped", "switched_off", TURNED_OFF),
}
STORE_TRIES = 5
# AUTOINCREMENT's own counter: ids of deleted rows do not come back.
LOOK_IN_SQLITE = """
    SELECT
        (SELECT json_group_array(json_array(message_id, source_id)) FROM deliveries_event
            WHERE message_id IN (SELECT value FROM json_each(?))),
        (SELECT seq FROM sqlite_sequence WHERE name = 'deliveries_event'),
        (SELECT number FROM integrations_configversion WHERE id = 1)
"""
FEW = 50  # events that are stored in one statement on PostgreSQL


class Accepted(NamedTuple):
    """The events of one request, all of one source, received at one time."""

    source_id: int
    received_at: datetime
    events: Sequence[Incoming]
    key_id: int | None = None


def store(requests: Sequence[Accepted], *, wait: bool = True) -> int:
    """Store the requests' events and deliveries in one transaction; returns how many events were new.

    Which connectors get a delivery is decided inside the transaction by the configuration as it is there and then.
    Raises django.db.Error if nothing could be stored; then nothing was. Without ``wait`` it raises Busy rather than
    wait for another writer (SQLite).
    """
    if not is_sqlite() and (stored := _store_few(requests)) is not None:
        return stored
    for tries_left in reversed(range(STORE_TRIES)):
        try:
            with write_transaction(wait=wait):
                return _store(requests)
        except IntegrityError:
            # PostgreSQL only: another process stored one of the same ids in the meantime. The next look sees it.
            if not tries_left:
                raise
    return 0


def _store_few(requests: Sequence[Accepted]) -> int | None:
    """None where the long way must be gone: many events, one that erases, or a configuration that is not known yet."""
    wanted: dict[tuple[str, int], tuple[Accepted, Incoming]] = {}
    for request in requests:
        for event in request.events:
            wanted.setdefault((event.message_id, request.source_id), (request, event))
    snapshot = selectors.known()
    if snapshot is None or len(wanted) > FEW or any(event.type == "delete" for _, event in wanted.values()):
        return None
    routes = {
        source_id: [(connector_id, *FIRST_STATUS[status]) for connector_id, status in _connectors(snapshot, source_id)]
        for source_id in {request.source_id for request in requests}
    }
    events = [(request.source_id, request.received_at, event) for request, event in wanted.values()]
    return store_few(events, routes, snapshot.version)


def _store(requests: Sequence[Accepted]) -> int:
    wanted = [(request, event) for request in requests for event in request.events]
    found = _look(wanted)
    snapshot = selectors.snapshot(found.version)
    event_rows: list[tuple[Any, ...]] = []
    delivery_rows: list[tuple[Any, ...]] = []
    deletes: list[tuple[Accepted, Incoming, int]] = []
    for request, event in wanted:
        key = (event.message_id, request.source_id)
        if key in found.stored:
            continue
        found.stored.add(key)
        row_id = next(found.event_ids)
        moment = found.times[request.received_at]
        event_rows.append(
            (
                row_id,
                request.source_id,
                event.message_id,
                event.type,
                event.name,
                event.user_id,
                event.anonymous_id,
                moment,
                event.refused,
                event.body,
                event.email,
            )
        )
        if event.type == "delete":
            deletes.append((request, event, row_id))
        if not event.refused:
            for connector_id, status in _connectors(snapshot, request.source_id):
                delivery_rows.append(_delivery_row(row_id, connector_id, status, moment))
    if event_rows:
        insert("deliveries_event", EVENT_COLUMNS, event_rows)
    if delivery_rows:
        insert("deliveries_delivery", DELIVERY_COLUMNS, delivery_rows)
    if deletes:
        _ask_for_erasures(deletes, snapshot)
    return len(event_rows)


def _ask_for_erasures(deletes: list[tuple[Accepted, Incoming, int]], snapshot: Snapshot) -> None:
    """Delete events of sources that erase here as well: noted in the same commit, and done by the minute sweep."""
    rows = []
    for request, event, row_id in deletes:
        route = snapshot.sources.get(request.source_id)
        if route is None or route.erases == Source.Erases.NO or event.refused:
            continue
        users, anonymous = ([event.user_id], []) if event.user_id else ([], [event.anonymous_id])
        people: Any = {"users": users, "anonymous": anonymous, "spared": []}
        rows.append(
            Erasure(
                people=people,
                source_id=request.source_id if route.erases == Source.Erases.SOURCE else None,
                event_id=row_id,
                by=f"A delete event of {route.name}"[:150],
                asked_at=request.received_at,
                next_look_at=request.received_at,
            )
        )
    Erasure.objects.bulk_create(rows)


def _connectors(snapshot: Snapshot, source_id: int) -> Sequence[tuple[int, str]]:
    route = snapshot.sources.get(source_id)
    return route.connectors if route is not None else ()


def _delivery_row(event_id: int, connector_id: int, status: str, moment: Any) -> tuple[Any, ...]:
    first, cause, detail = FIRST_STATUS[status]
    due = moment if first == "waiting" else None
    finished = moment if first == "skipped" else None
    return (event_id, connector_id, first, cause, detail, 0, 0, moment, due, "", finished, "", "", False)


class _Findings(NamedTuple):
    """What must be known before inserting, read inside the transaction."""

    stored: set[tuple[str, int]]  # (message id, source id) of the wanted events that are there already
    event_ids: Iterator[int]  # free row ids, ascending
    version: int  # of the configuration
    times: Mapping[datetime, Any]  # receipt times as the driver takes them


def _look(wanted: Sequence[tuple[Accepted, Incoming]]) -> _Findings:
    keys = list({(event.message_id, request.source_id) for request, event in wanted})
    moments = {request.received_at for request, _ in wanted}
    if is_sqlite():
        return _look_in_sqlite(keys, {moment: stored_time(moment) for moment in moments})
    return _look_in_postgresql(keys, len(wanted), {moment: moment.isoformat() for moment in moments})


def _look_in_sqlite(keys: list[tuple[str, int]], times: Mapping[datetime, Any]) -> _Findings:
    """All in one row: the driver gives up Python's lock for each, and must win it back."""
    database = connection.connection  # Django's wrapper around the driver costs more than the query
    wanted = json_text([message_id for message_id, _ in keys])
    stored, last, version = database.execute(LOOK_IN_SQLITE, [wanted]).fetchone()
    known = {(message_id, source_id) for message_id, source_id in orjson.loads(stored)}
    return _Findings(known, count((last or 0) + 1), version or 0, times)


def _look_in_postgresql(keys: list[tuple[str, int]], events: int, times: Mapping[datetime, Any]) -> _Findings:
    """All three in one round trip, told apart by the first column.

    Joined on all of the unique index: by that alone the planner knows that a look-up finds one row at most. Without it,
    it read the whole of a table that had grown large before its first ANALYZE.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'stored', e.message_id, e.source_id "
            "FROM unnest(%s::text[], %s::bigint[]) AS k(message_id, source_id) "
            "JOIN deliveries_event e ON e.message_id = k.message_id AND e.source_id = k.source_id "
            "UNION ALL SELECT 'version', '', number FROM integrations_configversion WHERE id = 1 "
            "UNION ALL SELECT 'id', '', nextval('deliveries_event_id_seq') FROM generate_series(1, %s)",
            [[message_id for message_id, _ in keys], [source_id for _, source_id in keys], events],
        )
        rows = cursor.fetchall()
    stored = {(message_id, number) for tag, message_id, number in rows if tag == "stored"}
    version = next((number for tag, _, number in rows if tag == "version"), 0)
    return _Findings(stored, iter(sorted(number for tag, _, number in rows if tag == "id")), version, times)


def accept_now(request: Accepted) -> int:
    """Store one request in the caller's own thread and wake the workers: for the test panel and practice data."""
    from deliveries import queue

    stored = store([request])
    if stored:
        queue.wake(timezone.now())
    return stored
