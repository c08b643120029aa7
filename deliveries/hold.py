"""Pausing, resuming and switching off a connector, and what that means for what waits.

Paused: new deliveries are held, and so are those that wait or retry; a held delivery uses no tries. What is being sent
is finished. Off: nothing is kept, what waits is skipped. ``by`` is who did it, in words for the page.

The connector's new status is saved first, so that no new work is made under the old one; then its rows follow in
batches of their own transactions, so that workers never wait long for a lock. Whatever slips through between the two is
found by :func:`hold_strays`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from deliveries import pace, release
from deliveries.core.skipped_words import HELD_TOO_LONG, NOT_THE_NEWEST, THROWN_AWAY
from deliveries.engine.writing import write_transaction
from deliveries.log import OPEN, UNUSUAL, Among, BadValue
from deliveries.models import Delivery, Lane, Status
from integrations.models import Connector
from integrations.numbers import thousands
from integrations.templatetags.console import per_second
from integrations.types import Cause

SERVER = "Signalbox"
BACKLOGS = ("send", "discard", "keep", "newest", "older")
BATCH = 1000


class NotPossible(Exception):
    """The connector's status does not allow it; the text says why."""


def pause(connector: Connector, *, by: str, reason: str = "", resume_at: datetime | None = None) -> int:
    """Keep everything from now on. Returns how many waiting deliveries are held now.

    Raises NotPossible for a connector that is off or archived: it has nothing to keep.
    """
    if connector.status == Connector.Status.OFF or connector.archived_at is not None:
        raise NotPossible(f"{connector.name} is switched off, so there is nothing to pause.")
    _save(connector, Connector.Status.PAUSED, by=by, reason=reason, resume_at=resume_at)
    release.end(connector, timezone.now())
    return _hold(_waiting(connector))


def stop(connector: Connector, *, reason: str, announce: Callable[[], None]) -> int:
    """The server itself pauses an active connector, for example because its key was refused again and again.

    ``announce`` opens the problem that says so: before the connector is stopped and in the same transaction, so that
    there is none that nobody hears of.
    """
    if connector.status != Connector.Status.ACTIVE or connector.archived_at is not None:
        return 0
    with write_transaction():
        announce()
        _save(connector, Connector.Status.PAUSED, by=SERVER, reason=reason)
    release.end(connector, timezone.now())
    return _hold(_waiting(connector))


def resume(
    connector: Connector,
    *,
    by: str,
    backlog: str = "send",
    per_minute: int | str | None = None,
    older_than_hours: int | None = None,
) -> dict[str, int]:
    """Send again, and decide on what is held; also for a connector that was resumed before and kept its backlog.

    ``backlog``: ``send`` them all, oldest first; ``discard`` them; ``keep`` them held; ``newest`` sends only the newest
    of each person and discards the others; ``older`` discards those that came in more than ``older_than_hours`` ago and
    sends the others. They go at ``per_minute``, or as fast as the connector takes them. Returns how many were released
    (with a speed: are being released) and discarded.
    Raises NotPossible for a connector that is off, ValueError for an unknown choice or speed.
    """
    if backlog not in BACKLOGS:
        raise BadValue(f"backlog: “{str(backlog)[:50]}” is not one of {', '.join(BACKLOGS)}.")
    if backlog == "older" and not older_than_hours:
        raise BadValue("older_than_hours: say how old they may be at most, in hours.")
    speed = pace.parse(per_minute, pace.most_of(connector), connector.name)
    if connector.status == Connector.Status.OFF or connector.archived_at is not None:
        raise NotPossible(f"{connector.name} is switched off. Switch it on first.")
    now = timezone.now()
    _hold(release.end(connector, now))  # of an earlier choice: this one is about all that is still here
    if connector.status == Connector.Status.PAUSED:
        _activate(connector, by=by)
    held = release.held_of(connector.pk)
    counts = {"released": 0, "discarded": _discard(held, backlog, older_than_hours or 0, by=by, now=now)}
    if backlog in ("send", "newest", "older"):
        counts["released"] = release.begin(connector, by=by, per_minute=speed, now=now)
        if not speed:
            counts["released"] = _release(held, now)
    _wake()
    return counts


