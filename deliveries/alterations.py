"""What a connector's rules and filters make of an event, field by field, before the vendor's own form of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from integrations import mapping
from integrations.types import ConnectorConfig, Json, NotSent, Vendor


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that is not sent as it came: ``kind`` is renamed, removed, added or changed."""

    kind: str
    field: str
    before: Json = None
    after: Json = None


def changes(payload: dict[str, Json], config: ConnectorConfig, vendor: Vendor) -> Iterator[Change]:
    """What the connector's rules and filters make of the event, before the vendor's own form of it."""
    name = mapping.event_name(payload)
    try:
        event = mapping.prepare(payload, config, vendor)
    except NotSent:
        return
    if event.name != name:
        yield Change(kind="renamed", field="name", before=name, after=event.name)
    before, after = dict(_leaves(payload)), dict(_leaves(dict(event.payload)))
    named = mapping.NAME_FIELDS.get(event.kind, "")
    for path in before:
        if path not in after:
            yield Change(kind="removed", field=path, before=before[path])
        elif after[path] != before[path] and path != named:
            yield Change(kind="changed", field=path, before=before[path], after=after[path])
    for path in after:
        if path not in before:
            yield Change(kind="added", field=path, after=after[path])


def _leaves(value: dict[str, Json], path: str = "") -> Iterator[tuple[str, Json]]:
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if isinstance(item, dict) and item:
            yield from _leaves(item, place)
        else:
            yield place, item
