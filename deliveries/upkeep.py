"""What happens by the clock: every minute the guarantee that nothing stays stuck, every hour the housekeeping."""

from __future__ import annotations

from datetime import datetime, timedelta

from deliveries import hold, queue
from deliveries.engine.claim import due_times
from deliveries.engine.writing import checkpoint
from deliveries.models import Replay
from integrations.models import Connector


def sweep(now: datetime) -> None:
    """Every minute: resume what is to resume, hold what slipped past a pause, and wake a drain if anything is due."""
    hold.resume_due(now)
    hold.hold_strays(now)
    for replay_id in Replay.objects.filter(state__in=["preparing", "running"]).values_list("id", flat=True):
        queue.advance_replay(replay_id)
    active = list(Connector.objects.filter(status=Connector.Status.ACTIVE).values_list("id", flat=True))
    soonest = min(due_times(active).values(), default=None)
    if soonest is not None and soonest <= now + timedelta(seconds=65):
        queue.wake(now)
    checkpoint()


def hourly(now: datetime) -> None:
    hold.expire_held(now)
