"""What came in before a connector was turned on: sent to it afterwards, as a replay of many.

Such a job walks the events of the connector's sources by id, not its deliveries, because a new connector has none. An
event that was skipped only because the connector was off is replayed: its new delivery is linked to the skipped one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from deliveries.core.skipped_words import CONNECTOR_OFF
from deliveries.models import Delivery, Event, Replay, Status
from integrations.models import Connector, Source
from integrations.types import Cause

SINCE = "came_in_since"  # a filter of its own, beside those of the log
DAY = timedelta(hours=24)
Walked = tuple[int, int | None, int, int]  # place of the walk, original delivery, event, connector


def start(connector: Connector, *, by: str, now: datetime, span: timedelta = DAY) -> Replay:
    """A job that sends what came in during ``span`` and did not go to the connector because it was not on yet."""
    from deliveries import queue

    filters = {"connector": str(connector.pk), SINCE: (now - span).isoformat()}
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    job = Replay.objects.create(
        filters=filters, include_delivered=True, total=missed(filters).count(), up_to_id=newest, created_by=by[:150]
    )
    transaction.on_commit(lambda: queue.advance_replay(job.pk))
    return job


def missed(filters: Mapping[str, Any]) -> QuerySet[Event]:
    """The events since then, of the sources that the connector listens to now, that it did not get."""
    connector_id = int(filters["connector"])
    sources = Source.objects.filter(connectors=connector_id).values("id")
    got = Delivery.objects.filter(event_id=OuterRef("id"), connector_id=connector_id).exclude(_off())
    recent = Event.objects.filter(received_at__gte=datetime.fromisoformat(filters[SINCE]), source_id__in=sources)
    return recent.filter(~Exists(got), refused="", erased_at=None)


def walk(replay: Replay, limit: int) -> list[Walked]:
    """The next events of the job, with the skipped delivery that each had, if it had one."""
    connector_id = int(replay.filters["connector"])
    skipped = Delivery.objects.filter(_off(), event_id=OuterRef("id"), connector_id=connector_id).order_by("-id")
    rows = missed(replay.filters).filter(id__gt=replay.last_id, id__lte=replay.up_to_id).order_by("id")
    found = rows.annotate(original=Subquery(skipped.values("id")[:1])).values_list("id", "original")[:limit]
    return [(event_id, original, event_id, connector_id) for event_id, original in found]


def _off() -> Q:
    return Q(status=Status.SKIPPED, cause=Cause.SWITCHED_OFF, detail__startswith=CONNECTOR_OFF)
