"""Erasures of people: the rows. What an erasure reaches and how it goes on is in :mod:`deliveries.erase`."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.models import Source
from integrations.secrets import EncryptedJSONField


class Erasure(models.Model):
    """One person's erasure: asked for by a person, or by a ``delete`` event (``event_id``) of a source that says so.

    ``people`` holds the ids while it runs, encrypted, and nothing once it is done: ``users``, ``anonymous``, and
    ``spared``, the anonymous ids that were left out on purpose. It reaches what was received until ``asked_at``, of
    ``source`` only where that is set. ``events`` and ``stopped`` (deliveries that were still to be sent) count.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"

    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    people = EncryptedJSONField(blank=True, default=dict)
    # With the source goes the erasure: without it, it would suddenly reach every source.
    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    event_id = models.BigIntegerField(null=True, blank=True)
    by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    next_look_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    events = models.PositiveIntegerField(default=0)
    stopped = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "deliveries"
        ordering = ["-id"]
        permissions = [("erase_person", "Can erase a person")]
        indexes = [models.Index(fields=["next_look_at"], condition=Q(state="running"), name="erasure_running")]
        constraints = [models.CheckConstraint(condition=Q(state__in=["running", "done"]), name="erasure_state_known")]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"
