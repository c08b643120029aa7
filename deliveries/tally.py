"""Deliveries counted by time and status, for charts. Closed hours are kept as rows, made by the hourly housekeeping, so
that a chart of 30 days does not read 30 days of deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import CharField, Count, Max, Q, Sum
from django.db.models.functions import Substr, TruncHour, TruncMinute

HOUR = timedelta(hours=1)
KEPT = timedelta(days=32)
STORED = timedelta(minutes=10)  # by then everything received before is committed
FINAL = ("delivered", "failed", "skipped")


class Tally(models.Model):
    """How many deliveries made in this hour are in this status. An hour without deliveries has one row with none."""

    hour = models.DateTimeField()
    status = models.CharField(max_length=10, blank=True)
    count = models.PositiveIntegerField()

    class Meta:
        app_label = "deliveries"
        constraints = [models.UniqueConstraint(fields=["hour", "status"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.hour:%d %b %H:00} {self.status}: {self.count}"


def since(start: datetime) -> Iterator[tuple[datetime, str, int]]:
    """(hour, status, count) from ``start``, which is a full hour: kept hours, and what came after them as it is now."""
    newest = Tally.objects.aggregate(newest=Max("hour"))["newest"]
    if newest is not None and newest >= start:
        yield from _kept(start)
        start = newest + HOUR
    yield from counted(start, None)


def _kept(start: datetime) -> Iterator[tuple[datetime, str, int]]:
    """A row for each hour instead of each of its statuses: most of what reading them takes is making their times."""
    from deliveries.models import Status

    names = Status.values
    sums = {f"n_{name}": Sum("count", filter=Q(status=name), default=0) for name in names}
    rows = Tally.objects.filter(hour__gte=start, count__gt=0).order_by().values_list("hour").annotate(**sums)
    for hour, *counts in rows:
        yield from ((hour, name, count) for name, count in zip(names, counts, strict=True) if count)


def counted(
    start: datetime | None, end: datetime | None, *, minutes: bool = False, among: Q | None = None
) -> Iterator[tuple[datetime, str, int]]:
    """(hour or minute, status, count) of the deliveries made from ``start`` until before ``end``."""
    from deliveries.models import Delivery

    rows: Any = Delivery.objects.filter(among or Q()).order_by()
    if start is not None:
        rows = rows.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    rows = rows.annotate(at=_cut(minutes)).values_list("at", "status").annotate(count=Count("id"))
    for at, status, count in rows:
        yield (_parsed(at) if isinstance(at, str) else at), status, count


def refresh(now: datetime) -> int:
    """Count the closed hours that are not kept yet, and again those in which something has ended since.

    Returns how many hours were counted.
    """
    from deliveries.engine.writing import write_transaction

    last = _hour(now - STORED) - HOUR
    first = _hour(now - KEPT)
    Tally.objects.filter(hour__lt=first).delete()
    kept = set(Tally.objects.values_list("hour", flat=True))
    hours = [first + HOUR * number for number in range(int((last - first) / HOUR) + 1)]
    moved = _moved(first, last + HOUR)
    wanted = [hour for hour in hours if hour not in kept or hour in moved]
    for some in _runs(wanted):
        found = [
            Tally(hour=hour, status=status, count=count) for hour, status, count in counted(some[0], some[-1] + HOUR)
        ]
        empty = set(some) - {row.hour for row in found}
        with write_transaction():
            Tally.objects.filter(hour__in=some).delete()
            Tally.objects.bulk_create([*found, *(Tally(hour=hour, status="", count=0) for hour in sorted(empty))])
    return len(wanted)


def _moved(start: datetime, end: datetime) -> set[datetime]:
    """The kept hours in which less is under way than was, or something else. Nothing begins in an hour that is over: so
    where as much is under way as before, all else is as before, too, and is not read again."""
    before = Tally.objects.filter(hour__gte=start, count__gt=0).exclude(status__in=FINAL)
    rows = {(hour, status, count) for hour, status, count in before.values_list("hour", "status", "count")}
    if not rows:
        return set()
    return {hour for hour, _, _ in rows ^ set(_under_way(start, end))}


def _under_way(start: datetime, end: datetime) -> Iterator[tuple[datetime, str, int]]:
    """What is not final. The time is not asked of the database: it would go by that, past all that is final."""
    from deliveries.log import OPEN, UNUSUAL, Among

    for among in (Q(Among(OPEN)), Q(Among(UNUSUAL), status="held")):
        yield from (row for row in counted(None, None, among=among) if start <= row[0] < end)


def _runs(hours: list[datetime]) -> Iterator[list[datetime]]:
    """Hours that follow each other, at most a day of them: each run is counted in one go."""
    run: list[datetime] = []
    for hour in hours:
        if run and (hour - run[-1] > HOUR or len(run) == 24):
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _cut(minutes: bool) -> Any:
    """SQLite keeps times as text, and Django's own truncation there is a Python call for every row: 6 times slower."""
    if connection.vendor == "sqlite":
        return Substr("created_at", 1, 16 if minutes else 13, output_field=CharField())
    # Hours of UTC, as the kept ones are, whatever the reader's zone.
    return TruncMinute("created_at", tzinfo=UTC) if minutes else TruncHour("created_at", tzinfo=UTC)


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text if len(text) > 13 else f"{text}:00").replace(tzinfo=UTC)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
