"""What opens a problem, keeps it open and ends it; checked once a minute. One alert when it opens, one reminder a day,
one when it ends.

A rule that is off opens no problem, but for a connector that stops by itself: that one is always on the page Problems,
and its rule decides only whether anybody is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, Min, Q, Sum

from deliveries import release
from deliveries.alarm import AlertRule, Problem
from deliveries.engine.claim import due_times
from deliveries.hold import SERVER
from deliveries.ledger import Book
from deliveries.log import UNUSUAL, Among, newest_of
from deliveries.models import Delivery, Lane, Status
from deliveries.siblings import newer
from integrations.models import Connector
from integrations.types import Cause

WINDOW = timedelta(minutes=15)
LOOK_BACK = timedelta(hours=24)
ENOUGH = 10  # failures in the window before a share of failures says anything
REMIND = timedelta(days=1)
GRACE = timedelta(minutes=1)  # without a refusal, after which what arrives says that the key is good again
RECENT = 200  # newest deliveries of a connector among which one that arrived ends a problem
Kind = AlertRule.Kind
Key = tuple[int | None, str, str]
Tell = Callable[[Problem, str], None]
# Kind → (limit, on, what the limit means)
DEFAULTS = {
    Kind.KEY: (1, True, "refusals in 15 minutes"),
    Kind.FAILING: (5, True, "percent of the deliveries of 15 minutes, from 10 failures on"),
    Kind.OVERDUE: (10, True, "minutes that the oldest due delivery may wait"),
    Kind.HELD: (80, True, "percent of the age at which held events are dropped"),
    Kind.QUIET: (24, False, "hours without an event"),
    Kind.BOOKS: (1, True, "events of a day that are missing or there too often"),
    Kind.STOPPING: (1, True, "while there is still time to do something; off: only Problems shows it"),
    Kind.STOPPED: (1, True, "nothing is sent until somebody resumes it; off: only Problems shows it"),
    Kind.SILENT: (2, True, "minutes without a sign of life"),
}
ALWAYS = (Kind.STOPPING, Kind.STOPPED)


@dataclass(frozen=True)
class Found:
    """Something wrong right now."""

    connector_id: int
    kind: str
    cause: str = ""
    count: int = 1
    sample_id: int | None = None
    at: datetime | None = None


class Limits:
    """The limits in force: a connector's own rule in place of the usual one."""

    def __init__(self, usual: dict[str, AlertRule], own: Iterable[AlertRule]) -> None:
        self.usual = usual
        self.own = {(rule.kind, rule.connector_id): rule for rule in own}

    def of(self, kind: str, connector_id: int) -> int | None:
        """None where the rule is off."""
        rule = self.own.get((kind, connector_id)) or self.usual[kind]
        return rule.limit if rule.enabled else None

    def tells(self, problem: Problem) -> bool:
        """Whether anybody is told of a problem that is there: always, but where it is there without its rule."""
        return problem.kind not in ALWAYS or self.of(problem.kind, problem.connector_id or 0) is not None

    def any(self, kind: str) -> bool:
        return any(rule.enabled for rule in (self.usual[kind], *self.own.values()) if rule.kind == kind)


def rules(*, store: bool = False) -> dict[str, AlertRule]:
    """The rules for all connectors; a missing one has its usual limit, and a row only if told to: looking at a page
    writes nothing."""
    found = {rule.kind: rule for rule in AlertRule.objects.filter(connector=None)}
    for kind, (limit, enabled, _) in DEFAULTS.items():
        if kind.value not in found:
            found[kind.value] = AlertRule(kind=kind.value, limit=limit, enabled=enabled)
            if store:
                values = {"limit": limit, "enabled": enabled}
                found[kind.value] = AlertRule.objects.get_or_create(kind=kind.value, connector=None, defaults=values)[0]
    return found


def check(now: datetime, tell: Tell) -> None:
    """Open, refresh, remind and end. ``tell(problem, what)`` is called with "opened", "reminder" or "ended"."""
    limits = Limits(rules(store=True), AlertRule.objects.exclude(connector=None))

    def say(problem: Problem, what: str) -> None:
        if limits.tells(problem):
            tell(problem, what)

    found: dict[Key, Found] = {(one.connector_id, one.kind, one.cause): one for one in look(limits, now)}
    live = Problem.objects.filter(state__in=["open", "seen"]).select_related("connector")
    known = {(row.connector_id, row.kind, row.cause): row for row in live}
    for key, one in found.items():
        if key in known:
            _refresh(known[key], one, now)
        else:
            _open(one, now, say)
    for key, problem in known.items():
        if key not in found and _over(problem, now):
            problem.state, problem.ended_at = Problem.State.SOLVED, now
            problem.save(update_fields=["state", "ended_at"])
            say(problem, "ended")
        elif problem.state == Problem.State.OPEN and (what := _news(problem, now)) and _told(problem, now):
            say(problem, what)


