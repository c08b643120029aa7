"""Encrypt every stored secret anew with the first of SECRETS_KEYS, so that the older keys can be thrown away."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import transaction

from config.commands import PreparedCommand
from integrations.models import ConfigVersion, WriteKey
from integrations.secrets import EncryptedJSONField, UnreadableSecret, digest


class Command(PreparedCommand):
    help = "Encrypt every stored secret with the newest key (the first of SECRETS_KEYS)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                count = rotate()
        except UnreadableSecret as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        rows = "1 row" if count == 1 else f"{count} rows"
        self.stdout.write(f"{rows} encrypted with the newest key. Older keys can be taken out of SECRETS_KEYS now.")


def rotate() -> int:
    """Read and write back every encrypted column of every model; returns the number of rows.

    Write keys' fingerprints are keyed with the newest key too, and are made again with it.
    """
    count = 0
    for model in apps.get_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedJSONField)]
        for row in model._default_manager.select_for_update() if names else ():
            values = {name: getattr(row, name) for name in names}
            if isinstance(row, WriteKey):
                values["digest"] = digest(row.key)
            model._default_manager.filter(pk=row.pk).update(**values)
            count += 1
    ConfigVersion.bump()
    return count
