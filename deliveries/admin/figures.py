"""Small facts for the connector's page, each one query over an index."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q

from deliveries import pace, release
from deliveries.hold import age
from deliveries.log import UNUSUAL, Among, newest_of
from deliveries.models import Delivery, Status
from integrations.models import Connector

AGES = (1, 6, 24, 48, 72, 120)  # hours


def held_of(connector: Connector, now: datetime) -> dict[str, Any]:
    """How many are held and since when the oldest one is; ``waiting`` more were held until the connector was resumed
    and are not sent yet. ``ages`` are (hours, in words, how many are older) of those ages that part them, ``most`` the
    events a minute that the connector allows, ``example`` what one speed means."""
    held, waiting = Q(Among(UNUSUAL), status=Status.HELD), release.waiting_of(connector)
    rows = Delivery.objects.filter(connector=connector).filter(held | waiting if waiting else held)
    older = {
        f"older_{hours}": Count("id", filter=held & Q(created_at__lt=now - timedelta(hours=hours))) for hours in AGES
    }
    counted = {"waiting": Count("id", filter=waiting)} if waiting else {}
    found = rows.aggregate(count=Count("id", filter=held), oldest=Min("created_at", filter=held), **older, **counted)
    count = found["count"]
    return {
        "count": count,
        "waiting": found.get("waiting", 0),
        "oldest": found["oldest"],
        "ages": [(hours, age(hours), number) for hours in AGES if (number := found[f"older_{hours}"]) > 0],
        **speed_of(count, pace.most_of(connector)),
    }


def speed_of(count: int, most: int | None) -> dict[str, Any]:
    """What a form that asks for a speed says: ``most`` a minute (``limited`` by the connector itself), and what one
    speed means for so many events."""
    speed = min(60 if count < 3600 else 600, most or pace.FASTEST)
    return {"most": most or pace.FASTEST, "limited": most is not None, "example": (speed, count * 60 / speed)}


def traffic_since(connector: Connector, now: datetime, *, hours: int) -> bool:
    """Whether an event came for it in the last hours: its newest delivery tells."""
    newest = newest_of(connector.pk).values_list("created_at", flat=True).first()
    return newest is not None and newest >= now - timedelta(hours=hours)
