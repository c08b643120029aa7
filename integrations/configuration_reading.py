"""The sources and connectors of a configuration document, checked and with defaults filled in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from integrations import filters
from integrations.configuration_checks import (
    BadConfiguration,
    Json,
    Known,
    Notes,
    Reader,
    address_problem,
    check_settings,
    is_number,
    kind_of,
    retry_problem,
    shown,
    text_problem,
)
from integrations.types import EventKind, FilterRule, Vendor

VERSION = 1
SOURCE_FIELDS = (
    "name",
    "vendor",
    "status",
    "write_keys",
    "signing_secret",
    "settings",
    "rate_limit_per_second",
    "erases",
)
CONNECTOR_FIELDS = (
    "name", "vendor", "status", "sources", "region", "endpoint", "settings", "secrets", "prefix", "other_events",
    "events", "channels", "preferences", "filters", "retry", "rate_limit_per_second", "max_concurrency", "notes",
)  # fmt: skip
STATUSES = ("active", "paused", "off")
NAME, EVENT, CONDITION = 100, 200, 2000


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """A source as it shall be. ``status`` None keeps the stored one; ``signing_secret`` likewise."""

    name: str
    values: dict[str, Any]
    status: str | None
    signing_secret: str | None
    keys: tuple[tuple[str, str], ...]  # (label, key)


@dataclass(frozen=True, kw_only=True)
class ConnectorPlan:
    """A connector as it shall be. ``status`` None keeps the stored one; ``secrets`` are all of them; ``given`` are the
    settings that stand in the document, rather than being defaults."""

    name: str
    values: dict[str, Any]
    status: str | None
    region: str
    sources: tuple[str, ...]
    secrets: dict[str, str]
    given: frozenset[str]
    rules: tuple[dict[str, Any], ...]
    channels: tuple[dict[str, Any], ...]
    preferences: tuple[dict[str, Any], ...]
    filters: tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    sources: tuple[SourcePlan, ...] = ()
    connectors: tuple[ConnectorPlan, ...] = field(default=())


def read(document: Json, known: Known) -> Plan:
    """What the document asks for. Raises BadConfiguration with every mistake in it."""
    notes = Notes()
    reader = Reader(document, "", ("version", "sources", "connectors"), notes)
    if isinstance(document, dict) and (isinstance(document.get("version"), bool) or document.get("version") != VERSION):
        reader.wrong("version", f"this document must have version {VERSION}.")
    sources = [_source(item, path, known, notes) for item, path in reader.items("sources")]
    names = known.sources | {source.name for source in sources}
    connectors = [_connector(item, path, known, names, notes) for item, path in reader.items("connectors")]
    _unique("sources", [source.name for source in sources], notes)
    _unique("connectors", [connector.name for connector in connectors], notes)
    keys = [
        (f"sources[{i}].write_keys[{j}].key", key) for i, s in enumerate(sources) for j, (_, key) in enumerate(s.keys)
    ]
    times = Counter(key for _, key in keys)
    for path, key in keys:
        if key and times[key] > 1:
            notes.add(path, "this key stands in the document more than once.")
    if notes.problems:
        raise BadConfiguration(notes.problems)
    return Plan(sources=tuple(sources), connectors=tuple(connectors))


def _unique(key: str, names: list[str], notes: Notes) -> None:
    for index, name in enumerate(names):
        if name and name in names[:index]:
            notes.add(f"{key}[{index}].name", f"“{name}” stands in the document more than once.")


def _source(value: Json, path: str, known: Known, notes: Notes) -> SourcePlan:
    reader = Reader(value, path, SOURCE_FIELDS, notes)
    name = reader.text("name", required=True, most=NAME)
    vendor = reader.vendor("segment", lambda item: item.receives, "does not send events to us")
    settings = reader.mapping("settings")
    if vendor is not None and vendor.receive is not None:
        settings = check_settings(reader, settings, vendor.receive.settings)
    keys = []
    for item, item_path in reader.items("write_keys"):
        row = Reader(item, item_path, ("label", "key"), notes)
        key = row.text("key", required=True)
        if key and (any(char.isspace() for char in key) or ":" in key):
            row.wrong("key", "a key has no spaces and no colon in it.")
        owner = known.key_owners.get(key)
        if key and owner is not None and owner != name:
            row.wrong("key", f"this key belongs to the source “{owner}”.")
        keys.append((row.text("label", "main", most=NAME), key))
    secret = None
    if isinstance(value, dict) and "signing_secret" in value:
        secret = reader.text("signing_secret", most=500)
    return SourcePlan(
        name=name,
        values={
            "vendor": vendor.slug if vendor else "",
            "settings": settings,
            "rate_limit_per_second": reader.number("rate_limit_per_second", whole=True),
            "erases": reader.choice("erases", ("no", "source", "all"), "no"),
        },
        status=reader.choice("status", ("active", "off"), "") or None,
        signing_secret=secret,
        keys=tuple(keys),
    )


def _connector(value: Json, path: str, known: Known, sources: frozenset[str] | set[str], notes: Notes) -> ConnectorPlan:
    reader = Reader(value, path, CONNECTOR_FIELDS, notes)
    name = reader.text("name", required=True, most=NAME)
    vendor = reader.vendor("", lambda item: item.sends, "only sends events to us")
    before = known.connector_vendors.get(name)
    if vendor is not None and before is not None and before != vendor.slug:
        reader.wrong("vendor", f"“{name}” is a {before} connector already; another service needs another name.")
    settings, secrets = reader.mapping("settings"), reader.mapping("secrets")
    given = frozenset(settings)
    if vendor is not None:
        settings = check_settings(reader, settings, vendor.settings)
        secrets = check_settings(reader, secrets, vendor.settings, saved=known.secrets.get(name, {}))
    endpoint = reader.text("endpoint")
    if endpoint and (words := address_problem(endpoint)):
        reader.wrong("endpoint", words)
    retry = reader.value.get("retry")
    if retry is not None and (words := retry_problem(retry)):
        reader.wrong("retry", words)
    return ConnectorPlan(
        name=name,
        values={
            "vendor": vendor.slug if vendor else "",
            "endpoint": endpoint,
            "settings": settings,
            "prefix": reader.text("prefix", most=50),
            "other_events": reader.choice("other_events", ("send", "skip"), "send"),
            "retry": "standard" if retry is None else retry,
            "rate_limit_per_second": reader.number("rate_limit_per_second"),
            "max_concurrency": reader.number("max_concurrency", whole=True),
            "notes": reader.text("notes", most=10_000),
        },
        status=reader.choice("status", STATUSES, "") or None,
        region=_region(reader, vendor, known),
        sources=_listens_to(reader, sources),
        secrets=secrets,
        given=given,
        rules=_rules(reader),
        channels=_mappings(reader, "channels", "channel", vendor),
        preferences=_mappings(reader, "preferences", "preference", vendor),
        filters=tuple(_filter(item, item_path, notes) for item, item_path in reader.items("filters")),
    )


def _region(reader: Reader, vendor: Vendor | None, known: Known) -> str:
    region = reader.text("region", most=50)
    if region and vendor is not None:
        regions = known.regions.get(vendor.slug, ())
        if region not in regions:
            there = f"there are {', '.join(regions)}" if regions else f"{vendor.label} has none"
            reader.wrong("region", f"there is no region “{region}”; {there}.")
    return region


def _listens_to(reader: Reader, sources: frozenset[str] | set[str]) -> tuple[str, ...]:
    names = []
    for item, path in reader.items("sources"):
        if words := text_problem(item, NAME):
            reader.notes.add(path, words)
        elif item not in sources:
            reader.notes.add(path, f"there is no source “{item}”, neither here nor in this document.")
        elif item in names:
            reader.notes.add(path, f"“{item}” stands here twice.")
        else:
            names.append(item)
    return tuple(names)


def _rules(reader: Reader) -> tuple[dict[str, Any], ...]:
    rules: list[dict[str, Any]] = []
    for item, path in reader.items("events"):
        row = Reader(item, path, ("type", "event", "send", "send_as"), reader.notes)
        kind = row.choice("type", [kind.value for kind in EventKind], "")
        rule = {
            "kind": kind,
            "name": row.text("event", most=EVENT),
            "send": row.boolean("send", True),
            "send_as": row.text("send_as", most=EVENT),
        }
        if not (row.value.get("type") or row.value.get("event")):
            reader.notes.add(path, "a line needs an event's name, a type, or both.")
        if any((rule["kind"], rule["name"]) == (other["kind"], other["name"]) for other in rules):
            reader.notes.add(path, "there is a line for this event already.")
        rules.append(rule)
    return tuple(rules)


def _mappings(reader: Reader, key: str, column: str, vendor: Vendor | None) -> tuple[dict[str, Any], ...]:
    """Channels or preferences. Channels that are not given at all get the vendor's defaults."""
    offered = {} if vendor is None else {slug: default for slug, _, default in getattr(vendor, key)}
    if key == "channels" and vendor is not None and not reader.has(key):
        return tuple({column: slug, "field": offered[slug]} for slug in vendor.default_channels)
    rows = []
    for name, path in reader.mapping(key).items():
        if vendor is not None and name not in offered:
            there = f"there are {', '.join(offered)}" if offered else f"{vendor.label} has none"
            reader.wrong(f"{key}.{name}", f"there is no such {column}; {there}.")
        elif words := "missing: the field it comes from." if path == "" else text_problem(path, EVENT):
            reader.wrong(f"{key}.{name}", words)
        else:
            rows.append({column: name, "field": path})
    return tuple(rows)


