"""How a connector is doing: one set of rules, and the few grouped queries that feed it for any number of connectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, F, Max, Min, Q

from deliveries.core.retry import duration
from deliveries.engine.claim import due_times
from deliveries.engine.writing import is_sqlite
from deliveries.hold import SERVER
from deliveries.log import UNUSUAL, Among
from deliveries.models import Delivery, Status
from deliveries.siblings import newer
from integrations import clock
from integrations.models import Connector
from integrations.numbers import thousands
from integrations.types import Cause

DAY = timedelta(hours=24)
WINDOW = timedelta(minutes=15)
LAST = 50  # deliveries looked at where nothing ended within the window
OVERDUE = timedelta(minutes=5)
GOOD, BAD = 0.99, 0.90
SILENCE = timedelta(hours=1)  # shorter ones say nothing, however many events there usually are
GAPS = 5  # times the usual gap without an event is unusual
ENOUGH = 5  # ended deliveries before a share says "not working"; also the failures in a row that do

LABELS = {
    "working": "Working",
    "slow": "Slow or retrying",
    "not_working": "Not working",
    "paused": "Paused",
    "off": "Off",
    "quiet": "Quiet",
    "not_set_up": "Not set up",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules look at. ``last`` are (status, cause) of the newest deliveries that ended, newest first. What
    failed and has arrived since, replayed, is no failure any more."""

    status: str = "active"
    by: str = ""
    since: datetime | None = None
    reason: str = ""
    draft: bool = False
    tested: bool = False
    delivered: int = 0  # within the window
    failed: int = 0
    last: Sequence[tuple[str, str]] = ()
    any_delivery: bool = False
    received: int = 0  # within 24 hours
    first: datetime | None = None  # of these
    times: Sequence[datetime] = ()  # when the newest deliveries were made, newest first
    retrying: int = 0
    oldest_due: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Health:
    """A code for programs, a word for the badge, and why, in a sentence. ``word`` is what the badge says where the code
    stands for several things."""

    code: str
    why: str
    word: str = ""

    @property
    def label(self) -> str:
        return self.word or LABELS[self.code]


@dataclass(frozen=True, kw_only=True)
class Report:
    """A connector's health with the counts of its last 24 hours by status, what is held now, of any age, and when its
    newest delivery arrived and its newest one was made."""

    health: Health
    counts: Mapping[str, int] = field(default_factory=dict)
    held: int = 0
    last_delivered_at: datetime | None = None
    last_made_at: datetime | None = None