def raise_now(connector_id: int, kind: str, now: datetime) -> None:
    """Open a problem at the moment it arises. Who is to be told is told by the next check, which is asked for as soon
    as this is committed: a mail server that does not answer must not hold up what is being sent."""
    from deliveries import queue

    if kind == Kind.STOPPED:  # what was warned of has come: that is no end to tell anybody of
        warnings = Problem.objects.filter(connector=connector_id, kind=Kind.STOPPING, state__in=["open", "seen"])
        warnings.update(state=Problem.State.SOLVED, ended_at=now)
    _open(Found(connector_id, kind), now, None)
    transaction.on_commit(queue.sweep_soon)


def raise_refused(connector_ids: Iterable[int], now: datetime) -> None:
    """Open a problem for each of the connectors whose key was refused, by the rule that a check goes by; told as above.

    Asked with every refusal that is recorded, so one that has its problem already costs a single look-up.
    """
    from deliveries import queue

    known = Problem.objects.filter(connector__in=connector_ids, kind=Kind.KEY, state__in=["open", "seen"])
    new = set(connector_ids) - set(known.values_list("connector_id", flat=True))
    if not new:
        return
    limits = Limits(rules(store=True), AlertRule.objects.filter(connector__in=new))
    found = list(_refused(_failed(now).filter(connector__in=new, cause=Cause.KEY_REFUSED), limits))
    for one in found:
        _open(one, now, None)
    if found:
        transaction.on_commit(queue.sweep_soon)


def look(limits: Limits, now: datetime) -> Iterator[Found]:
    """What is wrong now, by the limits of the rules that are on; and what has stopped or is about to."""
    active = list(Connector.objects.filter(archived_at=None, status="active").values_list("id", flat=True))
    yield from _failures(limits, now)
    if limits.any(Kind.OVERDUE):
        oldest: dict[int, datetime] = {}
        for (connector_id, _), moment in due_times(active).items():
            oldest[connector_id] = min(moment, oldest.get(connector_id, moment))
        for key, moment in release.without_its_backlog(oldest, now).items():
            limit = limits.of(Kind.OVERDUE, key)
            if limit is not None and now - moment > timedelta(minutes=limit):
                yield Found(key, Kind.OVERDUE.value, at=now)
    if limits.any(Kind.HELD):
        rows = Delivery.objects.filter(Among(UNUSUAL), status=Status.HELD).order_by().values("connector_id")
        on_their_way = release.running().values("connector_id")  # held only for their moment: these are not dropped
        for row in rows.exclude(connector_id__in=on_their_way).annotate(oldest=Min("created_at"), count=Count("id")):
            limit = limits.of(Kind.HELD, row["connector_id"])
            if limit is not None and now - row["oldest"] >= timedelta(days=settings.HOLD_DAYS) * limit / 100:
                yield Found(row["connector_id"], Kind.HELD.value, count=row["count"], at=now)
    if limits.any(Kind.BOOKS):
        wrong = Book.objects.filter(Q(missing__gt=0) | Q(extra__gt=0)).order_by()
        sums = wrong.values_list("connector_id").annotate(events=Sum(F("missing") + F("extra")))
        for key, count in sums:
            limit = limits.of(Kind.BOOKS, key)
            if limit is not None and count >= limit:
                yield Found(key, Kind.BOOKS.value, count=count, at=now)
    about_to = Lane.objects.filter(stops_at__isnull=False, connector_id__in=active)
    stopped = Connector.objects.filter(status="paused", status_by=SERVER, archived_at=None)
    for kind, keys in ((Kind.STOPPING, about_to.values_list("connector")), (Kind.STOPPED, stopped.values_list("id"))):
        yield from (Found(key, kind.value, at=now) for (key,) in keys)
    if limits.any(Kind.QUIET):
        for key in active:
            limit = limits.of(Kind.QUIET, key)
            if limit is not None and _quiet(key, now - timedelta(hours=limit)):
                yield Found(key, Kind.QUIET.value, at=now)