def _discard(held: QuerySet[Delivery], backlog: str, hours: int, *, by: str, now: datetime) -> int:
    """Skip what the choice throws away; returns how many that were."""
    if backlog == "discard":
        return skip(held, Cause.PAUSED, f"{THROWN_AWAY} {by} when the connector was resumed.")
    if backlog == "newest":
        detail = f"{NOT_THE_NEWEST} {by}: of what was held, only the newest event of each person was sent."
        return _skip_older(held, detail)
    if backlog == "older":
        detail = f"{THROWN_AWAY} {by} when the connector was resumed: it was more than {age(hours)} old."
        return skip(held.filter(created_at__lt=now - timedelta(hours=hours)), Cause.PAUSED, detail)
    return 0


def in_words(counts: dict[str, int], per_minute: int | None = None, *, backlog: str = "send") -> str:
    """What a resumption did, as the end of a sentence."""
    if backlog == "keep":
        return "what is held stays held"
    released, discarded = counts["released"], counts["discarded"]
    speed = f", {per_second(per_minute)} per second" if per_minute else ""
    parts = [f"{thousands(released)} held {'is' if released == 1 else 'are'} being sent{speed}" if released else ""]
    parts.append(f"{thousands(discarded)} {'was' if discarded == 1 else 'were'} thrown away" if discarded else "")
    return ", ".join(filter(None, parts)) or "nothing was held"


