"""How fast many are sent, held or replayed, where a person chose a speed: so many a minute, each at its own moment.

A delivery's moment is its ``next_attempt_at``, so the engine needs to know nothing of speeds. Moments are given out for
the next two minutes only, and the minute sweep gives out more. What was not sent at its moment, because the service
rested or no worker ran, gets a new one then: a speed is never made up for by a burst.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min, QuerySet

from deliveries.engine.perform import Target
from deliveries.engine.writing import stored_time
from deliveries.log import BadValue
from deliveries.models import Delivery, Status
from integrations import registry, selectors
from integrations.models import Connector
from integrations.numbers import thousands
from integrations.templatetags.console import per_second
from integrations.types import ConnectorConfig

AHEAD = timedelta(minutes=2)  # two rounds of the minute sweep
LATE = timedelta(seconds=10)
FASTEST = 60_000  # a minute; beyond it nobody could tell it from "as fast as it takes them"


def parse(value: Any, most: int | None = None, whose: str = "") -> int | None:
    """Events a minute; None for an empty value, which means as fast as the connector takes them.

    ``most`` is what the connector ``whose`` allows. Raises BadValue in a person's words.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 0 < int(text) <= FASTEST):
        raise BadValue(f"Events a minute: “{text[:20]}” is not a whole number from 1 to {thousands(FASTEST)}.")
    if most is not None and int(text) > most:
        asked, allowed = thousands(int(text)), thousands(most)
        raise BadValue(f"Events a minute: {asked} is more than the {allowed} that {whose} takes by its own limit.")
    return int(text)


def typed(value: str | None, most: int | None = None, whose: str = "") -> int | None:
    """The same of what a person typed: events per second, which may be fewer than one."""
    text = (value or "").strip().replace(",", ".")
    if not text:
        return None
    # As the form shows it, 0.02 is the slowest: one a minute.
    is_number = len(text) <= 9 and text.isascii() and text.replace(".", "", 1).isdigit()
    speed = round(float(text) * 60) if is_number else 0
    if not 0 < speed <= FASTEST:
        highest = thousands(FASTEST // 60)
        raise BadValue(f"Events per second: “{text[:20]}” is not a number such as 10 or 0.5, from 0.02 to {highest}.")
    if most is not None and speed > most:
        allowed = per_second(most)
        raise BadValue(f"Events per second: {text} is more than the {allowed} that {whose} takes by its own limit.")
    return speed


def most_of(connector: Connector) -> int | None:
    """How many events a minute the connector's speed limit, which is one of calls, lets through; None without one."""
    vendor, per_second = registry.get(connector.vendor), selectors.rate_limit_of(connector)
    if vendor is None or not per_second:
        return None
    config = ConnectorConfig(
        id=connector.pk, name=connector.name, vendor=connector.vendor, base_url="", settings=connector.settings
    )
    return max(1, int(per_second * 60 * Target(config, vendor, ()).batch_size))


def room(per_minute: int, first: datetime | None, now: datetime) -> int:
    """How many moments are free until AHEAD, from ``first`` on."""
    left = now + AHEAD - max(first or now, now)
    return int(left / _gap(per_minute)) + 1 if left >= timedelta(0) else 0


def moments(count: int, per_minute: int, first: datetime | None, now: datetime) -> list[datetime]:
    """The next ``count`` moments and, as the last one, the first that is free after them."""
    start = max(first or now, now)
    return [start + _gap(per_minute) * index for index in range(count + 1)]


def catch_up(waiting: QuerySet[Delivery], per_minute: int, first: datetime | None, now: datetime) -> datetime | None:
    """The first free moment. Where what has its moment already is late, all of it gets new ones from now on."""
    earliest = waiting.order_by().aggregate(earliest=Min("next_attempt_at"))["earliest"]
    if earliest is None or earliest > now - LATE:
        return first
    ids = list(waiting.order_by("id").values_list("id", flat=True))
    planned = moments(len(ids), per_minute, now, now)
    give(ids, planned, Status.WAITING)
    return planned[-1]


def give(ids: Sequence[int], planned: Sequence[datetime], status: Status) -> None:
    """Have each of these be sent at its moment, if it still has this status."""
    rows = [(stored_time(moment), row_id, status.value) for row_id, moment in zip(ids, planned, strict=False)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE deliveries_delivery SET status = 'waiting', cause = '', detail = '', next_attempt_at = %s "
            "WHERE id = %s AND status = %s",
            rows,
        )


def _gap(per_minute: int) -> timedelta:
    return timedelta(minutes=1) / per_minute