def _filter(value: Json, path: str, notes: Notes) -> dict[str, Any]:
    reader = Reader(value, path, ("if", "then", "enabled"), notes)
    row: dict[str, Any] = {
        "condition": reader.text("if", "all", most=CONDITION),
        "enabled": reader.boolean("enabled", True),
        **_action(reader),
    }
    if words := filters.problems(row["condition"]):
        reader.wrong("if", f"{words}.")
    rule = {name: item for name, item in row.items() if name != "enabled"}
    if words := filters.rule_problems(FilterRule(**{**rule, "condition": filters.ALL})):
        reader.wrong("then", f"{words}.")
    return row


def _action(reader: Reader) -> dict[str, Any]:
    """The columns of a filter's "then"."""
    row: dict[str, Any] = {"action": "drop", "percent": 1.0, "path": "", "fields": {}}
    then = reader.value.get("then", "drop")
    if isinstance(then, str):
        return {**row, "action": reader.choice("then", ("drop", "only_send"), "drop")}
    if not isinstance(then, dict):
        reader.wrong("then", f"a text or an object was expected, not {kind_of(then)}.")
        return row
    inner = Reader(then, reader.at("then"), ("sample", "path", "drop_properties", "allow_properties"), reader.notes)
    actions = [name for name in ("sample", "drop_properties", "allow_properties") if inner.has(name)]
    if len(actions) != 1 or ("path" in then and actions != ["sample"]):
        reader.wrong("then", "give one of sample (with or without a path), drop_properties, allow_properties.")
        return row
    if actions == ["sample"]:
        share = then["sample"]
        if not is_number(share) or not 0 <= share <= 1:
            inner.wrong("sample", f"{shown(share)} is not a share from 0 to 1.")
            share = 1.0
        return {**row, "action": "sample", "percent": float(share), "path": inner.text("path", most=EVENT)}
    fields = {}
    for name, keys in inner.mapping(actions[0]).items():
        if not isinstance(keys, list) or any(text_problem(key, EVENT) or not key for key in keys):
            inner.wrong(f"{actions[0]}.{name}", "a list of field names was expected.")
        else:
            fields[name] = keys
    return {**row, "action": actions[0], "fields": fields or {"": ["type"]}}
