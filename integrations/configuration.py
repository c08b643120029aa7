"""The configuration as one JSON document: out, and in again.

An import goes by name, is all or nothing, and leaves alone what the document does not name. A source or connector that
it names becomes what it says: what is left out gets its default. Kept where left out are the status, secrets, private
settings (a webhook's headers) and write keys, so that a document without them can be passed around and imported again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from integrations import registry, rolling
from integrations.configuration_checks import BadConfiguration, Json, Known
from integrations.configuration_reading import VERSION, ConnectorPlan, SourcePlan, read
from integrations.models import (
    ChannelMapping,
    ConfigVersion,
    Connector,
    EventRule,
    Filter,
    PreferenceMapping,
    RegionEndpoint,
    Source,
    WriteKey,
)
from integrations.secrets import digest, hint

__all__ = ["BadConfiguration", "export_document", "import_document"]
IMPORT = "the configuration import"
TABLES: dict[str, tuple[type[models.Model], tuple[str, ...]]] = {
    "rules": (EventRule, ("kind", "name", "send", "send_as")),
    "channels": (ChannelMapping, ("channel", "field")),
    "preferences": (PreferenceMapping, ("preference", "field")),
    "filters": (Filter, ("condition", "action", "percent", "path", "fields", "enabled")),
}
TABLE_WORDS = {"rules": "events"}


def import_document(document: Json, *, dry_run: bool = False) -> list[str]:
    """Apply the document; returns what changed (or would change), a line each, none when all is as it says.

    Raises BadConfiguration with every mistake; then nothing is changed.
    """
    with transaction.atomic():
        plan = read(document, _known())
        changes: list[str] = []
        for source in plan.sources:
            changes += _apply_source(source)
        for connector in plan.connectors:
            changes += _apply_connector(connector)
        if dry_run:
            transaction.set_rollback(True)
    return changes


def export_document(*, with_secrets: bool = False, only: Connector | None = None) -> dict[str, Json]:
    """The whole configuration, or ``only`` one connector and the sources that it listens to, so that it can be imported
    elsewhere; secrets, signing secrets and write keys only on request."""
    sources = Source.objects.prefetch_related("write_keys")
    connectors = Connector.objects.filter(archived_at__isnull=True).select_related("region")
    if only is not None:
        sources, connectors = sources.filter(connectors=only), connectors.filter(pk=only.pk)
    tables = connectors.prefetch_related("sources", *TABLES)
    return {
        "version": VERSION,
        "sources": [_source_out(row, with_secrets) for row in sources.order_by("name")],
        "connectors": [_connector_out(row, with_secrets) for row in tables.order_by("name")],
    }


def _known() -> Known:
    regions: dict[str, list[str]] = {}
    for vendor, slug in RegionEndpoint.objects.values_list("vendor", "slug"):
        regions.setdefault(vendor, []).append(slug)
    connectors = list(Connector.objects.all())
    return Known(
        sources=frozenset(Source.objects.values_list("name", flat=True)),
        connector_vendors={row.name: row.vendor for row in connectors},
        secrets={row.name: row.secrets for row in connectors},
        regions=regions,
        key_owners={row.key: row.source.name for row in WriteKey.objects.select_related("source")},
    )


# In


def _apply_source(plan: SourcePlan) -> list[str]:
    row = Source.objects.filter(name=plan.name).first()
    created = row is None
    row = row or Source(name=plan.name)
    values = dict(plan.values)
    if plan.status is not None:
        values["status"] = plan.status
    if plan.signing_secret is not None:
        values["signing_secret"] = plan.signing_secret
    changed = _assign(row, values)
    if created or changed:
        row.save()
    for label, key in plan.keys:
        changed += _apply_key(row, label, key)
    return _lines(f"source “{row.name}”", created, changed)


def _apply_key(source: Source, label: str, key: str) -> list[str]:
    """The key as given: one that was revoked or is running out works again."""
    row = next((item for item in source.write_keys.all() if item.key == key), None)
    if row is None:
        WriteKey.objects.create(source=source, label=label, key=key, digest=digest(key), hint=hint(key))
        return [f"write key “{label}” added"]
    if (row.label, row.revoked_at, row.expires_at) == (label, None, None):
        return []
    row.label, row.revoked_at, row.expires_at = label, None, None
    row.save()
    return [f"write key “{label}”"]


def _apply_connector(plan: ConnectorPlan) -> list[str]:
    row = Connector.objects.select_related("region").filter(name=plan.name).first()
    created = row is None
    row = row or Connector(name=plan.name)
    region = RegionEndpoint.objects.filter(vendor=plan.values["vendor"], slug=plan.region).first()
    kept = {name: row.settings[name] for name in _private(row) - plan.given if name in row.settings}
    values = {**plan.values, "settings": {**plan.values["settings"], **kept}, "archived_at": None}
    changed = _assign(row, {**values, "region": region if plan.region else None})
    if plan.secrets != row.secrets:
        rolling.replace(row, plan.secrets, timezone.now())
        changed.append("secrets")
    if plan.status is not None and (plan.status != row.status or created):
        row.status, row.status_by, row.status_at = plan.status, IMPORT, timezone.now()
        row.status_reason, row.resume_at = "", None
        changed.append("status")
    if created or changed:
        row.save()
    for name, (model, columns) in TABLES.items():
        if _replace_table(row, name, model, columns, getattr(plan, name)):
            changed.append(TABLE_WORDS.get(name, name))
    if {source.name for source in row.sources.all()} != set(plan.sources):
        row.sources.set(Source.objects.filter(name__in=plan.sources))
        changed.append("sources")
    return _lines(f"connector “{row.name}”", created, changed)


def _assign(row: models.Model, values: Mapping[str, Any]) -> list[str]:
    """Set the values; returns the names of those that differed."""
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _replace_table(
    connector: Connector, name: str, model: type[models.Model], columns: tuple[str, ...], rows: Iterable[dict[str, Any]]
) -> bool:
    """Make the connector's lines these, in this order; untouched where they are already."""
    rows = list(rows)
    manager = getattr(connector, name)
    if [dict(zip(columns, values, strict=True)) for values in manager.order_by("id").values_list(*columns)] == rows:
        return False
    manager.all().delete()
    model._default_manager.bulk_create([model(connector=connector, **row) for row in rows])
    ConfigVersion.bump()
    return True


