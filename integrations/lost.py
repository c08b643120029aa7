"""What cannot be read any more when SECRETS_KEYS has lost a key: counted without the models, which would not load."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import connection, models

from integrations.secrets import EncryptedJSONField, UnreadableSecret, decrypt

ENOUGH = 1000  # rows of one table: more only means "more"
NAMES = {
    "connector": "connectors, with their keys and settings",
    "source": "sources, with their signing secrets",
    "writekey": "write keys of sources",
    "alerttarget": "addresses that alerts go to",
    "authenticator": "two-step logins",
    "recoverycodes": "sets of recovery codes",
    "erasure": "notes of whose data was erased",
}


def unreadable() -> list[tuple[str, int]]:
    """(what, how many rows) that none of SECRETS_KEYS opens; a query for each table with secrets."""
    found = []
    for model in apps.get_models():
        fields = [field for field in model._meta.concrete_fields if isinstance(field, EncryptedJSONField)]
        columns = [field.column for field in fields if field.column]
        if columns and (count := sum(map(_lost, _rows(model, columns)))):
            name = model._meta.model_name or ""
            found.append((NAMES.get(name, str(model._meta.verbose_name_plural)), count))
    return found


def _rows(model: type[models.Model], columns: list[str]) -> Iterator[tuple[str | None, ...]]:
    """As they are stored: the fields themselves would decrypt."""
    quote = connection.ops.quote_name
    shown = ", ".join(map(quote, columns))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {shown} FROM {quote(model._meta.db_table)} LIMIT {ENOUGH}")  # noqa: S608 - ours
        yield from cursor.fetchall()


def _lost(values: tuple[str | None, ...]) -> bool:
    try:
        for value in values:
            if value:
                decrypt(value)
    except UnreadableSecret:
        return True
    return False
