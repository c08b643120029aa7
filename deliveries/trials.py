"""The last test events sent from the console: the rows. What a test does is in :mod:`deliveries.preview`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from integrations import mapping
from integrations.models import Connector
from integrations.types import Json

KEPT = 5
ANSWER_CAP = 2000
CUT = " … (cut)"


class Trial(models.Model):
    """One test event and what the service said to it. What was in the event is not kept: only its name and id."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150, blank=True)
    name = models.CharField(max_length=255, blank=True)
    sent_as = models.CharField(max_length=255, blank=True)
    message_id = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10)
    headline = models.CharField(max_length=300)
    what_to_do = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    answer = models.TextField(blank=True)
    # Whether somebody saw it arrive over there; null while nobody has said. A yes of the service alone proves little.
    seen = models.BooleanField(null=True, blank=True)

    class Meta:
        app_label = "deliveries"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"


def keep(connector: Connector, payload: Mapping[str, Json], tested: Any, *, by: str) -> Trial:
    """Write a test down and forget all but the newest few of this connector."""
    kind = payload.get("type") or "track"
    name = mapping.event_name({**payload, "type": kind}) or mapping.text(kind)
    answer = tested.response or {}
    with transaction.atomic():
        trial = Trial.objects.create(
            connector=connector,
            by=by[:150],
            name=name[:255],
            sent_as=tested.preview.sent_as[:255] if tested.preview.sent_as != name else "",
            message_id=tested.message_id[:40],
            outcome=tested.outcome,
            headline=tested.words.headline[:300],
            what_to_do="" if tested.delivered else tested.words.what_to_do,
            status=answer.get("status"),
            duration_ms=tested.duration_ms,
            answer=_cut(str(answer.get("body", ""))),
        )
        old = Trial.objects.filter(connector=connector).values_list("id", flat=True)[KEPT:]
        Trial.objects.filter(id__in=list(old)).delete()
    return trial


def _cut(text: str) -> str:
    """Up to ANSWER_CAP characters, its mark included."""
    return text if len(text) <= ANSWER_CAP else f"{text[: ANSWER_CAP - len(CUT)]}{CUT}"


def last(connector: Connector) -> models.QuerySet[Trial]:
    """The newest first."""
    return Trial.objects.filter(connector=connector)[:KEPT]


def refused(connector: Connector) -> bool:
    """Whether the newest one did not arrive; what was tried by a script is not among them."""
    return last(connector).values_list("outcome", flat=True).first() not in (None, "delivered")
