"""What the chart of the Overview shows: deliveries by time and status, in the hours and days of the reader's zone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from deliveries import tally
from deliveries.admin.charts import Bar
from integrations import clock

DAY = timedelta(hours=24)
CHARTED = {"waiting": "retrying", "sending": "retrying"}  # what is under way has one colour


@dataclass(frozen=True)
class Range:
    label: str
    span: timedelta
    bucket: timedelta
    shown: str
    kept: int  # seconds the counts are kept: the longer the range, the less a minute matters

    @property
    def last(self) -> str:
        """As the end of "the last …"."""
        return self.label.removeprefix("1 ")


RANGES = {
    "1h": Range("1 hour", timedelta(hours=1), timedelta(minutes=5), "%H:%M", 5),
    "24h": Range("24 hours", DAY, timedelta(hours=1), "%H:%M", 15),
    "7d": Range("7 days", timedelta(days=7), timedelta(hours=6), "%d %b %H:%M", 120),
    "30d": Range("30 days", timedelta(days=30), timedelta(days=1), "%d %b", 600),
}


def bars(chosen: Range, now: datetime) -> list[Bar]:
    """One for each piece of time, the one that is going on included."""
    place = functools.cache(_places(chosen))  # an hour has a row for each status
    last = place(now)
    places = [last - chosen.bucket * back for back in reversed(range(round(chosen.span / chosen.bucket)))]
    found: dict[datetime, dict[str, int]] = {at: {} for at in places}
    for moment, status, count in kept(f"overview:bars:{chosen.kept}", chosen.kept, lambda: _counted(chosen, now)):
        if (counts := found.get(place(moment))) is not None:
            name = CHARTED.get(status, status)
            counts[name] = counts.get(name, 0) + count
    zone = timezone.get_current_timezone()
    # What is cut by the clock has no zone, and is called as the clock shows it.
    return [Bar(f"{at.astimezone(zone) if at.tzinfo else at:{chosen.shown}}", found[at]) for at in places]


def note(chosen: Range, now: datetime) -> str:
    """What the reader has to be told about the times below the bars; "" where they are as the reader's clock."""
    minutes = timezone.localtime(now).minute - now.astimezone(UTC).minute
    if minutes and chosen.bucket > tally.HOUR:
        return f"Counts are kept by the hours of UTC, so here a day begins at 00:{minutes % 60:02}"
    return f"Times are in {clock.note()}" if clock.note() else ""


def kept(key: str, seconds: int, make: Callable[[], Any]) -> Any:
    found = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, seconds)
    return found


def _places(chosen: Range) -> Callable[[datetime], datetime]:
    """The beginning of the piece that a moment is in. Up to an hour all zones cut alike; beyond, it goes by the
    reader's clock, where a day may have 23 or 25 hours: so these beginnings have no zone."""
    zone, step = timezone.get_current_timezone(), chosen.bucket
    if step <= tally.HOUR:
        return lambda moment: datetime.fromtimestamp(moment.timestamp() // step.seconds * step.seconds, UTC)

    def by_the_clock(moment: datetime) -> datetime:
        local = moment.astimezone(zone)
        day = datetime(local.year, local.month, local.day)  # noqa: DTZ001  # as the clock shows it
        return day if step >= DAY else day + step * (local.hour // (step // tally.HOUR))

    return by_the_clock


def _counted(chosen: Range, now: datetime) -> list[tuple[datetime, str, int]]:
    """For readers of all zones, so an hour or two more than the longest range of the clocks has."""
    if chosen.bucket < tally.HOUR:
        return list(tally.counted(now - chosen.span, None, minutes=True))
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return list(tally.since(hour - chosen.span - 2 * tally.HOUR))
