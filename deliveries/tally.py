"""Deliveries counted by time and status, for charts. Closed hours are kept as rows, made by the hourly housekeeping, so
that a chart of 30 days does not read 30 days of deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.db.models import CharField, Count, Max
from django.db.models.functions import Substr, TruncHour, TruncMinute

HOUR = timedelta(hours=1)
KEPT = timedelta(days=32)
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
        yield from Tally.objects.filter(hour__gte=start, count__gt=0).values_list("hour", "status", "count")
        start = newest + HOUR
    yield from counted(start, None)


def counted(start: datetime, end: datetime | None, *, minutes: bool = False) -> Iterator[tuple[datetime, str, int]]:
    """(hour or minute, status, count) of the deliveries made from ``start`` until before ``end``."""
    from deliveries.models import Delivery

    rows: Any = Delivery.objects.filter(created_at__gte=start).order_by()
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    rows = rows.annotate(at=_cut(minutes)).values_list("at", "status").annotate(count=Count("id"))
    for at, status, count in rows:
        yield (_parsed(at) if isinstance(at, str) else at), status, count


def refresh(now: datetime) -> int:
    """Count the closed hours that are not kept yet, and again those in which something was still under way.

    Returns how many hours were counted.
    """
    last = _hour(now) - HOUR
    first = _hour(now - KEPT)
    Tally.objects.filter(hour__lt=first).delete()
    kept = set(Tally.objects.values_list("hour", flat=True))
    unsettled = set(Tally.objects.filter(count__gt=0).exclude(status__in=FINAL).values_list("hour", flat=True))
    hours = [first + HOUR * number for number in range(int((last - first) / HOUR) + 1)]
    wanted = [hour for hour in hours if hour not in kept or hour in unsettled]
    for hour in wanted:
        counts = [Tally(hour=hour, status=status, count=count) for _, status, count in counted(hour, hour + HOUR)]
        with transaction.atomic():
            Tally.objects.filter(hour=hour).delete()
            Tally.objects.bulk_create(counts or [Tally(hour=hour, status="", count=0)])
    return len(wanted)


def _cut(minutes: bool) -> Any:
    """SQLite keeps times as text, and Django's own truncation there is a Python call for every row: 6 times slower."""
    if connection.vendor == "sqlite":
        return Substr("created_at", 1, 16 if minutes else 13, output_field=CharField())
    return TruncMinute("created_at") if minutes else TruncHour("created_at")


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text if len(text) > 13 else f"{text}:00").replace(tzinfo=UTC)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
