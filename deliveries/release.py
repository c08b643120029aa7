"""Sending what was held, after its connector was resumed: at once, or so many a minute; and how far that is.

With a speed, the deliveries stay held and get their moments in portions (see ``deliveries.pace``), oldest first: the
first by whoever resumes, the next by the minute sweep. Pausing or stopping in between leaves the rest held.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from deliveries import pace
from deliveries.engine.writing import write_transaction
from deliveries.log import OPEN, UNUSUAL, Among
from deliveries.models import Delivery, Resumption, Status
from integrations.models import Connector

BATCH = 1000


def held_of(connector_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(connector_id=connector_id, status=Status.HELD).filter(Among(UNUSUAL))


def begin(connector: Connector, *, by: str, per_minute: int | None, now: datetime) -> int:
    """Note that what is held is sent from now on; with a speed, send the first of it. Returns how many there are."""
    total = held_of(connector.pk).count()
    Resumption.objects.update_or_create(
        connector=connector,
        defaults={
            "by": by[:150],
            "total": total,
            "per_minute": per_minute,
            "next_moment": now if per_minute else None,
            "started_at": now,
            "ended_at": None if total else now,
        },
    )
    if per_minute:
        advance(connector.pk, now)
    return total


def end(connector: Connector, now: datetime) -> QuerySet[Delivery]:
    """Give out no more moments. Returns those that have one and are not sent yet."""
    row = Resumption.objects.filter(connector=connector, ended_at__isnull=True).first()
    if row is None:
        return Delivery.objects.none()
    Resumption.objects.filter(pk=row.pk).update(ended_at=now)
    return _waiting(row)


def advance_all(now: datetime) -> None:
    """Every minute: the next portions, and an end to what is done."""
    for key in list(Resumption.objects.filter(ended_at__isnull=True).values_list("connector_id", flat=True)):
        advance(key, now)


def advance(connector_id: int, now: datetime) -> None:
    """Give out the moments that are free until then. Safe at any time and twice at once: the row's lock keeps runs
    apart, and what is not held any more is left alone."""
    while _portion(connector_id, now):
        pass


def _portion(connector_id: int, now: datetime) -> bool:
    """Up to BATCH of them. Returns whether there is room for more."""
    with write_transaction():
        row = Resumption.objects.select_for_update().filter(pk=connector_id, ended_at__isnull=True).first()
        if row is None or not Connector.objects.filter(pk=connector_id, status=Connector.Status.ACTIVE).exists():
            return False
        ids: list[int] = []
        if row.per_minute:
            first = pace.catch_up(_waiting(row), row.per_minute, row.next_moment, now)
            room = min(pace.room(row.per_minute, first, now), BATCH)
            ids = list(held_of(connector_id).order_by("id").values_list("id", flat=True)[:room])
            planned = pace.moments(len(ids), row.per_minute, first, now)
            pace.give(ids, planned, Status.HELD)
            row.next_moment = planned[-1]
        if not ids and not _waiting(row).exists() and not (row.per_minute and held_of(connector_id).exists()):
            row.ended_at = now
        row.save(update_fields=["next_moment", "ended_at"])
    return len(ids) == BATCH


def running() -> QuerySet[Resumption]:
    """The resumptions of which something is still held for its moment: neither too old nor forgotten."""
    return Resumption.objects.filter(ended_at__isnull=True, per_minute__isnull=False)


def without_its_backlog(due: dict[int, datetime], now: datetime) -> dict[int, datetime]:
    """Since when each connector's oldest due delivery waits, or since it last sent one, where it works off what was
    held: however long that takes, nothing is wrong as long as it moves."""
    busy = Resumption.objects.filter(ended_at__isnull=True, connector_id__in=due).values_list("connector_id", flat=True)
    for key in list(busy):
        ended = Delivery.objects.filter(connector_id=key, finished_at__isnull=False, finished_at__lte=now)
        last = ended.filter(finished_at__gte=due[key]).aggregate(last=Max("finished_at"))["last"]
        due[key] = last or due[key]
    return due


def progress_of(connector: Connector, now: datetime, counted: tuple[int, int] | None = None) -> dict[str, Any] | None:
    """How far it is: ``total``, ``sent`` and ``left`` of them, ``held`` of these, ``per_minute``, ``by``, ``running``,
    and ``seconds`` that it still takes, as far as that can be told. None where nothing was to be sent, or it ended.
    ``counted`` are how many are held, and how many more are not sent yet, where that is known."""
    row = _current(connector)
    if row is None:
        return None
    held, waiting = counted or (held_of(connector.pk).count(), _waiting(row).count())
    held = held if row.per_minute else 0
    left = min(row.total, held + waiting)
    sent = row.total - left
    seconds: float | None = None
    if row.per_minute:
        seconds = left * 60 / row.per_minute
    elif sent:
        seconds = (now - row.started_at).total_seconds() * left / sent
    return {
        "total": row.total,
        "sent": sent,
        "left": left,
        "held": held,
        "per_minute": row.per_minute,
        "by": row.by,
        "running": left > 0,
        "seconds": seconds,
    }


def _current(connector: Connector) -> Resumption | None:
    row: Resumption | None = getattr(connector, "resumption", None)
    return row if row is not None and row.ended_at is None else None


def waiting_of(connector: Connector) -> Q | None:
    """What was held, has its moment and is not sent yet. What is new since then came in later. None: there is none."""
    row = _current(connector)
    return _not_sent(row) if row else None


def _waiting(row: Resumption) -> QuerySet[Delivery]:
    return Delivery.objects.filter(_not_sent(row), connector_id=row.connector_id)


def _not_sent(row: Resumption) -> Q:
    return Q(Among(OPEN), status=Status.WAITING, created_at__lt=row.started_at)
