"""Small facts for the connector's page, each one query over an index."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min

from deliveries.log import UNUSUAL, newest_of
from deliveries.models import Delivery, Status
from integrations.models import Connector


def held_of(connector: Connector) -> dict[str, Any]:
    """How many are held and since when the oldest one is."""
    rows = Delivery.objects.filter(status=Status.HELD, status__in=UNUSUAL, connector=connector)
    return rows.aggregate(count=Count("id"), oldest=Min("created_at"))


def traffic_since(connector: Connector, now: datetime, *, hours: int) -> bool:
    """Whether an event came for it in the last hours: its newest delivery tells."""
    newest = newest_of(connector.pk).values_list("created_at", flat=True).first()
    return newest is not None and newest >= now - timedelta(hours=hours)
