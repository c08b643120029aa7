"""Connectors that keep failing rest: probes go out one at a time, and what waits keeps its tries.

State shared by the drains of all workers, in one :class:`~deliveries.models.Lane` row per connector that has any. Also
the speed limit: drains reserve their moments by moving ``next_slot_at``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from deliveries.core.cause_words import STOPPED_FOR_KEY
from deliveries.core.problem_words import WARNED_FOR
from deliveries.engine.perform import Result
from deliveries.engine.writing import write_transaction
from deliveries.models import Lane, Pump
from integrations.models import Connector
from integrations.types import Cause, Disposition, Verdict

RESTS_AFTER = 5  # failed calls in a row that were the service's fault
KEY_REFUSALS_TO_STOP = 20
STOP_PROBE_GAP = timedelta(seconds=3)  # of a connector that is about to be stopped: nothing more than need be fails
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


def may_probe(connector_ids: Iterable[int], now: datetime) -> set[int]:
    """Take the right to send the next probe of each; only one drain gets it. Returns for which this one got it."""
    wanted = list(connector_ids)
    if not wanted:
        return set()
    free = Q(next_probe_at__isnull=True) | Q(next_probe_at__lte=now)
    rows = Lane.objects.filter(free, connector_id__in=wanted, resting_since__isnull=False)
    if not rows.exists():  # nearly always: spare everybody a write
        return set()
    with write_transaction():
        taken = list(rows.select_for_update(skip_locked=True).values_list("connector_id", flat=True))
        Lane.objects.filter(connector_id__in=taken).update(next_probe_at=now + PROBE_TAKES_AT_MOST)
    return set(taken)


def give_probes_back(connector_ids: Iterable[int], now: datetime) -> None:
    """These probes found nothing due."""
    unused = list(connector_ids)
    if unused:
        with write_transaction():
            rows = Lane.objects.filter(connector_id__in=unused, resting_since__isnull=False)
            rows.update(next_probe_at=now + PROBE_GAP)


def is_fault(verdict: Verdict | None) -> bool:
    """Whether the service, and not the event or the settings, is to blame."""
    return verdict is not None and verdict.disposition is Disposition.RETRY and verdict.cause in SERVICE_FAULTS


class Noted(NamedTuple):
    """Connectors that are about to be stopped from now on, those that must be stopped, with the reason, and those whose
    key was refused."""

    warned: set[int]
    stopped: dict[int, str]
    refused: set[int]


def note(results: Mapping[int, Sequence[Result]], now: datetime) -> Noted:
    """Count what each connector's results say of its service.

    One read for all, and one write for all where something changed, however many connectors are sick: each write of
    its own would keep the drain from serving the healthy ones.
    """
    rows = {row.connector_id: row for row in Lane.objects.filter(connector_id__in=list(results))}
    noted = Noted(set(), {}, set())
    changed: list[Lane] = []
    for connector_id, own in sorted(results.items()):
        row = rows.get(connector_id) or Lane(connector_id=connector_id)
        reason = _count(row, own, now, changed)
        if reason and row.stops_at == now + WARNED_FOR:
            noted.warned.add(connector_id)
        elif reason:
            noted.stopped[connector_id] = reason[:300]
        if row.key_refusals:
            noted.refused.add(connector_id)
    _save(changed, set(rows))
    return noted


def _count(row: Lane, results: Sequence[Result], now: datetime, changed: list[Lane]) -> str:
    """Why the connector is to be stopped: warned of with this very note, or now.

    410 Gone stops it at once: the service itself says that nothing more may come (Standard Webhooks).
    """
    before = (row.failures, row.key_refusals, row.stops_at)
    reason = ""
    answered = gone = False
    for verdict in (result.verdict for result in results):
        if verdict is None:
            continue
        if is_fault(verdict):
            row.failures += 1
            continue
        answered = True
        row.failures = 0
        row.key_refusals = row.key_refusals + 1 if verdict.disposition is Disposition.REAUTH else 0
        reason = ""
        if verdict.disposition is Disposition.STOP:
            reason, gone = verdict.detail, True
            break
        if row.key_refusals >= KEY_REFUSALS_TO_STOP:
            reason = f"{STOPPED_FOR_KEY} {row.key_refusals} times in a row: {verdict.detail or 'no reason given'}"
    due = gone or (bool(reason) and row.stops_at is not None and now >= row.stops_at)
    if reason and not due and row.stops_at is None:
        row.stops_at = now + WARNED_FOR
    elif reason and not due:
        reason = ""
    elif due or answered:
        row.stops_at = None
    rests = row.resting_since is not None
    if (row.failures, row.key_refusals, row.stops_at) != before or (rests and (answered or row.failures)):
        _set_rest(row, now)
        if due:
            row.key_refusals = 0
        changed.append(row)
    return reason


def _set_rest(row: Lane, now: datetime) -> None:
    row.next_probe_at = None
    if row.stops_at is not None:
        row.resting_since = row.resting_since or now
        row.next_probe_at = now + STOP_PROBE_GAP
    elif row.failures >= RESTS_AFTER:
        row.resting_since = row.resting_since or now
        gap = PROBE_GAP if now - row.resting_since < timedelta(minutes=1) else LATER_PROBE_GAP
        row.next_probe_at = now + gap
    elif row.failures == 0:
        row.resting_since = None


def _save(changed: list[Lane], known: set[int]) -> None:
    new = [row.connector_id for row in changed if row.connector_id not in known]
    if new:  # a connector that was removed meanwhile has nothing to remember
        there = known | set(Connector.objects.filter(id__in=new).values_list("id", flat=True))
        changed = [row for row in changed if row.connector_id in there]
    if changed:
        fields = ["failures", "key_refusals", "resting_since", "next_probe_at", "stops_at"]
        with write_transaction():
            Lane.objects.bulk_create(changed, update_conflicts=True, unique_fields=["connector"], update_fields=fields)


def may_serve(connector_id: int, owner: str, now: datetime) -> bool:
    """For a connector with a limit of calls at once: whether this drain is the one that serves it. It stays so for as
    long as it asks again within HOLD."""
    Lane.objects.get_or_create(connector_id=connector_id)
    free = Q(holder=owner) | Q(held_until__isnull=True) | Q(held_until__lt=now)
    with write_transaction():
        rows = Lane.objects.filter(free, connector_id=connector_id)
        return bool(rows.update(holder=owner, held_until=now + HOLD))


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
