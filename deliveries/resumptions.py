"""What was held when a connector was resumed: the rows. How it is sent is in :mod:`deliveries.release`."""

from __future__ import annotations

from django.db import models

from integrations.models import Connector


class Resumption(models.Model):
    """A connector's last resumption: ``total`` were held at ``started_at`` and were to be sent, ``per_minute`` of them
    a minute where somebody chose a speed. Then they stay held until their moment comes, the next free one being
    ``next_moment``. ``ended_at`` is set when all are on their way, or when somebody stops it."""

    connector = models.OneToOneField(Connector, primary_key=True, on_delete=models.CASCADE, related_name="resumption")
    by = models.CharField(max_length=150)
    total = models.PositiveIntegerField()
    per_minute = models.PositiveIntegerField(null=True, blank=True)
    next_moment = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "deliveries"

    def __str__(self) -> str:
        return f"Resumption of connector {self.connector_id}"
