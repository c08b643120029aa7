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

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, QuerySet, Subquery, Value, When

from deliveries.engine.writing import write_transaction
from deliveries.ledger import Book
from deliveries.models import Delivery, Event, Status
from integrations.models import Connector
from integrations.types import Cause

PARTS = (*Status.values, "erased")
DAY = timedelta(days=1)
STORED = timedelta(minutes=10)  # by then everything received before is committed
BUCKET = Case(When(status=Status.SKIPPED, cause=Cause.ERASED, then=Value("erased")), default=F("status"))


def books(day: date) -> list[dict[str, Any]]:
    """One row for each connector that had deliveries on the day or is not archived, by name."""
    counted, replays = _parts(_received(day), day)
    kept = _kept(day)
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
    kept = _kept(day)
    counted = _counted(day, now - STORED)
    if {key: book.gone for key, book in _kept(day).items()} != {key: book.gone for key, book in kept.items()}:
        return  # some of it went while it was counted: the next check has the day again
    checked = []
    for connector_id in {*counted, *kept}:
        book = kept.get(connector_id) or Book(connector_id=connector_id, day=day)
        rows, events = counted.get(connector_id, (0, 0))
        known = events + sum(book.gone.values())
        book.received = max(book.received, known)
        book.missing, book.extra, book.checked_at = book.received - known, rows - events, now
        checked.append(book)
    with write_transaction():  # never the columns that retention moves
        Book.objects.bulk_create(
            checked,
            update_conflicts=True,
            unique_fields=["day", "connector"],
            update_fields=["received", "missing", "extra", "checked_at"],
        )


class Entry(NamedTuple):
    """One delivery, as the books see it."""

    id: int
    event_id: int
    connector_id: int
    created_at: datetime
    bucket: str


def entries(rows: QuerySet[Delivery]) -> list[Entry]:
    """The deliveries, oldest first."""
    fields = ("id", "event_id", "connector_id", "created_at", "bucket")
    return [Entry(*row) for row in rows.annotate(bucket=BUCKET).order_by("id").values_list(*fields)]


def write_off(rows: list[Entry]) -> None:
    """Note what became of the events of these deliveries, all of each event's, which are about to be deleted. Called in
    the transaction that deletes them."""
    first: dict[tuple[int, int], date] = {}
    newest: dict[tuple[int, int], str] = {}
    for row in rows:
        first.setdefault((row.event_id, row.connector_id), row.created_at.astimezone(UTC).date())
        newest[row.event_id, row.connector_id] = row.bucket
    gone: dict[tuple[int, date], Counter[str]] = defaultdict(Counter)
    for (event_id, connector_id), day in first.items():
        gone[connector_id, day][f"gone_{newest[event_id, connector_id]}"] += 1
    new = [Book(connector_id=connector_id, day=day) for connector_id, day in gone]
    Book.objects.bulk_create(new, ignore_conflicts=True)
    for (connector_id, day), counts in gone.items():
        more = {column: F(column) + count for column, count in counts.items()}
        Book.objects.filter(connector_id=connector_id, day=day).update(**more)


def count_again(connector_ids: Iterable[int], since: datetime) -> None:
    """Deliveries were deleted on purpose, otherwise than by retention: what was received is counted anew."""
    Book.objects.filter(connector_id__in=connector_ids, day__gte=since.astimezone(UTC).date()).update(received=0)


def _kept(day: date) -> dict[int, Book]:
    return {book.connector_id: book for book in Book.objects.filter(day=day)}


def _received(day: date, until: datetime | None = None) -> QuerySet[Delivery]:
    """The first delivery of each event of the day to each connector."""
    start = datetime.combine(day, clock.min, UTC)
    end = start + DAY if until is None else min(start + DAY, until)
    return Delivery.objects.filter(created_at__gte=start, created_at__lt=end, replay_of__isnull=True).order_by()


def _counted(day: date, until: datetime) -> dict[int, tuple[int, int]]:
    """By connector: how many first deliveries there are, and how many different events that are there they are of.

    Whether the events are there is asked of the ids between which those of the day lie: so that is read from a part of
    the index of ids, and of no other day, and the wide events are not read at all.
    """
    rows = _received(day, until)
    found = rows.values_list("connector_id").annotate(
        Count("id"), Count("event_id", distinct=True), Min("event_id"), Max("event_id")
    )
    sums = {key: (count, events) for key, count, events, _, _ in found}
    if not sums:
        return {}
    ids = (min(low for *_, low, _ in found), max(high for *_, high in found))
    there = Event.objects.filter(id=OuterRef("event_id"), id__range=ids)
    without = rows.filter(~Exists(there)).values_list("connector_id")
    astray = dict(without.annotate(Count("event_id", distinct=True)))
    return {key: (count, events - astray.get(key, 0)) for key, (count, events) in sums.items()}


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
