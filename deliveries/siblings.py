"""The other deliveries of the same event to the same connector: the replays of one that did not arrive, say."""

from __future__ import annotations

from django.db.models import BooleanField, Case, Exists, OuterRef, QuerySet, Value, When

from deliveries.models import Delivery, Status
from integrations.types import Cause


def newer(*statuses: str) -> Exists:
    """Whether the same event has a newer delivery to the same connector, in one of the statuses.

    Only a replay makes one, and of those there is an index: all deliveries need not be looked through. The CASE
    keeps connector and id from the choice of an index: PostgreSQL, before it has looked at a new table for the first
    time, takes the connector's deliveries for as few as the event's, and reads all of them for each row.
    """
    later = When(connector_id=OuterRef("connector_id"), id__gt=OuterRef("id"), then=Value(True))
    siblings = Delivery.objects.filter(event_id=OuterRef("event_id"), replay_of__isnull=False, status__in=statuses)
    return Exists(siblings.filter(Case(later, default=Value(False), output_field=BooleanField())))


def not_replayed(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Those that no other delivery replayed, and that have not arrived since by another replay of their event: of what
    failed, what still needs a look."""
    return rows.filter(~replayed(), ~newer(Status.DELIVERED))


def replayed() -> Exists:
    """Whether a delivery was replayed. A replay that was stopped, or thrown away while held, sent nothing."""
    replays = Delivery.objects.filter(replay_of=OuterRef("pk"), replay_of__isnull=False)
    return Exists(replays.exclude(status=Status.SKIPPED, cause=Cause.PAUSED))
