"""Replay: send an event to its connector again, one or many, with today's settings or exactly as it was sent.

A replay is a new delivery of the same event, linked to the old one; the old one stays as it is. A replay of many is a
job (:class:`~deliveries.models.Replay`) that walks the matching deliveries by id. ``last_id`` is how far it is, moved
in the transaction that makes the deliveries: after a crash it goes on exactly where it was. A job starts slowly and
lets as many be under way as have come to an end, so that it can stop in time when they all fail alike. With a speed
each delivery gets its moment (see ``deliveries.pace``): those of the next two minutes are made, more by the next sweep.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from deliveries import backfill, hold, log, pace
from deliveries.core.skipped_words import REPLAY_STOPPED
from deliveries.engine.writing import write_transaction
from deliveries.models import Delivery, Replay, Status
from deliveries.replay_plan import PAST_IDENTIFIES, candidates, preview, total, walk, wanted_statuses
from deliveries.replay_progress import RUNNING, all_made, counts_of, equal_failures, progress, progress_of, unfinished
from integrations.models import Connector
from integrations.types import Cause

__all__ = [
    "NotReplayable",
    "advance",
    "most_of",
    "preview",
    "progress",
    "progress_of",
    "replay_one",
    "start",
    "start_past_identifies",
    "stop",
]
BATCH = 500
FIRST_FEW = 20  # under way at the start; then as many as have ended
MOST_UNDER_WAY = 5000
PATIENCE = 2.0  # seconds without any news of the job: then the minute sweep continues it
BUDGET = 5.0  # seconds of one task; the next one queues behind what else waits for a worker, such as alerts
LIVE, MANY = 0, 1


class NotReplayable(Exception):
    """This delivery can't be replayed now; the text says why."""


def replay_one(delivery: Delivery, *, by: str, as_sent: bool = False) -> Delivery:
    """A new delivery of the same event: waiting, held or skipped, as the connector's status says.

    Raises NotReplayable while the old one is still going to be sent, where its event was erased, and for ``as_sent``
    where nothing ever was.
    """
    if delivery.status not in (Status.DELIVERED, Status.FAILED, Status.SKIPPED):
        raise NotReplayable(f"This delivery is {delivery.status}: it is still going to be sent by itself.")
    if as_sent and not delivery.attempts:
        raise NotReplayable("Nothing was sent for this delivery, so it can't be sent again exactly as it was.")
    if delivery.event.erased_at is not None:
        raise NotReplayable("The person this event belongs to was erased, so there is nothing left to send.")
    now = timezone.now()
    with write_transaction():
        status, cause, detail = _first_status(Connector.objects.get(pk=delivery.connector_id))
        new = Delivery.objects.create(
            **_first_values(status, now),
            event_id=delivery.event_id,
            connector_id=delivery.connector_id,
            cause=cause,
            detail=detail,
            lane=LIVE,
            replay_of=delivery,
            as_sent=as_sent,
            replayed_by=by[:150],
        )
        _wake()
    return new


def start(
    filters: log.Filters,
    *,
    by: str,
    as_sent: bool = False,
    include_delivered: bool = False,
    per_minute: int | str | None = None,
) -> Replay:
    """A job for the deliveries that match now, all of it at ``per_minute`` where that is given.

    Raises ValueError for bad filters, and for a speed that is none or beyond what their connector allows."""
    filters = log.clean(filters)
    if "connector" in filters:  # by id: it may be renamed while the job runs
        filters["connector"] = str(log.named(Connector, filters["connector"], "connector"))
    wanted_statuses(filters, include_delivered)
    speed = pace.parse(per_minute, *most_of(filters))
    return _start(filters, by=by, as_sent=as_sent, include_delivered=include_delivered, per_minute=speed)


