"""Which alert rules cover one connector: the usual ones, and its own in their place."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from deliveries import problems, recipients
from deliveries.alarm import AlertRule
from integrations.models import Connector


@dataclass(frozen=True)
class Covered:
    """``usual`` is the limit for all connectors, ``own`` the id of the connector's own rule, None where it has none;
    ``told`` is who hears of it."""

    kind: str
    what: str
    limit: int
    usual: int
    counts: bool
    unit: str
    on: bool
    own: int | None
    told: list[str]


def of(connector: Connector) -> list[Covered]:
    """Three queries. The workers' silence is nobody's own, so it is not among them."""
    rules = AlertRule.objects.filter(Q(connector=None) | Q(connector=connector)).prefetch_related(recipients.PREFETCH)
    found = {(rule.kind, rule.connector_id): rule for rule in rules}
    everybody = recipients.everybody()
    lines = []
    for kind, (limit, enabled, unit) in problems.DEFAULTS.items():
        if kind != AlertRule.Kind.SILENT:
            usual = found.get((kind.value, None)) or AlertRule(kind=kind.value, limit=limit, enabled=enabled)
            own = found.get((kind.value, connector.pk))
            rule = own or usual
            told = next((named for one in (own, usual) if (named := recipients.named(one))), everybody)
            names = [str(target.person or target.name) for target in told]
            lines.append(
                Covered(
                    kind.value,
                    str(rule),
                    rule.limit,
                    usual.limit,
                    rule.counts,
                    unit,
                    rule.enabled,
                    own.pk if own else None,
                    names,
                )
            )
    return lines
