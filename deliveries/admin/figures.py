"""Small facts for the connector's page, each one query over an index."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Min

from deliveries.log import UNUSUAL, newest_of
from deliveries.models import Delivery, Event, Status
from integrations.models import Connector

LOOKED_AT, LATEST = 5000, 100  # ids back from the newest event, and events among them


def held_of(connector: Connector) -> dict[str, Any]:
    """How many are held and since when the oldest one is."""
    rows = Delivery.objects.filter(status=Status.HELD, status__in=UNUSUAL, connector=connector)
    return rows.aggregate(count=Count("id"), oldest=Min("created_at"))


def traffic_since(connector: Connector, now: datetime, *, hours: int) -> bool:
    """Whether an event came for it in the last hours: its newest delivery tells."""
    newest = newest_of(connector.pk).values_list("created_at", flat=True).first()
    return newest is not None and newest >= now - timedelta(hours=hours)


def trait_fields() -> list[tuple[str, str]]:
    """Kept for half a minute: many open the same form."""
    found: list[tuple[str, str]] | None = cache.get("trait-fields")
    if found is None:
        found = _trait_fields()
        cache.set("trait-fields", found, 30)
    return found


def _trait_fields() -> list[tuple[str, str]]:
    """The fields of recent identify events with a sample of each, for whoever maps them. Masked samples are enough."""
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    recent = Event.objects.filter(type="identify", erased_at=None, id__gt=newest - LOOKED_AT).order_by("-id")[:LATEST]
    found: dict[str, str] = {}
    for event in recent:
        traits = event.payload.get("traits")
        for name, value in (traits if isinstance(traits, dict) else {}).items():
            if not isinstance(value, dict | list) and value not in (None, ""):
                found.setdefault(name, str(value)[:40])
    return sorted(found.items())
