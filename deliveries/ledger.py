"""The books kept: what was received for each connector and day, so that what is missing later can be told.

The columns ``gone_…`` count what retention has deleted, by how it ended, and are moved in the transaction that deletes.
What is counted from rows plus what is gone must always be what was received: that is checked every hour
(``deliveries.books``), and holds for days that are partly or wholly deleted as well.
"""

from __future__ import annotations

from django.db import models

from integrations.models import Connector


class Book(models.Model):
    """One connector's day (UTC). ``received`` is the most that a check has counted. ``missing``: received, but neither
    there nor deleted by retention. ``extra``: deliveries without their event, or a second one of the same event."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    received = models.PositiveIntegerField(default=0)
    gone_delivered = models.PositiveIntegerField(default=0)
    gone_failed = models.PositiveIntegerField(default=0)
    gone_skipped = models.PositiveIntegerField(default=0)
    gone_erased = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "deliveries"
        constraints = [models.UniqueConstraint(fields=["day", "connector"], name="book_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.received}"

    @property
    def gone(self) -> dict[str, int]:
        return {name: getattr(self, f"gone_{name}") for name in GONE}


GONE = ("delivered", "failed", "skipped", "erased")