def most_of(filters: log.Filters) -> tuple[int | None, str]:
    """How many events a minute the one connector that the filters name allows, and its name. Of several each keeps its
    own limit while it is sent to, so there is none for all of them together."""
    if not filters.get("connector"):
        return None, ""
    connector = Connector.objects.get(pk=log.named(Connector, filters["connector"], "connector"))
    return pace.most_of(connector), connector.name


def start_past_identifies(connector: Connector, *, by: str) -> Replay:
    """A job that sends every person's newest identify event again: for a changed channel or preference mapping."""
    return _start(
        {"connector": str(connector.pk), PAST_IDENTIFIES: "newest"}, by=by, as_sent=False, include_delivered=True
    )


def _start(
    filters: log.Filters, *, by: str, as_sent: bool, include_delivered: bool, per_minute: int | None = None
) -> Replay:
    rows = candidates(filters, as_sent=as_sent, include_delivered=include_delivered)
    newest = Delivery.objects.order_by("-id").values_list("id", flat=True).first() or 0
    replay = Replay.objects.create(
        filters=filters,
        as_sent=as_sent,
        include_delivered=include_delivered,
        total=total(rows),
        up_to_id=newest,
        created_by=by[:150],
        per_minute=per_minute,
    )
    _queue(replay.pk)
    return replay


def advance(replay_id: int, now: datetime, patience: float = PATIENCE) -> bool:
    """Make the job's deliveries until they are all made, its speed allows no more, nothing ends any more for
    ``patience`` seconds, or it stops.

    Returns whether to go on at once. Safe to run at any time and twice at once: the row's lock keeps runs apart.
    """
    _catch_up(replay_id)
    ends = time.monotonic() + BUDGET
    ended_before, last_news = -1, time.monotonic()
    more = True
    while time.monotonic() < ends:
        counts = counts_of(replay_id)
        room, ended = _room(counts)
        if ended != ended_before:
            ended_before, last_news = ended, time.monotonic()
            if reason := equal_failures(replay_id):
                _stop(replay_id, reason)
                return False
        if more and room > 0:
            more, full = _make(replay_id, min(room, BATCH))
            if full:  # no worker waits for minutes: the sweep continues it
                return False
        elif not more and not unfinished(counts):
            _finish(replay_id, now)
            return False
        elif time.monotonic() - last_news >= patience:
            return False
        else:
            time.sleep(0.1)
    return True


def stop(replay: Replay, *, by: str) -> None:
    """End the job: what it made and is not sent yet is skipped. What is being sent is finished."""
    _stop(replay.pk, f"Stopped by {by}.")
    replay.refresh_from_db()


def _catch_up(replay_id: int) -> None:
    """What could not be sent at its moment gets a new one: a speed is never made up for by a burst."""
    with write_transaction():
        rows = Replay.objects.select_for_update().filter(state__in=RUNNING, per_minute__isnull=False)
        if (replay := rows.filter(pk=replay_id).first()) and replay.per_minute:
            waiting = Delivery.objects.filter(replay=replay, status=Status.WAITING)
            replay.next_moment = pace.catch_up(waiting, replay.per_minute, replay.next_moment, timezone.now())
            replay.save(update_fields=["next_moment"])


def _make(replay_id: int, limit: int) -> tuple[bool, bool]:
    """Make up to ``limit`` deliveries. Returns whether there may be more to make, and whether its speed allows no more
    for now."""
    with write_transaction():
        replay = Replay.objects.select_for_update().get(pk=replay_id)
        if replay.state not in RUNNING or all_made(replay):
            return False, False
        free = _free(replay)
        if free == 0:
            return True, True
        limit = min(limit, free or limit)
        walked = walk(replay, limit)
        made = _make_from(replay, walked)
        replay.last_id = walked[-1][0] if len(walked) == limit else replay.up_to_id
        replay.made += made
        replay.state = Replay.State.RUNNING
        replay.save(update_fields=["last_id", "made", "state", "next_moment"])
        if made:
            _wake()
    return not all_made(replay), not all_made(replay) and _free(replay) == 0


