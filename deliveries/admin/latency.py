"""How long events take from coming in to being delivered, by connector. A sample, so that a month is read as fast as an
hour, in three queries however many connectors and deliveries there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from django.db import connection
from django.db.models import Subquery

from deliveries.engine.writing import among_ids, is_sqlite
from deliveries.health import newest_of_each
from deliveries.models import Delivery

NEWEST = 100  # of each connector: all that there are, where it had no more in the range
SPREAD = 2000  # ids evenly over the range, so that a busy connector is not judged by its last minute alone
ENOUGH = 40  # of one connector among these; with fewer, its newest stand for the range
# A replay is as old as somebody's decision, so it says nothing about speed.
TIMED = "d.status = 'delivered' AND d.replay_of_id IS NULL AND d.finished_at IS NOT NULL"
# SQLite knows times to the millisecond; the days it gives are not quite that exact.
SPENT_SQLITE = "round((julianday(d.finished_at) - julianday(d.created_at)) * 86400000)"
SPENT_POSTGRESQL = "EXTRACT(EPOCH FROM d.finished_at - d.created_at)::float * 1000"


@dataclass(frozen=True)
class Took:
    """Milliseconds that half, and 95 of 100, took at most. ``sample``: not all of the range were looked at."""

    half: float
    most: float
    sample: bool


def by_connector(start: datetime) -> dict[int, Took]:
    """For the deliveries made since ``start``; a connector that delivered nothing is not in it."""
    newest, whole = _newest(start)
    spread, all_of_them = _spread(start)
    found = {}
    for key, times in {**spread, **newest}.items():
        busy = spread.get(key, [])
        if key not in whole and (all_of_them or len(busy) >= ENOUGH):
            times = busy
        if times:
            found[key] = Took(rank(times, 0.5), rank(times, 0.95), key not in whole and not all_of_them)
    return found


def of_newest(most: int, since: datetime, until: datetime) -> list[float]:
    """The milliseconds that the newest ``most`` of those made then and delivered since took, shortest first."""
    query = f"""
        SELECT {_spent()} FROM deliveries_delivery d
        WHERE {TIMED} AND d.created_at >= %s AND d.created_at < %s
        ORDER BY d.created_at DESC LIMIT %s
    """  # noqa: S608 - constants of ours only
    between = [connection.ops.adapt_datetimefield_value(moment) for moment in (since, until)]
    return sorted(spent for (spent,) in _rows(query, [*between, most]))


def rank(times: Sequence[float], share: float) -> float:
    """The smallest of ``times`` that ``share`` of them do not exceed."""
    return sorted(times)[max(0, ceil(len(times) * share) - 1)]


def _newest(start: datetime) -> tuple[dict[int, list[float]], set[int]]:
    """Each connector's newest, and of which connectors these are all there were since ``start``."""
    since = connection.ops.adapt_datetimefield_value(start)
    part = newest_of_each(NEWEST)
    query = f"""
        SELECT c.id, d.created_at >= %s, {TIMED}, {_spent()}
        FROM integrations_connector c {part} WHERE c.archived_at IS NULL
    """  # noqa: S608 - constants of ours only
    times: dict[int, list[float]] = {}
    recent: dict[int, int] = {}
    for key, within, timed, spent in _rows(query, [since]):
        recent[key] = recent.get(key, 0) + bool(within)
        if within and timed:
            times.setdefault(key, []).append(spent)
    return times, {key for key, count in recent.items() if count < NEWEST}


def _spread(start: datetime) -> tuple[dict[int, list[float]], bool]:
    """Deliveries evenly over all that were made since ``start``, and whether they are all of them."""
    newest = Subquery(Delivery.objects.order_by("-id").values("id")[:1])
    recent = Delivery.objects.filter(created_at__gte=start).order_by("created_at")
    first, last = recent.annotate(newest=newest).values_list("id", "newest").first() or (0, 0)
    if not first:
        return {}, True
    step = max(1, (last - first) // SPREAD)
    among, ids = among_ids(list(range(first, last + 1, step)))
    query = f"""
        SELECT d.connector_id, {_spent()} FROM deliveries_delivery d
        WHERE {among} AND {TIMED} AND d.created_at >= %s
    """  # noqa: S608 - constants of ours only
    times: dict[int, list[float]] = {}
    for key, spent in _rows(query, [ids, connection.ops.adapt_datetimefield_value(start)]):
        times.setdefault(key, []).append(spent)
    return times, step == 1


def _spent() -> str:
    return SPENT_SQLITE if is_sqlite() else SPENT_POSTGRESQL


def _rows(query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
