"""Which alert rules cover one connector: the usual ones, and its own in their place."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from deliveries import problems
from deliveries.alarm import AlertRule
from integrations.models import Connector


@dataclass(frozen=True)
class Covered:
    """``own`` is the id of the connector's own rule, None where the usual one counts."""

    kind: str
    what: str
    limit: int
    unit: str
    on: bool
    own: int | None


def of(connector: Connector) -> list[Covered]:
    """One query. The workers' silence is nobody's own, so it is not among them."""
    found: dict[str, AlertRule] = {}
    for rule in AlertRule.objects.filter(Q(connector=None) | Q(connector=connector)):
        if rule.connector_id or rule.kind not in found:
            found[rule.kind] = rule
    lines = []
    for kind, (limit, enabled, unit) in problems.DEFAULTS.items():
        if kind != AlertRule.Kind.SILENT:
            rule = found.get(kind.value) or AlertRule(kind=kind.value, limit=limit, enabled=enabled)
            own = rule.pk if rule.connector_id else None
            lines.append(Covered(kind.value, str(rule), rule.limit, unit, rule.enabled, own))
    return lines
