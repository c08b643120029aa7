"""Small facts for the connector's page, each one query over an index."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, CharField, Count, Min, Q, Value, When
from django.db.models.functions import Cast, Concat

from deliveries import pace, release
from deliveries.counting import Counted, at_most, some
from deliveries.hold import age
from deliveries.log import OPEN, UNUSUAL, Among, newest_of
from deliveries.models import Delivery, Status
from integrations.models import Connector

AGES = (1, 6, 24, 48, 72, 120)  # hours
MOST_OF_PEOPLE = 5000  # held deliveries whose people are told apart: each asks for its event
PERSON = Case(
    When(~Q(event__user_id=""), Concat(Value("u"), "event__user_id")),
    When(~Q(event__anonymous_id=""), Concat(Value("a"), "event__anonymous_id")),
    default=Concat(Value("-"), Cast("id", CharField())),
)


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
    """What a form that asks for a speed says: ``most`` a minute (``limited`` by the connector itself), which is
    ``highest`` per second for a browser, and what one speed means for so many events."""
    speed = min(60 if count < 3600 else 600, most or pace.FASTEST)
    highest = most or pace.FASTEST
    return {
        "most": highest,
        "highest": f"{highest / 60:.2f}",
        "limited": most is not None,
        "example": (speed, count * 60 / speed),
    }


def losses_of(connector: Connector, held: int) -> dict[str, Any]:
    """What is lost and what stays when it is removed or turned off, in one query: ``gone`` how many wait, retry or are
    held, ``kept`` what stays in the log, in words. ``older``: of what is held, how many are not the newest of their
    person; None where that is too much to count."""
    mine = Delivery.objects.filter(connector=connector)
    waiting = mine.filter(Among(OPEN), status__in=[Status.WAITING, Status.RETRYING])
    people = mine.filter(Among(UNUSUAL), status=Status.HELD).annotate(person=PERSON).values("person").distinct()
    counted = {"waiting": Counted(some(waiting)), "log": Counted(some(newest_of(connector.pk)))}
    if 0 < held <= MOST_OF_PEOPLE:
        counted["people"] = Counted(people)
    found: dict[str, Any] = dict(Connector.objects.filter(pk=connector.pk).values(**counted).get())
    return {
        "gone": at_most(found["waiting"] + held, "event") if found["waiting"] + held else "",
        "kept": at_most(found["log"], "delivery"),
        "older": held - found["people"] if "people" in found else None,
    }


def is_lately(moment: datetime | None, now: datetime) -> bool:
    """Whether it lies within the last hour."""
    return moment is not None and moment >= now - timedelta(hours=1)