def _free(replay: Replay) -> int | None:
    """How many more its speed allows now; None without one."""
    return pace.room(replay.per_minute, replay.next_moment, timezone.now()) if replay.per_minute else None


def _make_from(replay: Replay, walked: list[backfill.Walked]) -> int:
    """The new deliveries of one batch: one for each event and connector, whatever the job has made already."""
    events = {event_id for _, _, event_id, _ in walked}
    made = set(Delivery.objects.filter(replay=replay, event_id__in=events).values_list("event_id", "connector_id"))
    connectors = Connector.objects.in_bulk({connector_id for _, _, _, connector_id in walked})
    now = timezone.now()
    new = []
    for _, original, event_id, connector_id in walked:
        if (event_id, connector_id) in made:
            continue
        made.add((event_id, connector_id))
        status, cause, detail = _first_status(connectors[connector_id])
        new.append(
            Delivery(
                **_first_values(status, now),
                event_id=event_id,
                connector_id=connector_id,
                cause=cause,
                detail=detail,
                lane=MANY,
                replay_of_id=original,
                replay=replay,
                as_sent=replay.as_sent,
            )
        )
    if replay.per_minute:
        *planned, replay.next_moment = pace.moments(len(new), replay.per_minute, replay.next_moment, now)
        for row, moment in zip(new, planned, strict=True):
            row.next_attempt_at = moment if row.status == Status.WAITING else None
    Delivery.objects.bulk_create(new)
    return len(new)


def _first_status(connector: Connector) -> tuple[str, str, str]:
    """Status, cause and detail of a new delivery to this connector."""
    if connector.archived_at is not None or connector.status == Connector.Status.OFF:
        return Status.SKIPPED, Cause.SWITCHED_OFF, "The connector was switched off when this was replayed."
    if connector.status == Connector.Status.PAUSED:
        return Status.HELD, Cause.PAUSED, ""
    return Status.WAITING, "", ""


def _first_values(status: str, now: datetime) -> dict[str, Any]:
    return {
        "status": status,
        "created_at": now,
        "next_attempt_at": now if status == Status.WAITING else None,
        "finished_at": now if status == Status.SKIPPED else None,
    }


def _room(counts: dict[str, int]) -> tuple[int, int]:
    """How many more may be made now, and how many have come to an answer or a halt (held, retrying) so far."""
    under_way = counts.get(Status.WAITING, 0) + counts.get(Status.SENDING, 0)
    ended = sum(counts.values()) - under_way
    return min(max(FIRST_FEW, ended), MOST_UNDER_WAY) - under_way, ended


def _finish(replay_id: int, now: datetime) -> None:
    """Mark the job as done once all it made has ended."""
    with write_transaction():
        replay = Replay.objects.select_for_update().get(pk=replay_id)
        if replay.state not in RUNNING or not all_made(replay) or unfinished(counts_of(replay_id)):
            return
        last = Delivery.objects.filter(replay_id=replay_id).aggregate(last=Max("finished_at"))["last"]
        replay.state = Replay.State.DONE
        replay.finished_at = last or now
        replay.total = replay.made  # what matched may have got there by itself since it was counted
        replay.save(update_fields=["state", "finished_at", "total"])


def _stop(replay_id: int, reason: str) -> None:
    changed = Replay.objects.filter(pk=replay_id, state__in=RUNNING).update(
        state=Replay.State.STOPPED, stop_reason=reason[:300], finished_at=timezone.now()
    )
    if changed:
        rows = Delivery.objects.filter(replay_id=replay_id, status__in=[Status.WAITING, Status.RETRYING, Status.HELD])
        hold.skip(rows, Cause.PAUSED, f"{REPLAY_STOPPED} {reason}")


def _wake() -> None:
    from deliveries import queue

    transaction.on_commit(queue.wake)


def _queue(replay_id: int) -> None:
    from deliveries import queue

    transaction.on_commit(lambda: queue.advance_replay(replay_id))
