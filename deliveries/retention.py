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
from django.db.models import Q

from deliveries import books
from deliveries.engine.writing import write_transaction
from deliveries.ledger import GONE as ENDED
from deliveries.models import Attempt, Delivery, Event

BATCH = 200  # SQLite's only writer is taken for some ten milliseconds
PAUSE = 0.02  # seconds between batches, for the writers of traffic


def delete_old(now: datetime, *, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Delete what is past its time; returns how many events went. Stops between batches when ``goes_on`` says no."""
    before = now - timedelta(days=settings.RETENTION_DAYS)
    gone = 0
    last: tuple[datetime, int] | None = None
    while goes_on():
        found = _next(before, last)
        if not found:
            break
        last = found[-1]
        gone += _delete([event_id for _, event_id in found])
        time.sleep(PAUSE)
    return gone


def _next(before: datetime, last: tuple[datetime, int] | None) -> list[tuple[datetime, int]]:
    """When the next events came in, and their ids, oldest first. In the order of their index: by id, the end of what is
    old could only be told from reading all that is young."""
    rows = Event.objects.filter(received_at__lt=before).order_by("received_at", "id")
    if last is not None:
        moment, event_id = last
        later = Q(received_at__gt=moment) | Q(received_at=moment, id__gt=event_id)
        rows = rows.filter(later, received_at__gte=moment)
    return list(rows.values_list("received_at", "id")[:BATCH])


def _delete(event_ids: list[int]) -> int:
    """Delete those of the events of which nothing is still on its way."""
    with write_transaction():
        rows = books.entries(Delivery.objects.filter(event_id__in=event_ids))
        on_the_way = {row.event_id for row in rows if row.bucket not in ENDED}
        ended = [row for row in rows if row.event_id not in on_the_way]
        ids = [event_id for event_id in event_ids if event_id not in on_the_way]
        deliveries = [row.id for row in ended]
        books.write_off(ended)
        Attempt.objects.filter(delivery_id__in=deliveries)._raw_delete(using="default")
        Delivery.objects.filter(id__in=deliveries)._raw_delete(using="default")
        Event.objects.filter(id__in=ids)._raw_delete(using="default")
    return len(ids)
