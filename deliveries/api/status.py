"""For load balancers and monitoring: is the process up, can it do its work, and figures for Prometheus.

These routes need no session and no host name, and are asked often: each is a handful of index look-ups.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from deliveries.engine.claim import due_times
from deliveries.log import UNUSUAL
from deliveries.models import Delivery, Heartbeat, Status
from integrations.models import Connector

SILENT_AFTER = timedelta(seconds=60)
OVERDUE_AFTER = timedelta(minutes=10)
_migrated = False


def healthz(request: HttpRequest) -> HttpResponse:
    """The process is up. Asks nobody."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 if events can be taken in and are being delivered, else 503; the body says which part is not well."""
    now = timezone.now()
    checks: dict[str, Any] = {}
    try:
        checks["database"] = "ok"
        checks["migrations"] = "ok" if _all_migrated() else "some are not applied: restart with `manage.py serve`"
        checks["worker"] = _worker(now)
        checks["oldest_due_seconds"] = waiting = oldest_due_seconds(now)
        late = waiting > OVERDUE_AFTER.total_seconds()
        checks["due_deliveries"] = "late: the workers do not keep up" if late else "ok"
    except DatabaseError as error:
        checks["database"] = f"does not answer: {error.__class__.__name__}"
        connection.close()
    ready = all(value == "ok" for name, value in checks.items() if name != "oldest_due_seconds")
    status = "ready" if ready else "not ready"
    return JsonResponse({"status": status, "checks": checks}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Without the database there are no figures: 503, which Prometheus takes for a scrape that failed."""
    registry = CollectorRegistry()
    try:
        registry.register(TableCollector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError as error:
        connection.close()
        message = f"The database does not answer: {error.__class__.__name__}\n"
        return HttpResponse(message, status=503, content_type="text/plain")


def heartbeat_age(now: datetime) -> float | None:
    """Seconds since any worker's last sign of life; None if there never was one."""
    newest = Heartbeat.objects.aggregate(newest=Max("seen_at"))["newest"]
    return None if newest is None else max(0.0, (now - newest).total_seconds())


def oldest_due_seconds(now: datetime) -> float:
    """For how long the oldest due delivery has been waiting; 0 if none is due."""
    active = list(Connector.objects.filter(status=Connector.Status.ACTIVE).values_list("id", flat=True))
    oldest = min(due_times(active).values(), default=now)
    return round(max(0.0, (now - oldest).total_seconds()), 1)


def _worker(now: datetime) -> str:
    age = heartbeat_age(now)
    if age is None:
        return "never seen: start one with `manage.py serve`"
    return "ok" if age < SILENT_AFTER.total_seconds() else f"silent for {int(age)} s"


def _all_migrated() -> bool:
    """Looked at until it is true once: afterwards only a new version could change it, and that restarts us."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


class TableCollector(Collector):
    """Reads the tables when it is scraped, so that any process can answer for all."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        age = heartbeat_age(now)
        yield GaugeMetricFamily(
            "signalbox_worker_heartbeat_age_seconds", "Since a worker's last sign of life.", -1 if age is None else age
        )
        yield GaugeMetricFamily(
            "signalbox_oldest_due_seconds", "For how long the oldest due delivery waits.", oldest_due_seconds(now)
        )
        names = dict(Connector.objects.values_list("id", "name"))
        deliveries = GaugeMetricFamily(
            "signalbox_deliveries",
            "Deliveries that are not simply delivered, by connector and status.",
            labels=["connector", "status"],
        )
        rows = Delivery.objects.filter(status__in=UNUSUAL).order_by().values("connector_id", "status")
        for row in rows.annotate(count=Count("id")):
            deliveries.add_metric([names.get(row["connector_id"], "?"), row["status"]], row["count"])
        yield deliveries
        yield self._last_minutes(now, names)

    def _last_minutes(self, now: datetime, names: dict[int, str]) -> Metric:
        recent = GaugeMetricFamily(
            "signalbox_deliveries_last_5_minutes",
            "Deliveries of events that came in within the last five minutes, by connector and status.",
            labels=["connector", "status"],
        )
        rows = Delivery.objects.filter(created_at__gte=now - timedelta(minutes=5)).order_by()
        for row in rows.values("connector_id", "status").annotate(count=Count("id")):
            recent.add_metric([names.get(row["connector_id"], "?"), Status(row["status"]).value], row["count"])
        return recent
