"""Beside the lines of an events table: when each event was last seen, and which would go out under one name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection

from deliveries.engine.writing import read_time
from integrations import clashes, registry
from integrations.clashes import Clash
from integrations.models import EventRule, Source
from integrations.numbers import thousands
from integrations.selectors import Snapshot
from integrations.tables import Table
from integrations.types import ConnectorConfig, EventKind

KEPT = 15  # seconds: the preview asks at every pause in typing
# The newest events. There is no index by name, and reading all events would take seconds at a million.
LOOKED_AT = 5000
MOST = 30  # lines that a new connector's table begins with
LONGEST = EventRule._meta.get_field("name").max_length or 0
Key = tuple[int, str, str]


@dataclass(frozen=True)
class Seen:
    """(source, type, name) → when such an event last came in. ``whole``: no older events were left out."""

    last: Mapping[Key, datetime]
    whole: bool

    def of(self, sources: frozenset[int]) -> dict[tuple[str, str], datetime]:
        """(type, name) → when, from these sources; from all where there are none yet, as in a draft."""
        found: dict[tuple[str, str], datetime] = {}
        for (source, kind, name), at in self.last.items():
            if not sources or source in sources:
                found[kind, name] = max(at, found.get((kind, name), at))
        return found

    def names(self) -> list[str]:
        return sorted({name or kind for _, kind, name in self.last}, key=str.lower)


def recent() -> Seen:
    found: Seen | None = cache.get("events-seen-lately")
    if found is None:
        found = _recent()
        cache.set("events-seen-lately", found, KEPT)
    return found


def _recent() -> Seen:
    """Grouped by the database: thousands of times are dear to make in Python."""
    query = f"""
        SELECT source_id, type, name, MAX(received_at), COUNT(*) FROM (
            SELECT source_id, type, name, received_at FROM deliveries_event
            WHERE refused = '' ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        GROUP BY source_id, type, name
    """  # noqa: S608 - a number of ours
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    last = {(source, kind, name): read_time(at) for source, kind, name, at, _ in rows}
    return Seen(last, sum(row[-1] for row in rows) < LOOKED_AT)


def usual() -> list[str]:
    """The events that a new connector's table begins with: those that the sources' services are known to send, as the
    source's settings call them, and those that came in lately, newest first."""
    names: dict[str, None] = {}
    for source in Source.objects.all():
        vendor = registry.get(source.vendor)
        if vendor and (receive := vendor.receive):
            others = receive.uses_other_names is not None and receive.uses_other_names(source.settings)
            names.update(dict.fromkeys(receive.other_names if others else receive.known_events))
    seen = recent().of(frozenset())
    newest = sorted(((at, name) for (kind, name), at in seen.items() if kind == EventKind.TRACK), reverse=True)
    names.update((name, None) for _, name in newest if 0 < len(name) <= LONGEST)
    return list(names)[:MOST]


def annotate(config: ConnectorConfig, lists: Mapping[str, Table], snapshot: Snapshot) -> list[Clash]:
    """Put ``last_seen``, ``not_seen`` and ``meaning`` on each line of the events table; returns what clashes."""
    if "rules" not in lists:
        return []
    seen = recent()
    routes = snapshot.sources.values()
    mine = seen.of(frozenset(route.id for route in routes if any(key == config.id for key, _ in route.connectors)))
    for line in lists["rules"]:
        _annotate(line, mine, seen.whole)
    return clashes.find(config, registry.get(config.vendor), mine)


def _annotate(line: Any, seen: Mapping[tuple[str, str], datetime], whole: bool) -> None:
    kind, name = str(line["kind"].value() or ""), str(line["name"].value() or "").strip()
    called = kind or (EventKind.TRACK if name else "")  # the events that are known by name are track calls
    line.meaning = registry.meanings().get((str(called), name), "")
    times = _times(seen.items(), kind, name) if kind or name else []
    line.last_seen = max(times, default=None)
    line.not_seen = (
        "" if times or not (kind or name) else "not yet" if whole else f"not in the last {thousands(LOOKED_AT)}"
    )


def _times(seen: Iterable[tuple[tuple[str, str], datetime]], kind: str, name: str) -> list[datetime]:
    return [at for (one, called), at in seen if kind in ("", one) and name in ("", called)]
