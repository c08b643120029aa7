"""Which deliveries a replay of many takes, and what a person should know before starting it. Reads only.

Only finished deliveries can be replayed: the others are still going to be sent. Without a status the failed ones are
taken; with a cause and no status, the failed and skipped ones. Delivered ones are taken only where the status asks for
them, or ``include_delivered`` does. A delivery whose event has reached its connector since, or is on its way there
again, is left out, and so is one whose event was erased; an event goes to a connector once however many of its
deliveries match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from django.db.models import BooleanField, Count, Exists, F, Func, Max, Min, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from deliveries import backfill, log, repeats
from deliveries.models import Delivery, Event, Replay, Status
from deliveries.siblings import newer
from integrations import mapping, registry, selectors
from integrations.models import Connector
from integrations.types import ConnectorConfig, EventKind, NotSent

FINISHED = (Status.FAILED, Status.SKIPPED, Status.DELIVERED)
UNDER_WAY = (Status.WAITING, Status.SENDING, Status.RETRYING, Status.HELD)
SAMPLE = 200
PEOPLE = 1000
WINDOW = 5000
SLOW = ("event", "answer")  # filters that look at each delivery's event, or its tries
COUNTED = frozenset({"status", "cause", "connector"})  # these stand in the index of what failed or was skipped
PAST_IDENTIFIES = "past_identifies"  # a filter of our own, beside those of the log


class Listed(Func):
    """``id IN`` a list of ids that goes over as one text: bound one by one, thousands cost more than the search."""

    output_field = BooleanField()

    def __init__(self, ids: Iterable[int], **extra: Any) -> None:
        super().__init__(F("id"), Value(f"[{','.join(map(str, ids))}]"), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        among = " IN (SELECT value FROM json_each("
        return self.as_sql(compiler, connection, template="%(expressions)s))", arg_joiner=among)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        among = " IN (SELECT jsonb_array_elements_text("
        return self.as_sql(compiler, connection, template="%(expressions)s)::bigint)", arg_joiner=among)


def wanted_statuses(filters: log.Filters, include_delivered: bool = False) -> list[str]:
    """The statuses the replay takes. Raises ValueError where the filter names only deliveries still to be sent."""
    if given := log.statuses_of(filters):
        chosen = [status for status in given if status in FINISHED]
        if not chosen:
            raise log.BadValue(
                "status: only failed, skipped and delivered deliveries can be replayed; others are still sent."
            )
        return chosen
    chosen = [Status.FAILED, Status.SKIPPED] if filters.get("cause") else [Status.FAILED]
    return [*chosen, Status.DELIVERED] if include_delivered else chosen


REASONS = ("already_delivered_since", "on_their_way", "erased")


def matching(filters: log.Filters, *, as_sent: bool = False, include_delivered: bool = False) -> QuerySet[Delivery]:
    """The finished deliveries that the filters and choices mean; also those that need no replay any more."""
    statuses = wanted_statuses(filters, include_delivered)
    rows = log.deliveries({**filters, "status": ",".join(statuses)}).select_related(None)
    return rows.filter(attempts__gt=0) if as_sent else rows


def _erased() -> Exists:
    """Whether the event's person was erased: by the index of just those."""
    return Exists(Event.objects.filter(id=OuterRef("event_id"), erased_at__isnull=False))


def candidates(filters: log.Filters, *, as_sent: bool = False, include_delivered: bool = False) -> QuerySet[Delivery]:
    """What is to be replayed: the matching ones that did not get there since and are not on their way."""
    if filters.get(PAST_IDENTIFIES):
        return past_identifies(int(filters["connector"]))
    return _needed(matching(filters, as_sent=as_sent, include_delivered=include_delivered))


