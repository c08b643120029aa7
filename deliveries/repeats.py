"""What is so old that its service no longer recognises a repeated message id: replayed, a person may get it twice.

It matters only for what the service got, or may have got, as after a time-out: what it refused in so many words, or
never saw, is new to it. A delivered event is remembered from when it was delivered. Any other may have got there with
its first try, so it is as old as its delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, Subquery

from deliveries.models import Delivery, Status
from integrations import registry
from integrations.types import Cause, ConnectorConfig

# Failed, and nobody knows whether the service took it all the same.
IN_DOUBT = (Cause.GAVE_UP, Cause.TIMEOUT, Cause.SERVICE_ERROR, Cause.UNREACHABLE)
HOUR = timedelta(hours=1)


def forgotten(configs: Iterable[ConnectorConfig], now: datetime, *, delivered: bool) -> Q:
    """The finished deliveries to these connectors that were, or may have been, received too long ago. ``delivered``:
    whether delivered ones are asked about.

    The rest costs a count next to nothing, because all it needs stands in the index of what failed: ids rise with the
    time, so one look finds the last one that is too old.
    """
    found = Q(pk__in=[])
    for window, connectors in _by_window(configs).items():
        before = now - window
        last = Delivery.objects.filter(created_at__lt=before).order_by("-created_at", "-id").values("id")[:1]
        old = Q(cause__in=IN_DOUBT, id__lte=Subquery(last))
        if delivered:
            old |= Q(status=Status.DELIVERED, finished_at__lt=before)
        found |= Q(old, connector_id__in=connectors)
    return found


def by_service(counts: Mapping[int, int], configs: Mapping[int, ConnectorConfig]) -> list[dict[str, Any]]:
    """Counts by connector as one for each service that has any, with how many hours it remembers a message id."""
    found: Counter[str] = Counter()
    for connector_id, count in counts.items():
        if count:
            found[configs[connector_id].vendor] += count
    vendors = [(vendor, found[slug]) for slug, vendor in registry.vendors().items() if found[slug]]
    return [
        {"vendor": vendor.slug, "service": vendor.label, "hours": _hours(vendor.remembers_ids), "count": count}
        for vendor, count in vendors
    ]


def possible(statuses: Iterable[str], causes: str) -> bool:
    """Whether any delivery with one of these statuses, and of these causes where some are named, may have arrived."""
    if not causes:
        return Status.FAILED in statuses or Status.DELIVERED in statuses
    return Status.FAILED in statuses and not set(causes.split(",")).isdisjoint(IN_DOUBT)


def remembering(connectors: Iterable[int], configs: Mapping[int, ConnectorConfig]) -> dict[int, int]:
    """One for each of these connectors whose service remembers a message id for a while only."""
    mine = [configs[key] for key in connectors if key in configs]
    return dict.fromkeys((key for keys in _by_window(mine).values() for key in keys), 1)


def hours_past(delivery: Delivery, now: datetime) -> int:
    """How many hours the service remembers a message id, where this delivery is older than that; else 0."""
    vendor = registry.get(delivery.connector.vendor)
    if vendor is None or vendor.remembers_ids is None:
        return 0
    ended = delivery.finished_at if delivery.status == Status.DELIVERED else None
    return _hours(vendor.remembers_ids) if (ended or delivery.created_at) < now - vendor.remembers_ids else 0


def _by_window(configs: Iterable[ConnectorConfig]) -> dict[timedelta, list[int]]:
    found: dict[timedelta, list[int]] = {}
    for config in configs:
        if (vendor := registry.get(config.vendor)) is not None and vendor.remembers_ids is not None:
            found.setdefault(vendor.remembers_ids, []).append(config.id)
    return found


def _hours(window: timedelta | None) -> int:
    return (window or timedelta(0)) // HOUR