def _failures(limits: Limits, now: datetime) -> Iterator[Found]:
    ended = Delivery.objects.filter(created_at__gte=now - LOOK_BACK, finished_at__gte=now - WINDOW).order_by()
    delivered = dict(ended.filter(status=Status.DELIVERED).values_list("connector_id").annotate(count=Count("id")))
    rows = list(_failed(now))
    total: dict[int, int] = {}
    for row in rows:
        total[row["connector_id"]] = total.get(row["connector_id"], 0) + row["count"]
    refused = (row for row in rows if row["cause"] == Cause.KEY_REFUSED and not _taken_again(row, now))
    yield from _refused(refused, limits)
    for row in rows:
        key = row["connector_id"]
        limit = limits.of(Kind.FAILING, key)
        if limit is None or row["cause"] == Cause.KEY_REFUSED:
            continue
        share = 100 * total[key] / (total[key] + delivered.get(key, 0))
        if total[key] >= ENOUGH and share >= limit:
            yield _found(row, Kind.FAILING)


def _failed(now: datetime) -> Any:
    """What failed within the window, by connector and cause; not what was replayed and has arrived since."""
    rows = Delivery.objects.filter(Among(UNUSUAL), status=Status.FAILED, finished_at__gte=now - WINDOW).order_by()
    counted = rows.filter(~newer(Status.DELIVERED)).values("connector_id", "cause")
    return counted.annotate(count=Count("id"), sample=Max("id"), last=Max("finished_at"))


def _refused(rows: Iterable[dict[str, Any]], limits: Limits) -> Iterator[Found]:
    for row in rows:
        limit = limits.of(Kind.KEY, row["connector_id"])
        if limit is not None and row["count"] >= limit:
            yield _found(row, Kind.KEY)


def _found(row: dict[str, Any], kind: AlertRule.Kind) -> Found:
    return Found(row["connector_id"], kind.value, row["cause"], row["count"], row["sample"], row["last"])


def _quiet(connector_id: int, since: datetime) -> bool:
    """It had events once, and none since."""
    last = newest_of(connector_id).values_list("created_at", flat=True).first()
    return last is not None and last < since


def _open(one: Found, now: datetime, tell: Tell | None) -> None:
    """Without ``tell`` it is told later, by a check."""
    try:
        with transaction.atomic():
            problem = Problem.objects.create(
                connector_id=one.connector_id,
                kind=one.kind,
                cause=one.cause,
                count=one.count,
                sample_id=one.sample_id,
                opened_at=now,
                last_seen_at=one.at or now,
                told_at=None if tell is None else now,
            )
    except IntegrityError:  # another worker was first, and tells
        return
    if tell is not None:
        tell(problem, "opened")


def _refresh(problem: Problem, one: Found, now: datetime) -> None:
    """New failures since it was last seen are added; what did not move stays as it is."""
    at = one.at or now
    if at <= problem.last_seen_at:
        return
    more = 0
    if one.sample_id:
        rows = Delivery.objects.filter(
            Among(UNUSUAL),
            status=Status.FAILED,
            connector=problem.connector,
            cause=problem.cause,
            finished_at__gt=problem.last_seen_at,
        )
        more = rows.count()
    values = {"last_seen_at": at, "count": F("count") + more}
    Problem.objects.filter(pk=problem.pk).update(**values)


def _news(problem: Problem, now: datetime) -> str:
    """What there is to tell of a problem that goes on: that it was opened (see raise_now), or once more that it is."""
    if problem.told_at is None:
        return "opened"
    return "reminder" if now - problem.told_at >= REMIND else ""


def _told(problem: Problem, now: datetime) -> bool:
    """Whether this check is the one that tells: another worker's may have come first."""
    before, problem.told_at = problem.told_at, now
    return bool(Problem.objects.filter(pk=problem.pk, told_at=before).update(told_at=now))


def _over(problem: Problem, now: datetime) -> bool:
    """A failure is over when something has arrived since; the other kinds when they are not found any more."""
    if problem.kind not in (Kind.KEY, Kind.FAILING):
        return True
    return _arrived_since(problem.connector_id or 0, problem.last_seen_at)


def _taken_again(row: dict[str, Any], now: datetime) -> bool:
    """Whether the key that was refused is good again: events have arrived since, and none was refused any more."""
    return now - row["last"] >= GRACE and _arrived_since(row["connector_id"], row["last"])


def _arrived_since(connector_id: int, moment: datetime) -> bool:
    pairs = newest_of(connector_id).values_list("status", "finished_at")[:RECENT]
    return any(status == Status.DELIVERED and ended and ended > moment for status, ended in pairs)
