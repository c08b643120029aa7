"""Replacing a connector's secrets. Where both sides must change theirs, the old one is used beside it for a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations import registry
from integrations.models import ROLL_OVERLAP, ConfigVersion, Connector


def replace(connector: Connector, new: Mapping[str, str], now: datetime) -> None:
    """The connector's secrets are ``new`` from now on; the row is not saved."""
    vendor = registry.get(connector.vendor)
    rolled = {
        setting.name: old
        for setting in (vendor.settings if vendor else ())
        if setting.overlaps
        and (old := connector.secrets.get(setting.name))
        and new.get(setting.name) not in ("", None, old)
    }
    if rolled:
        connector.old_secrets, connector.old_secrets_until = rolled, now + ROLL_OVERLAP
    connector.secrets, connector.secrets_changed_at = dict(new), now


def end_overlap(connector: Connector) -> bool:
    """The old secret stops at once. Returns whether there was one."""
    if not connector.old_secrets:
        return False
    connector.old_secrets, connector.old_secrets_until = {}, None
    connector.save(update_fields=["old_secrets", "old_secrets_until"])
    return True


def forget_ended(now: datetime) -> int:
    """Throw away old secrets whose day is over. Returns of how many connectors."""
    count = Connector.objects.filter(old_secrets_until__lte=now).update(old_secrets={}, old_secrets_until=None)
    if count:
        ConfigVersion.bump()
    return count