def age(hours: int) -> str:
    """ "1 hour", "36 hours", "3 days"."""
    count, unit = (hours // 24, "day") if hours >= 48 and hours % 24 == 0 else (hours, "hour")
    return f"{thousands(count)} {unit}" if count == 1 else f"{thousands(count)} {unit}s"


def switch_off(connector: Connector, *, by: str, reason: str = "") -> int:
    """Keep nothing any more. Returns how many waiting and held deliveries were skipped."""
    _save(connector, Connector.Status.OFF, by=by, reason=reason)
    release.end(connector, timezone.now())
    detail = f"The connector was switched off by {by}."
    held = release.held_of(connector.pk)
    return skip(_waiting(connector), Cause.SWITCHED_OFF, detail) + skip(held, Cause.SWITCHED_OFF, detail)


def switch_on(connector: Connector, *, by: str) -> None:
    """Send from now on; what was skipped meanwhile stays skipped (it can be replayed)."""
    _activate(connector, by=by)
    _wake()


def expire_held(now: datetime) -> int:
    """Skip what has been held for longer than HOLD_DAYS, but for what is on its way at a chosen speed. Returns how
    many."""
    days = settings.HOLD_DAYS
    old = Delivery.objects.filter(status=Status.HELD, created_at__lt=now - timedelta(days=days)).filter(Among(UNUSUAL))
    old = old.exclude(connector_id__in=release.running().values("connector_id"))
    return skip(old, Cause.PAUSED, f"{HELD_TOO_LONG} {days} days while the connector was paused.", now=now)


def resume_due(now: datetime) -> int:
    """Resume the paused connectors whose time has come. Returns how many."""
    due = Connector.objects.filter(status=Connector.Status.PAUSED, resume_at__lte=now, archived_at__isnull=True)
    connectors = list(due)
    for connector in connectors:
        resume(connector, by=SERVER, backlog="send")
    return len(connectors)


def hold_strays(now: datetime) -> int:
    """Waiting and retrying deliveries of connectors that do not send: held where paused, skipped where off.

    Such rows are made by whoever read the configuration just before it changed, and by an imported configuration.
    """
    touched = 0
    for connector in Connector.objects.exclude(status=Connector.Status.ACTIVE, archived_at__isnull=True):
        if connector.status == Connector.Status.PAUSED and connector.archived_at is None:
            touched += _hold(_waiting(connector))
        else:
            detail = f"The connector was switched off by {connector.status_by or SERVER}."
            touched += skip(_waiting(connector), Cause.SWITCHED_OFF, detail, now=now)
    return touched


def _save(connector: Connector, status: str, *, by: str, reason: str = "", resume_at: datetime | None = None) -> None:
    """Only the columns of the status: a form that somebody saves at the same moment keeps its own."""
    connector.status = status
    connector.status_by = by[:150]
    connector.status_reason = reason[:300]
    connector.status_at = timezone.now()
    connector.resume_at = resume_at
    connector.save(update_fields=["status", "status_by", "status_reason", "status_at", "resume_at"])


def _activate(connector: Connector, *, by: str) -> None:
    """Active, with a clean slate: what made it rest or stop is taken for repaired."""
    _save(connector, Connector.Status.ACTIVE, by=by)
    clean = {"failures": 0, "key_refusals": 0, "resting_since": None, "next_probe_at": None, "stops_at": None}
    Lane.objects.filter(connector=connector).update(**clean)


def _waiting(connector: Connector) -> QuerySet[Delivery]:
    """What waits or retries. Not what is being sent: that is finished by whoever has it."""
    mine = Delivery.objects.filter(connector=connector, status__in=[Status.WAITING, Status.RETRYING])
    return mine.filter(Among(OPEN))


def _hold(rows: QuerySet[Delivery]) -> int:
    return _in_batches(rows, status=Status.HELD, cause=Cause.PAUSED, detail="", next_attempt_at=None)


def _release(held: QuerySet[Delivery], now: datetime) -> int:
    """Due at once, in the order in which they came in: a millionth of a second apart. They are not due since they came
    in, or the oldest would seem to wait for its turn since then."""
    ids = list(held.order_by("created_at", "id").values_list("id", flat=True))
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        with write_transaction():
            pace.give(
                some, [now - timedelta(microseconds=len(ids) - start - at) for at in range(len(some))], Status.HELD
            )
    return len(ids)


def skip(rows: QuerySet[Delivery], cause: Cause, detail: str, now: datetime | None = None) -> int:
    """Skip all the rows, in batches; ``rows`` must be chosen by a status that is not skipped."""
    return _in_batches(
        rows,
        status=Status.SKIPPED,
        cause=cause,
        detail=detail[:500],
        next_attempt_at=None,
        finished_at=now or timezone.now(),
    )


def _in_batches(rows: QuerySet[Delivery], **changes: Any) -> int:
    """Change all the rows. ``changes`` take them out of the set, so that the next look finds others."""
    changed = 0
    while ids := list(rows.order_by().values_list("id", flat=True)[:BATCH]):
        with write_transaction():
            # The set's own conditions once more: a worker may have taken a row since it was looked at.
            changed += rows.order_by().filter(id__in=ids).update(**changes)
    return changed


def _skip_older(held: QuerySet[Delivery], detail: str) -> int:
    """Skip all but the newest held delivery of each person; those of nobody stay."""
    seen: set[str] = set()
    skipped = 0
    for rows in _newest_first(held):
        older = []
        for row_id, user_id, anonymous_id in rows:
            person = f"u{user_id}" if user_id else f"a{anonymous_id}" if anonymous_id else ""
            if person and person in seen:
                older.append(row_id)
            seen.add(person)
        skipped += skip(held.filter(id__in=older), Cause.PAUSED, detail) if older else 0
    return skipped


def _newest_first(held: QuerySet[Delivery]) -> Iterator[list[tuple[int, str, str]]]:
    rows = held.order_by("-id").values_list("id", "event__user_id", "event__anonymous_id")
    part = list(rows[:BATCH])
    while part:
        yield part
        part = list(rows.filter(id__lt=part[-1][0])[:BATCH])


def _wake() -> None:
    from deliveries import queue

    transaction.on_commit(queue.wake)
