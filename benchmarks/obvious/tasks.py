"""One django-q2 task per delivery."""

from __future__ import annotations

import requests
from django.utils import timezone

from benchmarks.obvious.models import Attempt, Delivery


def deliver(delivery_id: int) -> None:
    delivery = Delivery.objects.select_related("event", "connector").get(id=delivery_id)
    started_at = timezone.now()
    response = requests.post(delivery.connector.url, json=delivery.event.body, timeout=10)
    Attempt.objects.create(
        delivery=delivery, started_at=started_at, status=response.status_code, answer=response.text[:1000]
    )
    delivery.status = "delivered" if response.ok else "failed"
    delivery.finished_at = timezone.now()
    delivery.save()
