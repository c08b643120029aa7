"""Connectors that keep failing rest: probes go out one at a time, and what waits keeps its tries.

State shared by the drains of all workers, in one :class:`~deliveries.models.Lane` row per connector that has any. Also
the speed limit: drains reserve their moments by moving ``next_slot_at``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from deliveries.engine.perform import Result
from deliveries.engine.writing import write_transaction
from deliveries.models import Lane, Pump
from integrations.models import Connector
from integrations.types import Cause, Disposition

RESTS_AFTER = 5  # failed calls in a row that were the service's fault
KEY_REFUSALS_TO_STOP = 20
PROBE_GAP = timedelta(seconds=1)
LATER_PROBE_GAP = timedelta(seconds=4)  # below the five seconds within which a due retry starts
PROBE_TAKES_AT_MOST = timedelta(seconds=20)  # then its drain is dead and another may probe
HOLD = timedelta(seconds=30)
LINGERS_FOR = timedelta(seconds=5)  # without a word, then it is dead
SERVICE_FAULTS = frozenset({Cause.TIMEOUT, Cause.UNREACHABLE, Cause.TLS, Cause.SERVICE_ERROR})


def resting(connector_ids: Iterable[int]) -> set[int]:
    """Which of the connectors rest."""
    return set(
        Lane.objects.filter(connector_id__in=list(connector_ids), resting_since__isnull=False).values_list(
            "connector_id", flat=True
        )
    )


def may_probe(connector_id: int, now: datetime) -> bool:
    """Take the right to send the next probe; only one drain gets it."""
    free = Q(next_probe_at__isnull=True) | Q(next_probe_at__lte=now)
    rows = Lane.objects.filter(free, connector_id=connector_id, resting_since__isnull=False)
    return bool(rows.update(next_probe_at=now + PROBE_TAKES_AT_MOST))


def give_probe_back(connector_id: int, now: datetime) -> None:
    """The probe found nothing due."""
    Lane.objects.filter(connector_id=connector_id, resting_since__isnull=False).update(next_probe_at=now + PROBE_GAP)


def note(connector_id: int, results: Sequence[Result], now: datetime) -> str:
    """Count what the results say of the service. Returns why the connector must be stopped, or "".

    Writes only where something changed, so that a healthy connector costs one read.
    """
    row = Lane.objects.filter(connector_id=connector_id).first()
    before = (row.failures, row.key_refusals) if row else (0, 0)
    failures, refusals = before
    reason = ""
    answered = False
    for verdict in (result.verdict for result in results):
        if verdict is None:
            continue
        if verdict.disposition is Disposition.RETRY and verdict.cause in SERVICE_FAULTS:
            failures += 1
            continue
        answered = True
        failures = 0
        refusals = refusals + 1 if verdict.disposition is Disposition.REAUTH else 0
        if verdict.disposition is Disposition.STOP:
            reason = verdict.detail
        elif refusals >= KEY_REFUSALS_TO_STOP:
            reason = f"The key was refused {refusals} times in a row: {verdict.detail or 'no reason given'}"
    rests = row is not None and row.resting_since is not None
    if (failures, refusals) != before or (rests and (answered or failures)):
        _save(connector_id, failures, 0 if reason else refusals, row, now)
    return reason[:300]


def _save(connector_id: int, failures: int, refusals: int, row: Lane | None, now: datetime) -> None:
    since = row.resting_since if row else None
    probe = None
    if failures >= RESTS_AFTER:
        since = since or now
        probe = now + (PROBE_GAP if now - since < timedelta(minutes=1) else LATER_PROBE_GAP)
    elif failures == 0:
        since = None
    values = {"failures": failures, "key_refusals": refusals, "resting_since": since, "next_probe_at": probe}
    if row is None:
        if not Connector.objects.filter(id=connector_id).exists():
            return  # removed meanwhile (practice data)
        Lane.objects.update_or_create(connector_id=connector_id, defaults=values)
    else:
        Lane.objects.filter(connector_id=connector_id).update(**values)


def may_serve(connector_id: int, owner: str, now: datetime) -> bool:
    """For a connector with a limit of calls at once: whether this drain is the one that serves it. It stays so for as
    long as it asks again within HOLD."""
    Lane.objects.get_or_create(connector_id=connector_id)
    free = Q(holder=owner) | Q(held_until__isnull=True) | Q(held_until__lt=now)
    return bool(Lane.objects.filter(free, connector_id=connector_id).update(holder=owner, held_until=now + HOLD))


def may_linger(owner: str, now: datetime) -> bool:
    """Whether this drain is the one that stays to wait for retries that are due soon; the others end."""
    free = Q(linger_owner=owner) | Q(linger_until__isnull=True) | Q(linger_until__lt=now)
    return bool(Pump.objects.filter(free, id=1).update(linger_owner=owner, linger_until=now + LINGERS_FOR))


def leave(owner: str) -> None:
    """The drain ends: what it alone served or waited for is free for others."""
    Lane.objects.filter(holder=owner).update(holder="", held_until=None)
    Pump.objects.filter(id=1, linger_owner=owner).update(linger_owner="", linger_until=None)


def free_slots(connector_id: int, rate: float, now: datetime) -> int:
    """How many calls the speed limit leaves for the next second: at least one as soon as the next moment has come."""
    row = Lane.objects.filter(connector_id=connector_id).first()
    start = max(now, row.next_slot_at) if row and row.next_slot_at else now
    if start > now:
        return 0
    return max(1, int(rate))


def reserve(connector_id: int, rate: float, calls: int, now: datetime) -> datetime:
    """Reserve ``calls`` moments; returns the first. The next ones follow 1/rate seconds apart."""
    with write_transaction():
        Lane.objects.get_or_create(connector_id=connector_id)
        row = Lane.objects.select_for_update().get(connector_id=connector_id)
        start = max(now, row.next_slot_at) if row.next_slot_at else now
        row.next_slot_at = start + timedelta(seconds=calls / rate)
        row.save(update_fields=["next_slot_at"])
    return start
