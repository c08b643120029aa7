"""How far a replay of many is. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count

from deliveries.core.reasons import REASONS
from deliveries.core.skipped_words import REPLAY_STOPPED
from deliveries.models import Delivery, Replay, Status
from integrations.types import Cause

EQUAL_FAILURES = 20
RUNNING = (Replay.State.PREPARING, Replay.State.RUNNING)


def progress(replay: Replay) -> dict[str, Any]:
    """How far it is: the job's own columns, ``state`` as of now, and how many of its deliveries are in which status."""
    return _progress(replay, counts_of(replay.pk))


def progress_of(replays: Iterable[Replay]) -> list[dict[str, Any]]:
    """The same of several, in one query for all of them."""
    jobs = list(replays)
    rows = Delivery.objects.filter(replay__isnull=False, replay_id__in=[job.pk for job in jobs]).order_by()
    counts: dict[int, dict[str, int]] = {job.pk: {} for job in jobs}
    for row in rows.values("replay_id", "status").annotate(count=Count("id")):
        counts[row["replay_id"]][row["status"]] = row["count"]
    return [_progress(job, counts[job.pk]) for job in jobs]


def _progress(replay: Replay, counts: dict[str, int]) -> dict[str, Any]:
    state = replay.state
    if state in RUNNING and all_made(replay) and not unfinished(counts):
        state = Replay.State.DONE
    return {
        "id": replay.pk,
        "state": str(state),
        "filters": replay.filters,
        "as_sent": replay.as_sent,
        "include_delivered": replay.include_delivered,
        "per_minute": replay.per_minute,
        "seconds": _seconds_left(replay, counts) if state in RUNNING else None,
        "total": replay.total,
        "made": replay.made,
        **{status.value: counts.get(status.value, 0) for status in Status},
        "created_by": replay.created_by,
        "created_at": replay.created_at,
        "finished_at": replay.finished_at,
        "stop_reason": replay.stop_reason,
    }


def _seconds_left(replay: Replay, counts: dict[str, int]) -> float | None:
    """With a speed: how long it still takes at that."""
    if not replay.per_minute:
        return None
    return max(0, replay.total - sum(counts.values()) + unfinished(counts)) * 60 / replay.per_minute


def counts_of(replay_id: int) -> dict[str, int]:
    rows = Delivery.objects.filter(replay_id=replay_id).order_by().values("status").annotate(count=Count("id"))
    return {row["status"]: row["count"] for row in rows}


def unfinished(counts: dict[str, int]) -> int:
    ended = (Status.DELIVERED, Status.FAILED, Status.SKIPPED)
    return sum(count for status, count in counts.items() if status not in ended)


def cut_short(replay_id: int) -> int:
    """How many of its deliveries were made and then left out by its stop."""
    skipped = Delivery.objects.filter(replay_id=replay_id, status=Status.SKIPPED, cause=Cause.PAUSED)
    return skipped.filter(detail__startswith=REPLAY_STOPPED).count()


def all_made(replay: Replay) -> bool:
    return replay.last_id >= replay.up_to_id


def equal_failures(replay_id: int) -> str:
    """Why the job must stop: its last 20 ended deliveries failed for one cause. "" when it need not."""
    ended = Delivery.objects.filter(
        replay_id=replay_id, status__in=[Status.DELIVERED, Status.FAILED, Status.SKIPPED], finished_at__isnull=False
    )
    last = list(ended.order_by("-finished_at", "-id").values_list("status", "cause")[:EQUAL_FAILURES])
    if len(last) < EQUAL_FAILURES or len(set(last)) > 1 or last[0][0] != Status.FAILED:
        return ""
    reason = REASONS.get(last[0][1], last[0][1]).lower()
    return f"Stopped by itself: {EQUAL_FAILURES} deliveries in a row failed for the same reason ({reason})."
