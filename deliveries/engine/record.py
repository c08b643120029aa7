"""Write results down: attempts and new statuses, in bulk, in one short transaction.

Guarded by the lease: a drain whose lease ran out meanwhile changes no status, but its attempts are kept, because the
calls were made. Of an event whose person was erased while it was on its way, only that it was sent is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from random import random
from typing import Any, NamedTuple

from django.db import connection

from deliveries.core import retry
from deliveries.core.documents import clean
from deliveries.engine import erased
from deliveries.engine.claim import RETRY
from deliveries.engine.perform import Result
from deliveries.engine.writing import among_ids, insert, is_sqlite, stored_time, write_transaction
from deliveries.models import Attempt, Delivery
from integrations.types import Cause, ConnectorConfig, Disposition

ATTEMPT_COLUMNS = (
    "delivery_id, number, started_at, duration_ms, request, request_body, response, response_body, response_status, "
    "batch_size, outcome, cause, detail"
)
SKIPPING = frozenset({Cause.NOT_SUPPORTED, Cause.SWITCHED_OFF, Cause.FILTERED, Cause.ERASED})


class Outcome(NamedTuple):
    """The new state of one delivery row."""

    status: str
    cause: str
    detail: str
    attempts: int
    next_attempt_at: datetime | None
    sent_as: str
    notes: str
    lane: int


def record(results: Sequence[Result], owner: str, now: datetime, configs: Mapping[int, ConnectorConfig]) -> None:
    """Store every result's attempt and the delivery's new status. Raises django.db.Error with nothing stored."""
    outcomes = [(result, decide(result, configs.get(result.claimed.connector_id))) for result in results]
    attempts = [_attempt(result, outcome) for result, outcome in outcomes if result.call is not None]
    event_of = {result.claimed.id: result.claimed.event_id for result in results}
    with write_transaction():
        mine = _update(outcomes, owner, now) == len(outcomes)
        gone = erased.among(event_of, sure=mine)
        _insert_attempts(erased.bared(attempts, gone) if gone else attempts)
        if gone:
            erased.strip(gone, now)
        if not mine:
            _forget_lost(list(event_of))


def decide(result: Result, config: ConnectorConfig | None) -> Outcome:
    """What the result means for the row: pure but for the retry's jitter."""
    claimed = result.claimed
    if result.not_sent is not None:
        refused_for = result.not_sent.cause
        kind = "skipped" if refused_for in SKIPPING else "failed"
        return Outcome(
            kind, refused_for.value, result.not_sent.detail[:500], claimed.attempts, None, "", "", claimed.lane
        )
    assert result.verdict is not None  # noqa: S101 - a result has either
    if result.verdict.disposition is Disposition.DELIVERED:  # nearly all: spare them the retry rules
        return Outcome(
            "delivered", "", "", claimed.attempts + 1, None, result.sent_as[:255], result.notes, claimed.lane
        )
    policy = config.retry if config is not None else "standard"
    decision = retry.decide(result.verdict, claimed.attempts, result.ended_at, policy, jitter=random())  # noqa: S311 - spreads
    status: str = decision.status
    cause: Cause | None = decision.cause
    due = decision.next_attempt_at
    if status == "retrying" and config is not None and config.status == "paused":
        status, cause, due = "held", Cause.PAUSED, None
    return Outcome(
        status,
        cause.value if cause is not None else "",
        decision.detail[:500],
        claimed.attempts + 1,
        due,
        result.sent_as[:255],
        result.notes,
        RETRY if status == "retrying" else claimed.lane,
    )


def _attempt(result: Result, outcome: Outcome) -> tuple[Any, ...]:
    call, verdict = result.call, result.verdict
    assert call is not None  # noqa: S101 - the caller chose those that have one
    assert verdict is not None  # noqa: S101 - and what was called has been judged
    return (
        result.claimed.id,
        outcome.attempts,
        call.started_at,
        call.duration_ms,
        call.request,
        clean(result.request_body),
        call.response,
        call.response_body,
        call.response_status,
        call.batch_size,
        verdict.disposition.value,
        verdict.cause.value if verdict.cause else "",
        clean(verdict.detail[:500]),
    )


def _insert_attempts(rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    as_text = stored_time if is_sqlite() else datetime.isoformat  # once for all that travelled in one call
    times = {moment: as_text(moment) for moment in {row[2] for row in rows}}
    insert("deliveries_attempt", ATTEMPT_COLUMNS, [(*row[:2], times[row[2]], *row[3:]) for row in rows])


def _forget_lost(delivery_ids: list[int]) -> None:
    """A delivery that was deleted while it was being sent (practice data) leaves no try behind."""
    there = set(Delivery.objects.filter(id__in=delivery_ids).values_list("id", flat=True))
    Attempt.objects.filter(delivery_id__in=[row_id for row_id in delivery_ids if row_id not in there]).delete()


def _update(outcomes: Iterable[tuple[Result, Outcome]], owner: str, now: datetime) -> int:
    """Rows with the same new state go in one statement. Returns how many rows were still this owner's."""
    groups: dict[Outcome, list[int]] = {}
    for result, outcome in outcomes:
        groups.setdefault(outcome, []).append(result.claimed.id)
    changed = 0
    with connection.cursor() as cursor:
        for outcome, row_ids in groups.items():
            condition, keys = among_ids(row_ids)
            cursor.execute(
                "UPDATE deliveries_delivery SET status = %s, cause = %s, detail = %s, attempts = %s, "  # noqa: S608 - ours
                "next_attempt_at = %s, sent_as = %s, notes = %s, lane = %s, lease_owner = '', finished_at = %s "
                f"WHERE lease_owner = %s AND {condition}",
                [*_values(outcome, now), owner, keys],
            )
            changed += cursor.rowcount
    return changed


def _values(outcome: Outcome, now: datetime) -> tuple[Any, ...]:
    finished = now if outcome.status in ("delivered", "failed", "skipped") else None
    due = outcome.next_attempt_at
    return (
        outcome.status,
        outcome.cause,
        clean(outcome.detail),
        outcome.attempts,
        stored_time(due) if due else None,
        clean(outcome.sent_as),
        clean(outcome.notes),
        outcome.lane,
        stored_time(finished) if finished else None,
    )
