"""The health of connectors, for lists and pages. Kept for some seconds: the counts cost most of a page's time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils import timezone

from deliveries import health
from deliveries.log import UNUSUAL, Among
from deliveries.models import Delivery, Status
from deliveries.siblings import not_replayed
from integrations import clock
from integrations.history import Change
from integrations.models import ConfigVersion, Connector

KEPT = 5  # seconds
TESTED = "Sent a test event: "  # and how it ended, in the connector's history
# Worst first, for lists.
ORDER = {"not_working": 0, "slow": 1, "not_set_up": 2, "paused": 3, "quiet": 4, "working": 5, "off": 6}


def is_draft(connector: Connector) -> bool:
    """Made, and never switched on or off by anybody."""
    return connector.status == Connector.Status.OFF and connector.status_at is None


def reports(
    connectors: Iterable[Connector], now: datetime | None = None, version: int | None = None
) -> dict[int, health.Report]:
    """Each connector's report. A change of the configuration, such as a pause, shows at once. ``version``: the
    configuration's, where it was just read."""
    rows = list(connectors)
    number = ConfigVersion.current() if version is None else version
    # The sentences have times in them. As numbers, since keys may be 250 characters long and connectors many.
    key = f"health:{clock.whose()}:{number}:{hash(tuple(row.pk for row in rows))}"
    found: dict[int, health.Report] | None = cache.get(key)
    if found is None:
        found = health.report(rows, now or timezone.now())
        cache.set(key, found, KEPT)
    return found


def tested_well(connectors: Iterable[Connector]) -> set[int]:
    """Those whose last test, within the last hour, was accepted: they work again, whatever the log says."""
    tests = Change.objects.filter(
        kind="connector",
        object_id__in=[row.pk for row in connectors],
        at__gte=timezone.now() - timedelta(hours=1),
        words__startswith=TESTED,
    )
    latest = dict(tests.order_by("id").values_list("object_id", "words"))
    return {key for key, words in latest.items() if key is not None and words == f"{TESTED}delivered"}


def need_a_look(connector: Connector, most: int = 1000) -> int:
    """How many of its deliveries failed and were not replayed yet, counted up to ``most``."""
    failed = Delivery.objects.filter(Among(UNUSUAL), connector=connector, status=Status.FAILED)
    return not_replayed(failed)[:most].count()


def worst_first(connectors: Iterable[Connector]) -> list[dict[str, Any]]:
    """The lines of a list of connectors: the row, its health and counts."""
    rows = list(connectors)
    found = reports(rows)
    lines = [{"row": row, "badge": found[row.pk].health, **_counts(found[row.pk])} for row in rows]
    return sorted(lines, key=lambda line: (ORDER.get(line["badge"].code, 9), line["row"].name.lower()))


def _counts(report: health.Report) -> dict[str, object]:
    counts = report.counts
    delivered, failed = counts.get("delivered", 0), counts.get("failed", 0)
    return {
        "total": sum(counts.values()),
        "failed": failed,
        "success": success(delivered, failed),
        "held": report.held,
        "last_delivered": report.last_delivered_at,
    }


def success(delivered: int, failed: int) -> float | None:
    """Percent of what came to an end; held and skipped deliveries are no failures. None when nothing ended."""
    return 100 * delivered / (delivered + failed) if delivered + failed else None
