"""How sources are doing: their events of the last 24 hours, in one query for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q

from deliveries.health import DAY, Health
from deliveries.models import Event
from integrations.models import Source, WriteKey
from integrations.templatetags.console import plural


@dataclass(frozen=True)
class Report:
    """How one source does. ``received`` and ``refused`` (among the received) are of the last 24 hours."""

    health: Health
    last_event_at: datetime | None
    received: int
    refused: int


@dataclass(frozen=True)
class Reported:
    """A source with its report, for whoever shows both."""

    row: Source
    report: Report


def report(sources: Iterable[Source], now: datetime) -> dict[int, Report]:
    """By id, of all these sources (write keys prefetched)."""
    rows = (
        Event.objects.filter(received_at__gte=now - DAY)
        .order_by()
        .values("source_id")
        .annotate(received=Count("id"), refused=Count("id", filter=~Q(refused="")), last=Max("received_at"))
    )
    found = {row["source_id"]: row for row in rows}
    return {source.pk: _report(source, found.get(source.pk, {})) for source in sources}


def _report(source: Source, counts: Mapping[str, Any]) -> Report:
    used = [key.last_used_at for key in source.write_keys.all() if key.last_used_at is not None]
    last = counts.get("last") or max(used, default=None)
    received = counts.get("received", 0)
    return Report(judge(source, received, last), last, received, counts.get("refused", 0))


def brought(key: WriteKey, keys: Iterable[WriteKey], received: int, now: datetime) -> str:
    """What came with one of a source's keys in the last 24 hours, in a sentence. With which key an event came is not
    kept: where several were used, their source's number is said for all of them."""
    lately = [one for one in keys if one.last_used_at is not None and one.last_used_at >= now - DAY]
    if key not in lately:
        return f"Nothing came with it{' in the last 24 hours' if key.last_used_at else ' yet'}."
    others = len(lately) - 1
    if not others:
        return f"It brought {plural(received, 'event')} in the last 24 hours."
    return f"{plural(received, 'event')} came in the last 24 hours, with it or with {plural(others, 'other key')}."


def judge(source: Source, received: int, last: datetime | None) -> Health:
    """The rules of a source's badge."""
    if source.status == Source.Status.OFF:
        return Health(code="off", why="It is switched off: senders are told so.")
    if received:
        return Health(code="working", why=f"{received} events in the last 24 hours.")
    if last is None:
        return Health(code="not_set_up", why="No event has come in yet.")
    return Health(code="quiet", why="No event came in during the last 24 hours.")
