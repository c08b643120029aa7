"""The books of a day: what became of every event that came in for each connector. Nothing may be missing.

An event counts once for a connector, on the day (UTC) it came in, under what became of it: the status of its newest
delivery, so that a failed one that was replayed and arrived counts as delivered. *Erased* are those that were not sent
any more because their person was erased; what had been sent before stays what it was.

Days that retention has deleted, partly or wholly, balance too: it writes down what it deletes, by how it ended, in the
same transaction (``deliveries.ledger``), and that is added to what is counted from the rows. ``check`` looks every hour
whether it all is what was received: the number of different events, which only grows. So it finds rows that went in any
other way (missing), and deliveries that are there twice or without their event (extra).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, OuterRef, QuerySet, Subquery, Value, When

from deliveries.ledger import Book
from deliveries.models import Delivery, Status
from integrations.models import Connector
from integrations.types import Cause

PARTS = (*Status.values, "erased")
DAY = timedelta(days=1)
STORED = timedelta(minutes=10)  # by then everything received before is committed
BUCKET = Case(When(status=Status.SKIPPED, cause=Cause.ERASED, then=Value("erased")), default=F("status"))
_EVENTS = Count("event_id", distinct=True)


def books(day: date) -> list[dict[str, Any]]:
    """One row for each connector that had deliveries on the day or is not archived, by name."""
    counted, replays = _parts(_received(day), day)
    kept = {book.connector_id: book for book in Book.objects.filter(day=day)}
    found = Connector.objects.defer("secrets", "settings", "old_secrets").order_by("name")
    shown = [row for row in found if row.archived_at is None or row.pk in counted or row.pk in kept]
    return [_row(row, counted.get(row.pk, {}), replays.get(row.pk, 0), kept.get(row.pk)) for row in shown]


def check(now: datetime, *, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Check today, yesterday, and then the days whose check is longest ago; returns how many days were checked."""
    today = now.astimezone(UTC).date()
    oldest = today - DAY * (settings.RETENTION_DAYS + settings.HOLD_DAYS)
    looked = Book.objects.filter(day__gte=oldest, checked_at__isnull=False).values_list("day", "checked_at")
    last: dict[date, datetime | None] = dict(looked)
    earlier = [today - DAY * number for number in range(2, (today - oldest).days + 1)]
    earlier.sort(key=lambda day: last.get(day) or datetime.min.replace(tzinfo=UTC))
    checked = 0
    for day in (today, today - DAY, *earlier):
        if not goes_on():
            break
        check_day(day, now)
        checked += 1
    return checked


def check_day(day: date, now: datetime) -> None:
    """Count what there is, and keep what is missing or there too often. Of today, what came in until just now."""
    rows = _received(day, now - STORED)
    there = dict(rows.filter(event__received_at__isnull=False).values_list("connector_id").annotate(_EVENTS))
    counted = dict(rows.values_list("connector_id").annotate(Count("id")))
    kept = {book.connector_id: book for book in Book.objects.filter(day=day)}
    for connector_id in {*there, *counted, *kept}:
        book = kept.get(connector_id) or Book(connector_id=connector_id, day=day)
        known = there.get(connector_id, 0) + sum(book.gone.values())
        received = max(book.received, known)
        extra = counted.get(connector_id, 0) - there.get(connector_id, 0)
        values = {"received": received, "missing": received - known, "extra": max(0, extra), "checked_at": now}
        Book.objects.update_or_create(connector_id=connector_id, day=day, defaults=values)


def write_off(event_ids: list[int]) -> None:
    """Note what became of these events, which are about to be deleted. Called in the transaction that deletes them."""
    rows = Delivery.objects.filter(event_id__in=event_ids).order_by("id").annotate(bucket=BUCKET)
    first: dict[tuple[int, int], date] = {}
    newest: dict[tuple[int, int], str] = {}
    for event_id, connector_id, created_at, bucket in rows.values_list(
        "event_id", "connector_id", "created_at", "bucket"
    ):
        first.setdefault((event_id, connector_id), created_at.astimezone(UTC).date())
        newest[event_id, connector_id] = bucket
    gone = Counter(
        (connector_id, first[event_id, connector_id], newest[event_id, connector_id])
        for event_id, connector_id in first
    )
    for (connector_id, day, bucket), count in gone.items():
        Book.objects.get_or_create(connector_id=connector_id, day=day)
        column = f"gone_{bucket}"
        Book.objects.filter(connector_id=connector_id, day=day).update(**{column: F(column) + count})


def count_again(connector_ids: Iterable[int], since: datetime) -> None:
    """Deliveries were deleted on purpose, otherwise than by retention: what was received is counted anew."""
    Book.objects.filter(connector_id__in=connector_ids, day__gte=since.astimezone(UTC).date()).update(received=0)


def _received(day: date, until: datetime | None = None) -> QuerySet[Delivery]:
    """The first delivery of each event of the day to each connector."""
    start = datetime.combine(day, clock.min, UTC)
    end = start + DAY if until is None else min(start + DAY, until)
    return Delivery.objects.filter(created_at__gte=start, created_at__lt=end, replay_of__isnull=True).order_by()


def _parts(first: QuerySet[Delivery], day: date) -> tuple[dict[int, dict[str, int]], dict[int, int]]:
    """By connector: how many of these came to what, and how many replays they had."""
    found: dict[int, dict[str, int]] = {}

    def counts(connector_id: int) -> dict[str, int]:
        return found.setdefault(connector_id, dict.fromkeys(PARTS, 0))

    first = first.annotate(bucket=BUCKET)
    for connector_id, bucket, count in first.values_list("connector_id", "bucket").annotate(Count("id")):
        counts(connector_id)[bucket] += count
    # The few that were replayed move from what their first delivery says to what their newest one does. A replay is
    # younger than what it replays.
    start = datetime.combine(day, clock.min, UTC)
    replays = Delivery.objects.filter(replay_of__isnull=False, created_at__gte=start)
    replayed = first.filter(id__in=replays.values("replay_of_id"))
    newest = Delivery.objects.filter(event_id=OuterRef("event_id"), connector_id=OuterRef("connector_id"))
    now = Subquery(newest.annotate(bucket=BUCKET).order_by("-id").values("bucket")[:1])
    moved = replayed.annotate(now=now).values_list("connector_id", "bucket", "now").annotate(Count("id"))
    for connector_id, before, after, count in moved:
        counts(connector_id)[before] -= count
        counts(connector_id)[after] += count
    own = Delivery.objects.filter(replay_of__isnull=False, event_id__in=replayed.values("event_id")).order_by()
    return found, dict(own.values_list("connector_id").annotate(Count("id")))


def _row(connector: Connector, counted: dict[str, int], replays: int, book: Book | None) -> dict[str, Any]:
    gone = book.gone if book else {}
    parts = {name: counted.get(name, 0) + gone.get(name, 0) for name in PARTS}
    received = max(sum(parts.values()), book.received if book else 0)
    return {
        "connector": connector,
        "received": received,
        **parts,
        "replays": replays,
        "missing": received - sum(parts.values()),
        "extra": book.extra if book else 0,
    }
