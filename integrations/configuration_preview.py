"""What a configuration document would change, or has changed, as people read it: before and after of each value.

Found by comparing the whole configuration before the import and after it, so that it tells no more and no less than the
import does. Of a secret it says only that it is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from integrations import history, registry
from integrations.configuration import export_document, import_document
from integrations.configuration_checks import Json
from integrations.models import Connector, Source, WriteKey

LONGEST = 300
LABELS = {
    "vendor": "service", "endpoint": "address of its own", "other_events": "other events", "retry": "tries again",
    "rate_limit_per_second": "speed limit", "max_concurrency": "calls at once", "sources": "listens to",
    "erases": "when a delete event comes in", "signing_secret": "signing secret",
}  # fmt: skip
HIDDEN = "••••"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One source or connector that the import makes (``new``) or changes. ``details`` are (what, before, after)."""

    kind: str
    name: str
    new: bool
    details: tuple[tuple[str, str, str], ...] = ()


def parse(text: str) -> Json:
    """The JSON value of a file. Raises ValueError in words that go on from "it is "."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not JSON: {error.msg} at {place}.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON that can be read: {error}.") from None


def preview(document: Json) -> list[Difference]:
    """What an import would change; nothing is changed. Raises BadConfiguration with every mistake."""
    with transaction.atomic():
        found = _import(document)
        transaction.set_rollback(True)
    return found


def apply(document: Json, by: object) -> list[Difference]:
    """Import, and write into the history what was changed. Raises BadConfiguration; then nothing is changed."""
    with transaction.atomic():
        found = _import(document)
        for one in found:
            model = Source if one.kind == "source" else Connector
            words = "Made from a configuration file" if one.new else "Changed by a configuration file"
            history.record(by, model._default_manager.get(name=one.name), words, one.details)
    return found


def _import(document: Json) -> list[Difference]:
    before = _state()
    import_document(document)
    after = _state()
    return [
        Difference(kind=key[0], name=key[1], new=key not in before, details=tuple(_details(before.get(key), values)))
        for key, values in after.items()
        if before.get(key) != values
    ]


def _state() -> dict[tuple[str, str], dict[str, Json]]:
    """Everything that an import can change, by kind and name."""
    document = export_document(with_secrets=True)
    keys: dict[str, dict[str, str]] = {}
    for key in WriteKey.objects.select_related("source").order_by("id"):
        state = "revoked" if key.revoked_at else "ends" if key.expires_at else "works"
        keys.setdefault(key.source.name, {})[str(key)] = state
    found = {}
    for row in document["sources"]:
        found["source", row["name"]] = {**row, "write_keys": keys.get(row["name"], {})}
    for row in document["connectors"]:
        found["connector", row["name"]] = row
    return found


def _details(before: Mapping[str, Json] | None, after: Mapping[str, Json]) -> Iterator[tuple[str, str, str]]:
    """Line by line; of what is new only what it is."""
    if before is None:
        yield "service", "", _service(after["vendor"])
        yield from _keys({}, after.get("write_keys", {}))
        return
    vendor = registry.get(after["vendor"])
    labels = {setting.name: setting.label for setting in vendor.settings} if vendor else {}
    for name, new in after.items():
        old: Any = before.get(name)
        if old == new:
            continue
        if name == "write_keys":
            yield from _keys(old, new)
        elif name in ("settings", "secrets"):
            for key in {**old, **new}:
                if old.get(key) != new.get(key):
                    hide = name == "secrets"
                    label = labels.get(key, key)
                    yield label, _words(old.get(key), hide=hide), _words(new.get(key), hide=hide, replaced=key in old)
        else:
            hide = name == "signing_secret"
            yield LABELS.get(name, name), _words(old, hide=hide), _words(new, hide=hide, replaced=bool(old))


def _keys(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key, state in new.items():
        if old.get(key) != state:
            yield f"write key {key}", old.get(key, "(none)"), state


def _service(slug: str) -> str:
    vendor = registry.get(slug)
    return vendor.label if vendor else slug


def _words(value: Any, *, hide: bool = False, replaced: bool = False) -> str:
    if value in (None, "", [], {}):
        return "(none)"
    if hide:
        return "replaced" if replaced else HIDDEN
    return _said(value)[:LONGEST]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_said(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(_said(one) for one in value)
    return str(value)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
