"""Rows → frozen configuration. The only place that reads configuration for the traffic's sake, in a few queries.

A snapshot is kept per process and is replaced when :class:`ConfigVersion` has moved. Whoever writes to the database
inside a transaction may pass the version it read there, and so never acts on a snapshot that is out of date.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations import registry
from integrations.models import ConfigVersion, Connector, Source, WriteKey
from integrations.types import ConnectorConfig, EventRule, FilterRule, SourceConfig


@dataclass(frozen=True, kw_only=True)
class SourceRoute:
    """A source with the connectors its events go to: (connector id, status)."""

    id: int
    name: str
    vendor: str
    active: bool
    config: SourceConfig
    rate_limit: int | None
    connectors: tuple[tuple[int, str], ...]
    erases: str = "no"  # what a delete event does here: see Source.Erases


@dataclass(frozen=True, kw_only=True)
class KeyRoute:
    """A write key's source, and until when the key works."""

    key_id: int
    source_id: int
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    version: int
    connectors: Mapping[int, ConnectorConfig]
    sources: Mapping[int, SourceRoute]
    keys: Mapping[bytes, KeyRoute]

    def key(self, text: str) -> KeyRoute | None:
        """The key's route, or None. Looked up by hash: the time taken tells nothing about how near a guess was."""
        return self.keys.get(key_hash(text))


def key_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


_lock = threading.Lock()
_current: Snapshot | None = None


def snapshot(version: int | None = None) -> Snapshot:
    """Today's configuration. ``version``: the number just read from the database; without it a small query reads it."""
    global _current
    if version is None:
        version = ConfigVersion.current()
    if _current is None or _current.version != version:
        with _lock:
            if _current is None or _current.version != version:
                _current = load(version)
    return _current


def known() -> Snapshot | None:
    """The configuration that this process read last, perhaps no longer today's."""
    return _current


def forget() -> None:
    """Drop the snapshot: after a change in this very process, and in tests, whose rows are rolled back."""
    global _current
    _current = None


def load(version: int) -> Snapshot:
    sources = list(Source.objects.prefetch_related("connectors"))
    keys = WriteKey.objects.filter(revoked_at__isnull=True)
    return Snapshot(
        version=version,
        connectors={row.id: row for row in connector_configs()},
        sources={source.id: _source_route(source) for source in sources},
        keys={
            key_hash(key.key): KeyRoute(key_id=key.id, source_id=key.source_id, expires_at=key.expires_at)
            for key in keys
        },
    )


def connector_configs() -> list[ConnectorConfig]:
    rows = Connector.objects.filter(archived_at__isnull=True).select_related("region")
    return [connector_config(row) for row in rows.prefetch_related("rules", "channels", "preferences", "filters")]


def connector_config(row: Connector) -> ConnectorConfig:
    """The frozen form of one row. An address pasted with a trailing slash or /v1 means the same without."""
    vendor = registry.get(row.vendor)
    base_url = row.endpoint or (row.region.base_url if row.region else "")
    if not base_url and vendor and vendor.regions:
        base_url = vendor.regions[0].base_url
    concurrency = [n for n in (row.max_concurrency, vendor.max_concurrency if vendor else None) if n]
    return ConnectorConfig(
        id=row.id or 0,
        uid=str(row.uid),
        name=row.name,
        vendor=row.vendor,
        status=row.status,
        base_url=base_url.rstrip("/").removesuffix("/v1"),
        settings=row.settings,
        secrets=row.secrets,
        old_secrets=row.old_secrets,
        old_secrets_until=row.old_secrets_until,
        prefix=row.prefix,
        other_events=row.other_events,
        rules=tuple(
            EventRule(kind=rule.kind, name=rule.name, send=rule.send, send_as=rule.send_as)
            for rule in _lines(row, "rules")
        ),
        channels={mapping.channel: mapping.field for mapping in _lines(row, "channels")},
        preferences={mapping.preference: mapping.field for mapping in _lines(row, "preferences")},
        filters=tuple(
            FilterRule(
                condition=item.condition, action=item.action, percent=item.percent, path=item.path, fields=item.fields
            )
            for item in _lines(row, "filters")
            if item.enabled
        ),
        retry=tuple(row.retry) if isinstance(row.retry, list) else row.retry,
        rate_limit_per_second=rate_limit_of(row),
        max_concurrency=min(concurrency) if concurrency else None,
    )


def _lines(row: Connector, table: str) -> Iterable[Any]:
    """The lines of one of the connector's tables; a row that is not saved yet has none."""
    return getattr(row, table).all() if row.pk else ()


def rate_limit_of(row: Connector) -> float | None:
    """Calls a second: the connector's own limit or the service's, whichever is lower."""
    vendor = registry.get(row.vendor)
    limits = [limit for limit in (row.rate_limit_per_second, vendor.rate_limit if vendor else None) if limit]
    return min(limits) if limits else None


def _source_route(source: Source) -> SourceRoute:
    connectors = sorted(
        (connector.id, connector.status) for connector in source.connectors.all() if connector.archived_at is None
    )
    return SourceRoute(
        id=source.id,
        name=source.name,
        vendor=source.vendor,
        active=source.status == Source.Status.ACTIVE,
        config=SourceConfig(settings=source.settings, signing_secret=source.signing_secret),
        rate_limit=source.rate_limit_per_second,
        connectors=tuple(connectors),
        erases=source.erases,
    )
