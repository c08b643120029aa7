"""How long things are kept. Deleted in small batches with pauses, so that nobody who writes waits for it.

Past RETENTION_DAYS an event goes with its deliveries and their attempts, unless one of them is still on its way.
What goes is first written off in the books (``deliveries.books``), in the same transaction, so that they balance for
days of which some, or all, is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from deliveries import books
from deliveries.engine.writing import write_transaction
from deliveries.models import Attempt, Delivery, Event, Status

BATCH = 500
PAUSE = 0.02  # seconds between batches, for the writers of traffic
ENDED = (Status.DELIVERED, Status.FAILED, Status.SKIPPED)


def delete_old(now: datetime, *, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is past its time; returns how many events went. Stops between batches when ``goes_on`` says no."""
    before = now - timedelta(days=settings.RETENTION_DAYS)
    gone = 0
    last_id = 0
    while goes_on():
        old = Event.objects.filter(received_at__lt=before, id__gt=last_id).order_by("id")
        ids = list(old.values_list("id", flat=True)[:BATCH])
        if not ids:
            break
        last_id = ids[-1]
        gone += _delete(ids)
        time.sleep(PAUSE)
    return gone


def _delete(event_ids: list[int]) -> int:
    """Delete those of the events of which nothing is still on its way."""
    with write_transaction():
        deliveries = Delivery.objects.filter(event_id__in=event_ids)
        on_the_way = set(deliveries.exclude(status__in=ENDED).values_list("event_id", flat=True))
        ids = [event_id for event_id in event_ids if event_id not in on_the_way]
        ended = list(Delivery.objects.filter(event_id__in=ids).values_list("id", flat=True))
        books.write_off(ids)
        Attempt.objects.filter(delivery_id__in=ended)._raw_delete(using="default")
        Delivery.objects.filter(id__in=ended)._raw_delete(using="default")
        Event.objects.filter(id__in=ids)._raw_delete(using="default")
    return len(ids)