def judge(facts: Facts, now: datetime) -> Health:
    """The rules, worst first. Pure."""
    if set_aside := _set_aside(facts):
        return set_aside
    delivered, failed = _ended(facts)
    ended = delivered + failed
    share = delivered / ended if ended else 1.0
    if facts.last and facts.last[0] == (Status.FAILED, Cause.KEY_REFUSED):
        return Health(code="not_working", why="The key was refused.")
    if len(facts.last) >= ENOUGH and all(status == Status.FAILED for status, _ in facts.last[:ENOUGH]):
        return Health(code="not_working", why=f"The last {ENOUGH} deliveries failed.")
    if share < BAD and ended >= ENOUGH:
        return Health(code="not_working", why=_last(failed, ended, "failed"))
    if facts.oldest_due is not None and now - facts.oldest_due > OVERDUE:
        minutes = int((now - facts.oldest_due).total_seconds() // 60)
        return Health(code="slow", word="Slow", why=f"A delivery has been due for {minutes} minutes.")
    if facts.retrying:
        return Health(
            code="slow",
            word="Retrying",
            why="1 delivery is retrying." if facts.retrying == 1 else f"{facts.retrying} deliveries are retrying.",
        )
    if share < GOOD:
        return Health(code="slow", word="Some fail", why=_last(failed, ended, "failed"))
    if not facts.oldest_due and (why := _silence(facts, now)):
        return Health(code="quiet", why=why)
    return Health(code="working", why=_last(delivered, ended, "arrived") if ended else "")


def _last(count: int, ended: int, did: str) -> str:
    several = f"{thousands(count)} of the last {thousands(ended)} deliveries {did}."
    return f"The last delivery {did}." if ended == 1 else several


def _set_aside(facts: Facts) -> Health | None:
    """Not judged by its deliveries: somebody paused or switched it off, or it has not begun."""
    if facts.draft:
        return Health(code="not_set_up", why="It has not been turned on yet.")
    if facts.status == Connector.Status.PAUSED and facts.by == SERVER:
        return Health(code="paused", word="Stopped", why=_by_a_person("Stopped", facts))
    if facts.status == Connector.Status.PAUSED:
        return Health(code="paused", why=_by_a_person("Paused", facts))
    if facts.status == Connector.Status.OFF:
        return Health(code="off", why=_by_a_person("Switched off", facts))
    if not facts.tested and not facts.any_delivery:
        return Health(code="not_set_up", why="Nothing was sent yet, not even a test event.")
    return None


def _by_a_person(did: str, facts: Facts) -> str:
    """Who did it, when and why. The time itself, not how long ago it was: a program reads it too, and may keep it."""
    when = f", {clock.say(facts.since, '%-d %b %H:%M')}" if facts.since else ""
    return f"{did} by {facts.by or SERVER}{when}{f': {facts.reason}' if facts.reason else '.'}"


def _silence(facts: Facts, now: datetime) -> str:
    """Why it is quiet; "" where it is not: nothing for a day, or for several times the gap that is usual.

    What came all at once, as an import does, tells nothing of the usual gap: the events must be spread over an hour, as
    far back as the newest of them and the last 24 hours show.
    """
    if not facts.received:
        return "Nothing arrived for it in the last 24 hours."
    if len(facts.times) < ENOUGH:
        return ""
    newest, oldest = facts.times[0], facts.times[-1]
    gap, silent = (newest - oldest) / (len(facts.times) - 1), now - newest
    first = min(oldest, facts.first or oldest)
    spread = newest - first >= SILENCE or now - first > DAY - SILENCE  # the rest of them may be out of the day already
    if not spread or silent <= max(SILENCE, GAPS * gap):
        return ""
    usual = "within a minute" if gap < timedelta(minutes=1) else f"every {duration(gap.total_seconds())}"
    return f"Nothing arrived for {duration(silent.total_seconds())}; usually an event comes {usual}."


def _ended(facts: Facts) -> tuple[int, int]:
    """Delivered and failed: within the window, else of the last fifty."""
    if facts.delivered + facts.failed:
        return facts.delivered, facts.failed
    statuses = [status for status, _ in facts.last]
    return statuses.count(Status.DELIVERED), statuses.count(Status.FAILED)


def report(connectors: Iterable[Connector], now: datetime) -> dict[int, Report]:
    """Each connector's report, in a number of queries that does not grow with the connectors."""
    rows = list(connectors)
    ids = [row.pk for row in rows]
    if not ids:
        return {}
    counts, recent, delivered_at, first = _last_day(now)
    last, times = _newest(ids)
    due: dict[int, datetime] = {}
    for (key, _), moment in due_times(ids).items():
        due[key] = min(moment, due.get(key, moment))
    open_now, mended = _unusual(ids, now)
    return {
        row.pk: Report(
            health=judge(
                Facts(
                    status=row.status,
                    by=row.status_by,
                    since=row.status_at,
                    reason=row.status_reason,
                    draft=row.status == Connector.Status.OFF and row.status_at is None,
                    tested=row.tested_at is not None,
                    delivered=recent.get((row.pk, Status.DELIVERED), 0),
                    failed=recent.get((row.pk, Status.FAILED), 0) - mended.get(row.pk, 0),
                    last=last.get(row.pk, ()),
                    any_delivery=row.pk in times,
                    received=sum(counts.get((row.pk, status), 0) for status in Status.values),
                    first=first.get(row.pk),
                    times=times.get(row.pk, ()),
                    retrying=open_now.get((row.pk, Status.RETRYING), 0),
                    oldest_due=due.get(row.pk),
                ),
                now,
            ),
            counts={status: counts.get((row.pk, status), 0) for status in Status.values},
            held=open_now.get((row.pk, Status.HELD), 0),
            last_delivered_at=delivered_at.get(row.pk),
            last_made_at=times[row.pk][0] if row.pk in times else None,
        )
        for row in rows
    }


Counts = dict[tuple[int, str], int]


def newest_of_each(number: int) -> str:
    """SQL that joins to each connector ``c`` its newest deliveries ``d``, by a look-up or two in its index.

    PostgreSQL would ask SQLite's question once for every delivery, and with "=" it would walk all deliveries backwards
    (see ``log.newest_of``).
    """
    if is_sqlite():
        return f"""
            JOIN deliveries_delivery d ON d.connector_id = c.id AND d.id >= COALESCE(
                (SELECT n.id FROM deliveries_delivery n WHERE n.connector_id = c.id
                 ORDER BY n.id DESC LIMIT 1 OFFSET {number - 1}), 0)
        """  # noqa: S608 - a number of ours only
    return f"""
        CROSS JOIN LATERAL (
            SELECT n.* FROM deliveries_delivery n WHERE n.connector_id BETWEEN c.id AND c.id
            ORDER BY n.connector_id DESC, n.id DESC LIMIT {number}) d
    """  # noqa: S608 - a number of ours only


def _last_day(now: datetime) -> tuple[Counts, Counts, dict[int, datetime], dict[int, datetime]]:
    """Deliveries made in the last 24 hours and within the window, by connector and status; of each connector, when the
    last one was delivered and the first one made.

    Of all connectors and grouped by a sum: SQLite would rather walk the index of connectors, all history long.
    """
    rows = (
        Delivery.objects.filter(created_at__gte=now - DAY)
        .order_by()
        .annotate(key=F("connector_id") + 0)
        .values("key", "status")
        .annotate(
            count=Count("id"),
            recent=Count("id", filter=Q(created_at__gte=now - WINDOW)),
            last=Max("finished_at"),
            first=Min("created_at"),
        )
    )
    found = [(row["key"], row["status"], row) for row in rows]
    first: dict[int, datetime] = {}
    for key, _, row in found:
        first[key] = min(row["first"], first.get(key, row["first"]))
    return (
        {(key, status): row["count"] for key, status, row in found},
        {(key, status): row["recent"] for key, status, row in found},
        {key: row["last"] for key, status, row in found if status == Status.DELIVERED and row["last"]},
        first,
    )


def _newest(ids: list[int]) -> tuple[dict[int, list[tuple[str, str]]], dict[int, list[datetime]]]:
    """Of each connector's newest deliveries, newest first: the ended ones (status, cause), and when all were made."""
    marks = ",".join(["%s"] * len(ids))
    newest = newest_of_each(LAST)
    query = f"""
        SELECT c.id, d.status, d.cause, d.created_at, d.event_id, d.replay_of_id FROM integrations_connector c {newest}
        WHERE c.id IN ({marks}) ORDER BY c.id, d.id DESC
    """  # noqa: S608 - constants of ours only
    last: dict[int, list[tuple[str, str]]] = {}
    times: dict[int, list[datetime]] = {}
    mended: set[tuple[int, int]] = set()  # connector and event of what has arrived by a replay
    with connection.cursor() as cursor:
        cursor.execute(query, ids)
        for key, status, cause, at, event, original in cursor.fetchall():
            times.setdefault(key, []).append(at if at.tzinfo else at.replace(tzinfo=UTC))  # SQLite's has no zone
            if status == Status.DELIVERED and original:
                mended.add((key, event))
            if status == Status.DELIVERED or (status == Status.FAILED and (key, event) not in mended):
                last.setdefault(key, []).append((status, cause))
    return last, times


def _unusual(ids: list[int], now: datetime) -> tuple[Counts, dict[int, int]]:
    """What retries and what is held now, however old; and what failed within the window and has arrived since."""
    rows = Delivery.objects.filter(Among(UNUSUAL), connector_id__in=ids).order_by().values("connector_id", "status")
    waits = rows.filter(status__in=[Status.RETRYING, Status.HELD])
    mended = rows.filter(newer(Status.DELIVERED), status=Status.FAILED, created_at__gte=now - WINDOW)
    found = waits.annotate(count=Count("id")).union(mended.annotate(count=Count("id")), all=True)
    counts = {(row["connector_id"], row["status"]): row["count"] for row in found}
    return counts, {key: count for (key, status), count in counts.items() if status == Status.FAILED}