def _needed(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return rows.filter(~newer(Status.DELIVERED, *UNDER_WAY), ~_erased())


def past_identifies(connector_id: int) -> QuerySet[Delivery]:
    """Of each person the newest identify event that this connector had, whatever became of it: what a changed mapping
    has to be applied to. Events of nobody known are left out."""
    identifies = Delivery.objects.filter(connector_id=connector_id, event__type=EventKind.IDENTIFY)
    newer = identifies.filter(event__user_id=OuterRef("event__user_id"), id__gt=OuterRef("id"))
    return identifies.exclude(event__user_id="").filter(~Exists(newer), status__in=FINISHED)


def walk(replay: Replay, limit: int) -> list[backfill.Walked]:
    """The next ones of a job that is under way."""
    if replay.filters.get(backfill.SINCE):
        return backfill.walk(replay, limit)
    chosen = candidates(replay.filters, as_sent=replay.as_sent, include_delivered=replay.include_delivered)
    rows = chosen.filter(id__gt=replay.last_id, id__lte=replay.up_to_id).order_by("id")
    found = rows.values_list("id", "event_id", "connector_id")[:limit]
    return [(key, key, event_id, connector_id) for key, event_id, connector_id in found]


def total(rows: QuerySet[Delivery]) -> int:
    """How many deliveries a replay of these rows makes: one for each event and connector."""
    return rows.order_by().values("event_id", "connector_id").distinct().count()


def preview(
    filters: log.Filters,
    *,
    as_sent: bool = False,
    include_delivered: bool = False,
    now: datetime | None = None,
    most: int | None = None,
) -> dict[str, Any]:
    """The counts a person decides by. Raises ValueError for bad filters.

    ``total`` are replayed, of ``people`` (``people_is_least``: only the newest were looked at for these, and there may
    be more), with events first and last received at ``oldest`` and ``newest``. Of the ``matching`` ones
    ``already_delivered_since``, ``on_their_way`` and ``erased`` are left out. ``excluded`` of the total would not be
    sent by today's rules; ``excluded_is_estimate`` says that it was counted on a sample. ``seconds_at_limit`` is the
    time that the speed limits make it take, None without any. ``outside_dedupe_window`` says of each service that would
    take ``count`` of the total for new, though it may have got them before, that it remembers an event for ``hours``.

    With ``most`` no more than so many of the newest are looked at, for a page can't wait until a million are counted:
    ``matches_more`` says that there are others, older ones; then ``outside_dedupe_window`` names each service that may
    have got some of these. What an index counts on its own is counted all the same.
    """
    filters = log.clean(filters)
    statuses = wanted_statuses(filters, include_delivered)
    delivered = Status.DELIVERED in statuses
    found = matching(filters, as_sent=as_sent, include_delivered=include_delivered)
    if not delivered and not as_sent and COUNTED.issuperset(filters):
        most = None
    wide = {name: value for name, value in filters.items() if name not in SLOW}
    wider = matching(wide, as_sent=as_sent, include_delivered=include_delivered) if wide != filters else None
    found, matches, more = _newest(found, most, wider)
    chosen = _needed(found)
    configs = selectors.snapshot().connectors
    forgotten = repeats.forgotten(configs.values(), now or timezone.now(), delivered=delivered)
    grouped = chosen.order_by().values("connector_id")
    grouped = grouped.annotate(count=Count("event_id", distinct=True), rows=Count("id"))
    grouped = grouped.annotate(forgotten=Count("event_id", distinct=True, filter=forgotten))
    rows = list(grouped.annotate(first=Min("event_id"), last=Max("event_id")))
    each = {row["connector_id"]: row["count"] for row in rows}
    count = sum(each.values())
    first, last = min((row["first"] for row in rows), default=0), max((row["last"] for row in rows), default=0)
    received = dict(Event.objects.filter(id__in=[first, last]).values_list("id", "received_at"))
    looked, left_out = _sample(chosen, configs)
    # Nothing is left out but for these reasons: where nothing is, they need not be counted.
    why = _reasons(found) if matches > sum(row["rows"] for row in rows) else dict.fromkeys(REASONS, 0)
    old = {row["connector_id"]: row["forgotten"] for row in rows}
    if more and repeats.possible(statuses, filters.get("cause", "")):
        old = repeats.remembering(each, configs)
    return {
        "matching": matches,
        "matches_more": more,
        "total": count,
        "people": _people(chosen),
        "people_is_least": more or count > PEOPLE,
        **why,
        "excluded": round(count * left_out / looked) if looked else 0,
        "excluded_is_estimate": looked < count,
        "oldest": received.get(first),
        "newest": received.get(last),
        "seconds_at_limit": _seconds(each, configs),
        "outside_dedupe_window": repeats.by_service(old, configs),
        "connectors": [
            {"id": row.id, "name": row.name, "status": row.status, "count": each[row.id]}
            for row in _connectors(each, configs)
        ],
    }


def _newest(
    found: QuerySet[Delivery], most: int | None, wider: QuerySet[Delivery] | None
) -> tuple[QuerySet[Delivery], int, bool]:
    """The newest ``most`` of these, how many they are, and whether there are more: they are searched for once. What no
    index helps with is looked for among the newest of the ``wider`` ones first, and among all only if none is there."""
    if most is None:
        return found, found.count(), False
    ids: list[int] = []
    end = wider.order_by("-id").values_list("id", flat=True)[WINDOW : WINDOW + 1].first() if wider is not None else None
    if end is not None:
        ids = list(found.filter(id__gt=end).order_by("-id").values_list("id", flat=True)[: most + 1])
    beyond = bool(ids)
    ids = ids or list(found.order_by("-id").values_list("id", flat=True)[: most + 1])
    return Delivery.objects.filter(Listed(ids[:most])), min(len(ids), most), beyond or len(ids) > most


def _reasons(found: QuerySet[Delivery]) -> dict[str, int]:
    """How many are not needed, by why."""
    since, under_way = newer(Status.DELIVERED), newer(*UNDER_WAY)
    left_out = (found.filter(since), found.filter(under_way & ~Q(since)), found.filter(_erased()))
    return {name: rows.count() for name, rows in zip(REASONS, left_out, strict=True)}


def _connectors(each: dict[int, int], configs: Mapping[int, ConnectorConfig]) -> list[Connector | ConnectorConfig]:
    """Those in use are known already; only the removed ones have to be asked for."""
    removed = [key for key in each if key not in configs]
    rows = [configs[key] for key in each if key in configs]
    return sorted([*rows, *(Connector.objects.filter(id__in=removed) if removed else ())], key=lambda row: row.name)


def _people(chosen: QuerySet[Delivery]) -> int:
    """Whose events these are; of many, of the newest: nobody decides by more than that it is thousands.

    In one statement: thousands of ids that go to and fro take as long as the search itself."""
    newest = chosen.order_by("-id").values("event_id")[:PEOPLE]
    pairs = Event.objects.filter(id__in=newest).values_list("user_id", "anonymous_id")
    return len({(bool(user), user or anonymous) for user, anonymous in pairs if user or anonymous})


def _sample(rows: QuerySet[Delivery], configs: Any) -> tuple[int, int]:
    """Of up to 200 of the newest: how many were looked at, and how many today's rules would leave out."""
    newest = Delivery.objects.filter(id__in=list(rows.order_by("-id").values_list("id", flat=True)[:SAMPLE]))
    sample = list(newest.values_list("connector_id", "event__source__vendor", "event__body"))
    return len(sample), sum(_left_out(configs.get(key), vendor, body) for key, vendor, body in sample)


def _left_out(config: ConnectorConfig | None, source_vendor: str, body: str) -> bool:
    vendor = registry.get(config.vendor) if config else None
    if config is None or vendor is None:
        return True
    try:
        event = mapping.prepare(orjson.loads(body), config, vendor, source_vendor)
        vendor.builders[event.kind](event, config)
    except NotSent:
        return True
    except Exception:  # noqa: BLE001 - a vendor's bug is told by the delivery it fails; here it is one more not sent
        return True
    return False


def _seconds(each: dict[int, int], configs: Any) -> int | None:
    slowest = None
    for connector_id, count in each.items():
        config = configs.get(connector_id)
        vendor = registry.get(config.vendor) if config else None
        if config is None or vendor is None or not config.rate_limit_per_second:
            continue
        size = vendor.batch.max_events if vendor.batch else 1
        if vendor.batch and vendor.batch.size:
            size = max(1, min(vendor.batch.size(config), size))
        seconds = -(-count // size) / config.rate_limit_per_second
        slowest = max(slowest or 0, round(seconds))
    return slowest
