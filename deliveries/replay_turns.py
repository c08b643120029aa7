"""One task at a time goes on with a replay of many, however often others are asked to.

A task takes a few seconds and queues the next, which holds the same turn. The minute sweep asks for every replay that
is under way, in case a task was lost with its worker or its broker: without turns each of these would go on beside the
first, until tasks that only wait for one another filled all workers and nothing was sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from deliveries import queue, replay
from deliveries.models import Replay
from deliveries.replay_progress import RUNNING

LOST_AFTER = timedelta(seconds=60)  # a turn whose task has not been heard of for so long


def go_on(replay_id: int, now: datetime, *, holds_turn: bool) -> None:
    rows = Replay.objects.filter(pk=replay_id, state__in=RUNNING)
    free = Q() if holds_turn else Q(taken_until=None) | Q(taken_until__lt=now)
    if not rows.filter(free).update(taken_until=now + LOST_AFTER):
        return
    if replay.advance(replay_id, now):
        queue.advance_replay(replay_id, holds_turn=True)
    else:
        Replay.objects.filter(pk=replay_id).update(taken_until=None)
