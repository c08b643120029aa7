"""Events that a service could not tell apart any more, because they would go out under one name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from integrations import mapping
from integrations.types import ConnectorConfig, EventKind, Vendor


@dataclass(frozen=True)
class Clash:
    """The name that all of ``names`` go out under."""

    sent_as: str
    names: tuple[str, ...]


def find(config: ConnectorConfig, vendor: Vendor | None, seen: Iterable[tuple[str, str]]) -> list[Clash]:
    """``seen`` are (kind, name) of events that come in; those of the events table are looked at as well.

    A page and a track event of one name are told apart by their kind, so they do not clash.
    """
    listed = ((rule.kind or EventKind.TRACK.value, rule.name) for rule in config.rules)
    found: dict[tuple[EventKind, str], list[str]] = {}
    for kind, name in sorted({*listed, *seen}):
        if not name or mapping.KINDS.get(kind) not in mapping.NAME_FIELDS:
            continue
        sent, outgoing = mapping.fate(config, vendor, EventKind(kind), name)
        if sent:
            found.setdefault((EventKind(kind), outgoing), []).append(name)
    return [Clash(outgoing, tuple(names)) for (_, outgoing), names in found.items() if len(names) > 1]
