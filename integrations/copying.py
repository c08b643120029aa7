"""A second connector like another one."""

from __future__ import annotations

from django.db import models, transaction

from integrations.configuration import TABLES, public_settings
from integrations.models import ConfigVersion, Connector

COPIED = (
    "vendor", "region_id", "endpoint", "prefix", "other_events", "retry", "rate_limit_per_second",
    "max_concurrency", "notes",
)  # fmt: skip


def copied(row: Connector) -> Connector:
    """A draft with the settings and tables of ``row``. It has no keys, because it is for another account, and listens
    to no source, because it is not set up yet."""
    values = {name: getattr(row, name) for name in COPIED} | {"settings": public_settings(row)}
    with transaction.atomic():
        copy = Connector.objects.create(name=free_name(row.name), status=Connector.Status.OFF, **values)
        for table, (model, columns) in TABLES.items():
            lines = getattr(row, table).order_by("id").values(*columns)
            _make(model, copy, list(lines))
        ConfigVersion.bump()
    return copy


def _make(model: type[models.Model], connector: Connector, lines: list[dict[str, object]]) -> None:
    model._default_manager.bulk_create([model(connector=connector, **line) for line in lines])


def free_name(name: str) -> str:
    """ "Segment – production (copy)", or with the next number that is free; cut to what the column takes."""
    endings = [" (copy)", *(f" (copy {number})" for number in range(2, 1000))]
    taken = set(Connector.objects.values_list("name", flat=True))
    wanted = (f"{name[: 100 - len(ending)]}{ending}" for ending in endings)
    return next(one for one in wanted if one not in taken)
