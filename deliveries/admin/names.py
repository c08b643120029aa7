"""Event names: what arrives, from where, how often, and which connectors send it on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from deliveries.models import Event
from integrations import history, mapping, registry, selectors
from integrations.admin.pages import demand, show
from integrations.models import Connector, EventRule, Source
from integrations.types import EventKind

KEPT = 30
MOST = 200


def page(request: HttpRequest) -> HttpResponse:
    """The names of the last 24 hours, with what each connector of their source does with them."""
    rows = cache.get("names")
    if rows is None:
        rows = _names()
        cache.set("names", rows, KEPT)
    wanted, connector = request.GET.get("source", ""), request.GET.get("connector", "")
    sources = dict(Source.objects.values_list("id", "name"))
    snapshot = selectors.snapshot()
    lines = []
    for row in rows:
        if wanted and str(row["source_id"]) != wanted:
            continue
        route = snapshot.sources.get(row["source_id"])
        configs = [snapshot.connectors[key] for key, _ in route.connectors] if route else []
        if connector:
            configs = [config for config in configs if str(config.id) == connector]
            if not configs:
                continue
        fates = [_fate(config, row["type"], row["name"]) for config in configs]
        sent = sum(fate["sent"] for fate in fates)
        lines.append({**row, "source": sources.get(row["source_id"], ""), "fates": fates, "sent": sent})
    context: dict[str, Any] = {
        "lines": lines,
        "sources": [(str(key), name) for key, name in sources.items()],
        "connectors": [(str(config.id), config.name) for config in snapshot.connectors.values()],
    }
    return show(request, "console/names.html", "Event names", **context)


def _names() -> list[dict[str, Any]]:
    recent = Event.objects.filter(received_at__gte=timezone.now() - timedelta(hours=24), refused="").order_by()
    rows = recent.values("source_id", "type", "name").annotate(
        count=Count("id"), last=Max("received_at"), sample=Max("id")
    )
    return [dict(row) for row in rows.order_by("-count")[:MOST]]


def _fate(config: Any, kind: str, name: str) -> dict[str, Any]:
    """What this connector does with such an event: whether it sends it, and under which name."""
    vendor = registry.get(config.vendor)
    sent, outgoing = mapping.fate(config, vendor, EventKind(kind), name)
    return {"config": config, "sent": sent and config.status != "off", "as": outgoing if outgoing != name else ""}


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Switch one name on or off, or rename it, at one connector."""
    demand(request, "integrations.change_eventrule")
    connector = get_object_or_404(Connector, pk=_number(request.POST.get("connector", "")), archived_at=None)
    kind, name = request.POST.get("type", ""), request.POST.get("name", "")[:200]
    if kind in [one.value for one in EventKind]:
        with transaction.atomic():
            rule = (
                EventRule.objects.filter(connector=connector, kind__in=[kind, ""], name=name).order_by("-kind").first()
            )
            rule = rule or EventRule(connector=connector, kind=kind, name=name)
            before = f"{'sent' if rule.send else 'not sent'} {rule.send_as}".strip() if rule.pk else "no line"
            rule.send = request.POST.get("send") == "1"
            rule.send_as = request.POST.get("send_as", "").strip()[:200]
            rule.save()
            after = f"{'sent' if rule.send else 'not sent'} {rule.send_as}".strip()
            history.record(request.user, connector, f"Changed {name or kind}", [(name or kind, before, after)])
    return redirect(reverse("admin:events_seen"))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
