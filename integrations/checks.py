"""Misconfiguration is said by `manage.py check` with an id and a hint, not by a page that breaks."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError


@register()
def secrets_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every key of SECRETS_KEYS must be one: with a bad one no saved secret could be read."""
    found: list[CheckMessage] = []
    hint = "Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
    if not settings.SECRETS_KEYS:
        found.append(Error("SECRETS_KEYS is empty.", hint=hint, id="signalbox.E001"))
    for number, key in enumerate(settings.SECRETS_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            found.append(Error(f"Key {number} of SECRETS_KEYS is not a Fernet key.", hint=hint, id="signalbox.E002"))
    return found


@register()
def private_networks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for text in settings.ALLOWED_PRIVATE_NETWORKS:
        try:
            ip_network(text)
        except ValueError as error:
            hint = "Write networks as 10.0.0.0/8, with commas between them."
            found.append(Error(f"ALLOWED_PRIVATE_NETWORKS: {error}.", hint=hint, id="signalbox.E003"))
    return found


@register("database")
def vendors_of_rows(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A row can outlive its vendor's file; whoever runs this should know that nothing is sent for it."""
    from integrations import registry
    from integrations.models import Connector

    if not databases:
        return []
    try:
        names = Connector.objects.filter(archived_at=None).exclude(vendor__in=registry.vendors())
        rows = list(names.values_list("name", "vendor"))
    except DatabaseError:  # not migrated yet
        return []
    return [
        Warning(
            f"The connector “{name}” belongs to the service “{vendor}”, for which there is no file.",
            hint=f"Put integrations/vendors/{vendor}.py back, or remove the connector.",
            id="signalbox.W001",
        )
        for name, vendor in rows
    ]
