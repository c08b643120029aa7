"""What is left of a delivery and its tries when their event's person is erased: that there was one, and how it ended.

Used by the erasure itself, and by whoever records a call that was under way while it happened.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from deliveries.models import Attempt, Delivery, Event, Status
from integrations.types import Cause

BARE_REQUEST = '{"method": "", "url": "", "headers": {}}'
BARE_ATTEMPT = {"request": BARE_REQUEST, "request_body": "", "response": "", "response_body": "", "detail": ""}
SHARED_ANSWER = "(The answer was also about an event whose person was erased, and is gone with it.)"
NEAR = 10_000  # the tries of one call are stored at nearly the same time: so near are their ids
STILL_TO_GO = (Status.WAITING, Status.RETRYING, Status.HELD)


def among(event_of: Mapping[int, int], *, sure: bool) -> set[int]:
    """Of deliveries (id → event id) those whose event is erased.

    Whoever erases locks the deliveries first, and so does, by updating them, whoever records: one of both sees the
    other's work. ``sure`` is whether all rows were updated; if not, they are locked here.
    """
    if not sure:
        list(Delivery.objects.filter(id__in=event_of).select_for_update().order_by("id").values_list("id"))
    ids = set(event_of.values())
    shells = Event.objects.filter(erased_at__isnull=False)
    # Nearly always there is none anywhere near, and a list of ids is dear to ask for.
    if not ids or not shells.filter(id__range=(min(ids), max(ids))).exists():
        return set()
    gone = set(shells.filter(id__in=ids).values_list("id", flat=True))
    return {delivery_id for delivery_id, event_id in event_of.items() if event_id in gone}


def bared(attempts: Sequence[tuple[Any, ...]], gone: Collection[int]) -> list[tuple[Any, ...]]:
    """Attempts on their way into the log (see ``record.ATTEMPT_COLUMNS``), those of erased events without what was sent
    and answered. One answer to a call with several events stands at each of them, so the others lose it too."""
    shared = {row[2] for row in attempts if row[0] in gone and row[9] > 1}
    return [
        (*row[:4], BARE_REQUEST, "", "", "", *row[8:12], "")
        if row[0] in gone
        else (*row[:7], SHARED_ANSWER, *row[8:])
        if row[2] in shared
        else row
        for row in attempts
    ]


def strip(delivery_ids: Collection[int], now: datetime) -> int:
    """Take the personal words out of the rows; what waits, retries or is held is not sent any more. Returns how many
    that were. What is being sent right now ends by itself."""
    rows = Delivery.objects.filter(id__in=delivery_ids)
    stopped = rows.filter(status__in=STILL_TO_GO).update(
        status=Status.SKIPPED, cause=Cause.ERASED, next_attempt_at=None, lease_owner="", finished_at=now
    )
    rows.filter(~Q(detail="") | ~Q(notes="") | ~Q(sent_as="")).update(detail="", notes="", sent_as="")
    return stopped


def strip_attempts(delivery_ids: Collection[int]) -> None:
    """Take what was sent and answered out of these deliveries' tries, and a shared answer out of its other tries."""
    strip_answers(sharing(delivery_ids))
    Attempt.objects.filter(delivery_id__in=delivery_ids).update(**BARE_ATTEMPT)


def strip_answers(attempt_ids: Collection[int]) -> None:
    Attempt.objects.filter(id__in=attempt_ids).update(response_body=SHARED_ANSWER)


def sharing(delivery_ids: Collection[int]) -> list[int]:
    """The tries at which an answer to a call with several events stands, among them one of these deliveries'."""
    own = Attempt.objects.filter(delivery_id__in=delivery_ids, batch_size__gt=1)
    shared = own.exclude(response_body__in=["", SHARED_ANSWER])
    calls = {
        started_at: (size, near) for started_at, size, near in shared.values_list("started_at", "batch_size", "id")
    }
    found: set[int] = set()
    for started_at, (size, near) in calls.items():
        for reach in (2 * size, NEAR):  # nearly always right beside each other
            rows = Attempt.objects.filter(id__gt=near - reach, id__lt=near + reach, started_at=started_at)
            tries = rows.filter(batch_size=size).values_list("id", "response_body")
            if len(tries) >= size:
                break
        found.update(row_id for row_id, body in tries if body not in ("", SHARED_ANSWER))
    return sorted(found)
