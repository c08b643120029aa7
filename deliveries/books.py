"""The books of a day: what became of every event that came in for each connector. Nothing may be missing.

An event counts once for a connector, on the day (UTC) it came in, under what became of it: the status of its newest
delivery, so that a failed one that was replayed and arrived counts as delivered.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Subquery

from deliveries.models import Delivery, Status
from integrations.models import Connector


def books(day: date) -> list[dict[str, Any]]:
    """One row for each connector that has deliveries of the day or is not archived, by name."""
    start = datetime.combine(day, time.min, UTC)
    first = Delivery.objects.filter(
        created_at__gte=start, created_at__lt=start + timedelta(days=1), replay_of__isnull=True
    )
    rows: dict[int, dict[str, int]] = {}

    def counts(connector_id: int) -> dict[str, int]:
        return rows.setdefault(connector_id, dict.fromkeys([*Status.values, "erased", "replays"], 0))

    for row in first.order_by().values("connector_id", "status").annotate(count=Count("id")):
        counts(row["connector_id"])[row["status"]] += row["count"]
    # The few that were replayed move from what their first delivery says to what their newest one does.
    replayed = first.filter(id__in=_replayed_ids(start))
    newest = Delivery.objects.filter(event_id=OuterRef("event_id"), connector_id=OuterRef("connector_id"))
    moved = replayed.annotate(now=Subquery(newest.order_by("-id").values("status")[:1]))
    for row in moved.order_by().values("connector_id", "status", "now").annotate(count=Count("id")):
        counts(row["connector_id"])[row["status"]] -= row["count"]
        counts(row["connector_id"])[row["now"]] += row["count"]
    replays = Delivery.objects.filter(replay_of__isnull=False, event_id__in=replayed.values("event_id"))
    for own in replays.order_by().values("connector_id").annotate(count=Count("id")):
        counts(own["connector_id"])["replays"] = own["count"]
    return [_row(connector, rows.get(connector.pk)) for connector in _connectors(set(rows))]


def _replayed_ids(start: datetime) -> Any:
    """Ids of deliveries that have a replay. A replay is younger than what it replays."""
    return Delivery.objects.filter(replay_of__isnull=False, created_at__gte=start).values("replay_of_id")


def _connectors(with_deliveries: set[int]) -> list[Connector]:
    shown = Connector.objects.order_by("name")
    return [row for row in shown if row.archived_at is None or row.pk in with_deliveries]


def _row(connector: Connector, counts: dict[str, int] | None) -> dict[str, Any]:
    counts = dict(counts or dict.fromkeys([*Status.values, "erased", "replays"], 0))
    replays = counts.pop("replays")
    return {"connector": connector, "received": sum(counts.values()), **counts, "replays": replays}