def _lines(what: str, created: bool, changed: list[str]) -> list[str]:
    if created:
        return [f"{what}: new"]
    return [f"{what}: {', '.join(changed)}"] if changed else []


# Out


def _source_out(row: Source, with_secrets: bool) -> dict[str, Json]:
    document: dict[str, Json] = {"name": row.name, "vendor": row.vendor, "status": row.status}
    if with_secrets:
        usable = [key for key in row.write_keys.all() if key.revoked_at is None]
        document["write_keys"] = [{"label": key.label, "key": key.key} for key in usable]
        document["signing_secret"] = row.signing_secret or None
    document |= {"settings": row.settings, "rate_limit_per_second": row.rate_limit_per_second}
    return {**document, "erases": row.erases}


def _connector_out(row: Connector, with_secrets: bool) -> dict[str, Json]:
    document: dict[str, Json] = {
        "name": row.name,
        "vendor": row.vendor,
        "status": row.status,
        "sources": sorted(source.name for source in row.sources.all()),
        "region": row.region.slug if row.region else None,
        "endpoint": row.endpoint or None,
        "settings": row.settings if with_secrets else public_settings(row),
    }
    if with_secrets:
        document["secrets"] = row.secrets
    return {
        **document,
        "prefix": row.prefix,
        "other_events": row.other_events,
        "events": [_rule_out(rule) for rule in row.rules.all()],
        "channels": {item.channel: item.field for item in row.channels.all()},
        "preferences": {item.preference: item.field for item in row.preferences.all()},
        "filters": [_filter_out(item) for item in row.filters.all()],
        "retry": row.retry,
        "rate_limit_per_second": row.rate_limit_per_second,
        "max_concurrency": row.max_concurrency,
        "notes": row.notes,
    }


def public_settings(row: Connector) -> dict[str, Json]:
    private = _private(row)
    return {name: value for name, value in row.settings.items() if name not in private}


def _private(row: Connector) -> set[str]:
    """The settings that are treated like secrets: left out where not asked for, and kept where left out."""
    vendor = registry.get(row.vendor)
    return {setting.name for setting in vendor.settings if setting.private} if vendor else set()


def _rule_out(rule: EventRule) -> dict[str, Json]:
    """Without what says nothing, as a person would write it."""
    given = {"type": rule.kind, "event": rule.name, "send": rule.send, "send_as": rule.send_as}
    return {name: value for name, value in given.items() if value != ""}


def _filter_out(item: Filter) -> dict[str, Json]:
    then: Json = item.action
    if item.action == Filter.Action.SAMPLE:
        then = {"sample": item.percent, **({"path": item.path} if item.path else {})}
    elif item.action in (Filter.Action.DROP_PROPERTIES, Filter.Action.ALLOW_PROPERTIES):
        then = {str(item.action): item.fields}
    return {"if": item.condition, "then": then, **({} if item.enabled else {"enabled": False})}
