"""Which fields recent identify events have, and with what in them: for whoever maps fields to channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Subquery

from deliveries.models import Event
from integrations.tables import MappingForm, Table
from integrations.types import Json, Vendor

KEPT = 30  # seconds: many open the same form
LOOKED_AT, LATEST = 5000, 100  # ids back from the newest event, and events among them
LONGEST = 40


@dataclass(frozen=True)
class Seen:
    """Of the newest identify events (``looked`` of them): field → what stood in it, newest first, an entry an event."""

    looked: int
    values: Mapping[str, tuple[str, ...]]


def recent() -> Seen:
    found: Seen | None = cache.get("trait-fields")
    if found is None:
        found = _recent()
        cache.set("trait-fields", found, KEPT)
    return found


def _recent() -> Seen:
    newest = Subquery(Event.objects.order_by("-id").values("id")[:1])
    rows = Event.objects.filter(type="identify", refused="", erased_at=None, id__gt=newest - LOOKED_AT)
    events = list(rows.order_by("-id")[:LATEST])
    values: dict[str, list[str]] = {}
    for event in events:
        traits = event.payload.get("traits")
        for path, value in _leaves(traits if isinstance(traits, dict) else {}):
            values.setdefault(path, []).append(value)
    return Seen(looked=len(events), values={path: tuple(found) for path, found in sorted(values.items())})


def _leaves(value: Mapping[str, Json], path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted paths with what stands there, as a mapping names them. A list counts with its first entry."""
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        first = item[0] if isinstance(item, list) and item else item
        if isinstance(item, dict):
            yield from _leaves(item, place)
        elif not isinstance(first, dict | list) and first not in (None, ""):
            yield place, str(first)[:LONGEST]


def offers(seen: Seen) -> list[tuple[str, str, str]]:
    """(field, a sample, the note beside it), for a form's suggestions."""
    return [(path, values[0], note(seen, path)) for path, values in seen.values.items()]


def note(seen: Seen, path: str, takes: Callable[[str], bool] | None = None) -> str:
    """How often the field is there, in words. ``takes`` says which values the service takes."""
    if not seen.looked:
        return "No identify event has come in yet."
    last = "the last identify event" if seen.looked == 1 else f"the last {seen.looked} identify events"
    values = seen.values.get(path, ())
    if not values:
        return f"No such field in {last}."
    share = "The last identify event" if seen.looked == 1 else f"{len(values)} of {last}"
    words = f"{share} {'has' if len(values) == 1 else 'have'} this field, for example {values[0]}."
    wrong = [value for value in values if takes is not None and not takes(value)]
    return f"{words} Left out in {len(wrong)} of them, for example “{wrong[0]}”." if wrong else words


def annotate(tables: Mapping[str, Table], vendor: Vendor, seen: Seen) -> None:
    """Put ``seen`` on each line of the channel and preference tables: what to say beside its field."""
    for name in ("channels", "preferences"):
        for line in tables.get(name, ()):
            if isinstance(line, MappingForm):
                takes = vendor.preference_takes.get(getattr(line.instance, "preference", ""))
                field = str(line["field"].value() or "")
                line.seen = note(seen, field, takes) if field else ""
