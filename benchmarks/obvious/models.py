"""Sources, connectors, events, deliveries and attempts, without a second thought."""

from __future__ import annotations

from django.db import models


class Source(models.Model):
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.name


class Connector(models.Model):
    name = models.CharField(max_length=100)
    url = models.URLField()
    active = models.BooleanField(default=True)
    sources = models.ManyToManyField(Source, related_name="connectors")

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    message_id = models.CharField(max_length=255)
    type = models.CharField(max_length=10)
    name = models.CharField(max_length=255, blank=True)
    user_id = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)
    body = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "message_id"], name="obvious_event_once")]

    def __str__(self) -> str:
        return self.message_id


class Delivery(models.Model):
    event = models.ForeignKey(Event, on_delete=models.CASCADE)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE)
    status = models.CharField(max_length=10, default="waiting", db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Delivery {self.pk}"


class Attempt(models.Model):
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE)
    started_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"Attempt {self.pk}"
