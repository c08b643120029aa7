"""How sources are doing: their events of the last 24 hours, in one query for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Q

from deliveries.health import DAY, Health
from deliveries.models import Event
from integrations.models import Source


def report(sources: Iterable[Source], now: datetime) -> None:
    """Put ``health``, ``health_reason``, ``last_event_at`` and ``counts_24h`` on each row (write keys prefetched)."""
    rows = (
        Event.objects.filter(received_at__gte=now - DAY)
        .order_by()
        .values("source_id")
        .annotate(received=Count("id"), refused=Count("id", filter=~Q(refused="")), last=Max("received_at"))
    )
    found = {row["source_id"]: row for row in rows}
    for source in sources:
        counts: Mapping[str, Any] = found.get(source.pk, {})
        used = [key.last_used_at for key in source.write_keys.all() if key.last_used_at is not None]
        last = counts.get("last") or max(used, default=None)
        verdict = judge(source, counts.get("received", 0), last)
        source.health, source.health_reason = verdict.code, verdict.why  # type: ignore[attr-defined]
        source.last_event_at = last  # type: ignore[attr-defined]
        source.counts_24h = {  # type: ignore[attr-defined]
            "received": counts.get("received", 0),
            "refused": counts.get("refused", 0),
        }


def judge(source: Source, received: int, last: datetime | None) -> Health:
    """The rules of a source's badge."""
    if source.status == Source.Status.OFF:
        return Health(code="off", why="It is switched off: senders are told so.")
    if received:
        return Health(code="working", why=f"{received} events in the last 24 hours.")
    if last is None:
        return Health(code="not_set_up", why="No event has come in yet.")
    return Health(code="quiet", why="No event came in during the last 24 hours.")
