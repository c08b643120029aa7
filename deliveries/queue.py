"""The seam to django-q2, its only importer: it runs drains, on one machine or many, and knows nothing else.

What waits, when, and how often it was tried stands in Delivery rows. A task lost by a broker costs nothing: the minute
sweep, and every drain's own look at the rows, find the work again.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task
from redis import RedisError

from deliveries.models import Pump

log = logging.getLogger("signalbox.queue")
DRAIN = "deliveries.tasks.drain"
BEAT = "deliveries.tasks.beat"
SWEEP = "deliveries.tasks.sweep"
HOURLY = "deliveries.tasks.hourly"
ERASE = "deliveries.tasks.erase"
RETIRE = "deliveries.tasks.retire"
ADVANCE_REPLAY = "deliveries.tasks.advance_replay"
PRACTISE = "deliveries.tasks.practise"
NEXT_DUE = "signalbox: next due"
SCHEDULES = {"drain": NEXT_DUE, "sweep": "signalbox: sweep", "hourly": "signalbox: hourly"}
# A queued drain that nobody took up in this time is taken for lost (a flushed Redis), and another is queued.
LOST_AFTER = timedelta(seconds=10)


def prepare() -> None:
    """Load the broker's library, which takes a quarter of a second, before anybody waits for it. Connects nowhere."""
    import_module("django_q.brokers.redis_broker" if settings.REDIS_URL else "django_q.brokers.orm")


class BrokerAway(OSError):
    """Redis does not answer. It only wakes workers, so nothing that was asked for may fail because of it."""


def _hand_over(function: str, *ids: int) -> None:
    try:
        async_task(function, *ids)
    except RedisError as error:
        raise BrokerAway(f"Redis does not answer: {error}") from error


@contextmanager
def _unless_away() -> Iterator[None]:
    try:
        yield
    except BrokerAway as error:
        log.warning("A background job could not be queued; the sweep will see to it: %s", error)


def wake(now: datetime | None = None) -> bool:
    """Queue a drain unless one is queued already. Returns whether it queued one. Cheap enough for every commit."""
    now = now or timezone.now()
    woken_at = Pump.objects.filter(id=1).values_list("woken_at", flat=True).first()
    if woken_at is not None and woken_at >= now - LOST_AFTER:
        return False  # nearly always so under load; an update that changes nothing would wait for other writers
    claimed = Pump.objects.filter(id=1, woken_at__isnull=True).update(woken_at=now)
    if not claimed:
        claimed = Pump.objects.filter(id=1, woken_at__lt=now - LOST_AFTER).update(woken_at=now)
        if not claimed and Pump.objects.filter(id=1).exists():
            return False
        if not claimed:
            Pump.objects.get_or_create(id=1, defaults={"woken_at": now})
    try:
        _hand_over(DRAIN)
    except BrokerAway as error:
        log.warning("The workers could not be woken; the sweep will: %s", error)
        woken()
        return False
    return True


def woken() -> None:
    """A drain has started: the next wake-up may queue another."""
    Pump.objects.filter(id=1, woken_at__isnull=False).update(woken_at=None)


def start_over() -> None:
    """A cluster has started: what an earlier one had taken up may have died with it, so have the rows looked at now and
    not at the next sweep."""
    woken()
    wake()


def beat() -> None:
    """Ask some worker for a sign of life. Raises BrokerAway or a database's error."""
    _hand_over(BEAT)


def advance_replay(replay_id: int, *, holds_turn: bool = False) -> None:
    """Go on with a replay; where Redis is away, the sweep asks again within a minute."""
    with _unless_away():
        _hand_over(ADVANCE_REPLAY, replay_id, int(holds_turn))


def sweep_soon() -> None:
    with _unless_away():
        _hand_over(SWEEP)


def erase() -> None:
    """Go on with the erasures that are due; where Redis is away, the sweep asks again within a minute."""
    with _unless_away():
        _hand_over(ERASE)


def retire() -> None:
    """Go on with deleting what is past its time; where Redis is away, the next hour does."""
    with _unless_away():
        _hand_over(RETIRE)


def practise() -> None:
    """Have the practice website send its events."""
    with _unless_away():
        _hand_over(PRACTISE)


def wake_at(moment: datetime) -> None:
    """Have a drain started at about ``moment``: one row, moved to the earliest."""
    row = Schedule.objects.filter(name=NEXT_DUE).first()
    if row is None:
        Schedule.objects.create(name=NEXT_DUE, func=DRAIN, schedule_type=Schedule.ONCE, next_run=moment, repeats=-1)
    elif row.next_run is None or row.next_run > moment or row.next_run < timezone.now() - timedelta(minutes=2):
        Schedule.objects.filter(pk=row.pk).update(next_run=moment)


def next_runs() -> dict[str, datetime | None]:
    """When each job runs next, as far as that is planned."""
    planned = dict(Schedule.objects.filter(name__in=SCHEDULES.values()).values_list("name", "next_run"))
    return {slug: planned.get(name) for slug, name in SCHEDULES.items()}


def run_now(slug: str) -> None:
    """Have a job run as soon as a worker is free, besides its usual times. Raises BrokerAway."""
    _hand_over({"drain": DRAIN, "sweep": SWEEP, "hourly": HOURLY}[slug])


def ensure_schedules() -> None:
    """The schedules that every installation has: made at start, safe to repeat."""
    now = timezone.now()
    for name, function, minutes in ((SCHEDULES["sweep"], SWEEP, 1), (SCHEDULES["hourly"], HOURLY, 60)):
        if not Schedule.objects.filter(name=name).exists():
            Schedule.objects.create(
                name=name, func=function, schedule_type=Schedule.MINUTES, minutes=minutes, next_run=now
            )


def run_cluster() -> None:
    """Run this machine's workers until TERM or INT: then the running tasks finish."""
    from django_q.cluster import Cluster

    cluster = Cluster()
    asked: list[int] = []

    def end(number: int, frame: Any) -> None:
        asked.append(number)
        if cluster.sentinel is not None:
            cluster.sig_handler(number, frame)

    end_once(end)
    cluster.start()
    if asked:  # perhaps before there was anything that could be stopped, and it is not asked twice
        cluster.stop()


def end_once(handler: Callable[[int, Any], None]) -> None:
    """Have the first TERM or INT handled, and no other.

    Two come at nearly the same moment when `serve` ends (its own, and the cut lifeline's), and the cluster's handler
    must not be interrupted by itself: it would wait for ever for a lock that it already holds.
    """

    def first(number: int, frame: Any) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        handler(number, frame)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, first)
