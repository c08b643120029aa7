"""What happens by the clock: every minute the guarantee that nothing stays stuck, every hour the housekeeping."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from deliveries import alerts, books, erase, hold, problems, queue, recipients, release, retention, tally
from deliveries.engine.claim import due_times
from deliveries.engine.writing import checkpoint
from deliveries.lifeline import stopping
from deliveries.models import Replay
from integrations import rolling
from integrations.models import Connector

RETIRE_SECONDS = 30  # well within a task's time
BOOKS_SECONDS = 20


def sweep(now: datetime) -> None:
    """Every minute: resume what is to resume, hold what slipped past a pause, and wake a drain if anything is due."""
    hold.resume_due(now)
    hold.hold_strays(now)
    release.advance_all(now)
    for replay_id in Replay.objects.filter(state__in=["preparing", "running"]).values_list("id", flat=True):
        queue.advance_replay(replay_id)
    if erase.due(now):
        queue.erase()
    active = list(Connector.objects.filter(status=Connector.Status.ACTIVE).values_list("id", flat=True))
    soonest = min(due_times(active).values(), default=None)
    if soonest is not None and soonest <= now + timedelta(seconds=65):
        queue.wake(now)
    checkpoint(60)
    problems.check(now, alerts.tell)  # last: a mail server that does not answer delays nothing else


def hourly(now: datetime) -> None:
    """Every hour: the books are checked, and what is held too long or kept long enough goes. A task has its time; what
    is not checked then is first in the next hour."""
    hold.expire_held(now)
    rolling.forget_ended(now)
    recipients.forget_ended(now)
    tally.refresh(now)
    started = time.monotonic()
    books.check(now, goes_on=lambda: time.monotonic() < started + BOOKS_SECONDS and not stopping())
    retire(now)


def retire(now: datetime) -> None:
    """Delete what is past its time, for as long as a task may take; the next one goes on at once. So as much can go as
    comes in."""
    ends = time.monotonic() + RETIRE_SECONDS
    retention.delete_old(now, goes_on=lambda: time.monotonic() < ends and not stopping())
    if time.monotonic() >= ends:
        queue.retire()
