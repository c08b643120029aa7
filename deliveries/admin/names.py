"""Event names: what arrives, from where, how often, and which connectors send it on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from deliveries.admin.listing import PAGE
from deliveries.models import Event
from integrations import history, mapping, registry, selectors
from integrations.admin.pages import demand, show
from integrations.models import Connector, EventRule, Source
from integrations.selectors import Snapshot
from integrations.types import ConnectorConfig, EventKind

KEPT = 30
MOST = 1000  # names that are counted: a sender may make up new ones without end
KINDS = tuple(kind.value for kind in EventKind)
LABEL = "admin:events_seen"


def page(request: HttpRequest) -> HttpResponse:
    """The names of the last 24 hours, the most frequent first, with how many connectors of their source send them."""
    sources = dict(Source.objects.values_list("id", "name"))
    snapshot = selectors.snapshot()
    connector = request.GET.get("connector", "")
    known = _recent()
    rows = [row for row in known if _wanted(row, request.GET, snapshot)]
    last = max(1, -(-len(rows) // PAGE))
    at = min(max(1, _number(request.GET.get("page", ""))), last)
    lines = []
    for row in rows[(at - 1) * PAGE : at * PAGE]:
        fates = _fates(row, snapshot, connector)
        address = urlencode({"source": row["source_id"], "type": row["type"], "name": row["name"]})
        sent = sum(fate["sent"] for fate in fates)
        source = sources.get(row["source_id"], "")
        lines.append({**row, "source": source, "fates": fates, "sent": sent, "address": address})
    context: dict[str, Any] = {
        "lines": lines,
        "count": len(rows),
        "most": MOST if len(known) == MOST else 0,
        "before": at - 1,
        "after": at + 1 if at < last else 0,
        "filtered": any(request.GET.get(name) for name in ("q", "source", "connector")),
        "sources": [(str(key), name) for key, name in sources.items()],
        "connectors": [(str(config.id), config.name) for config in snapshot.connectors.values()],
    }
    return show(request, "console/names.html", "Event names", **context)


def one(request: HttpRequest) -> HttpResponse:
    """What each connector of its source does with one name, and the switch and new name for each."""
    if not request.GET.get("source"):
        return redirect(LABEL)
    source = get_object_or_404(Source, pk=_number(request.GET["source"]))
    kind, name = request.GET.get("type", ""), request.GET.get("name", "")[:200]
    if kind not in KINDS:
        raise Http404("There is no such kind of event.")
    row = {"source_id": source.pk, "type": kind, "name": name}
    seen = next((one for one in _recent() if row.items() <= one.items()), None)
    crumbs = [("Event names", reverse(LABEL))]
    context: dict[str, Any] = {
        "row": seen or row,
        "source": source,
        "fates": _fates(row, selectors.snapshot()),
        "crumbs": crumbs,
    }
    return show(request, "console/name.html", name or kind, **context)


def _recent() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] | None = cache.get("names")
    if found is None:
        recent = Event.objects.filter(received_at__gte=timezone.now() - timedelta(hours=24), refused="").order_by()
        rows = recent.values("source_id", "type", "name").annotate(
            count=Count("id"), last=Max("received_at"), sample=Max("id")
        )
        found = [dict(row) for row in rows.order_by("-count", "name")[:MOST]]
        cache.set("names", found, KEPT)
    return found


def _wanted(row: Mapping[str, Any], params: Mapping[str, str], snapshot: Snapshot) -> bool:
    source, connector, text = (params.get(name, "") for name in ("source", "connector", "q"))
    if source and str(row["source_id"]) != source:
        return False
    if text.strip().lower() not in (row["name"] or row["type"]).lower():
        return False
    return not connector or any(str(config.id) == connector for config in _listening(row, snapshot))


def _listening(row: Mapping[str, Any], snapshot: Snapshot) -> list[ConnectorConfig]:
    route = snapshot.sources.get(row["source_id"])
    return [snapshot.connectors[key] for key, _ in route.connectors] if route else []


def _fates(row: Mapping[str, Any], snapshot: Snapshot, connector: str = "") -> list[dict[str, Any]]:
    """What its source's connectors do with it, or only the one with this id."""
    listening = _listening(row, snapshot)
    return [_fate(config, row["type"], row["name"]) for config in listening if connector in ("", str(config.id))]


def _fate(config: Any, kind: str, name: str) -> dict[str, Any]:
    """What this connector does with such an event: whether it sends it, and under which name (``renamed``: before its
    prefix)."""
    vendor = registry.get(config.vendor)
    sent, outgoing = mapping.fate(config, vendor, EventKind(kind), name)
    rule = mapping.find_rule(config, EventKind(kind), name)
    return {
        "config": config,
        "sent": sent and config.status != "off",
        "as": outgoing if outgoing != name else "",
        "renamed": rule.send_as if rule else "",
    }


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Switch one name on or off, or rename it, at one connector."""
    demand(request, "integrations.change_eventrule")
    connector = get_object_or_404(Connector, pk=_number(request.POST.get("connector", "")), archived_at=None)
    kind, name = request.POST.get("type", ""), request.POST.get("name", "")[:200]
    if kind in KINDS:
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
        what = f" as {rule.send_as}" if rule.send and rule.send_as else ""
        does = "sends" if rule.send else "does not send"
        messages.success(request, f"Saved. From now on {connector.name} {does} {name or kind}{what}.")
    source = request.POST.get("source", "")
    if not source:
        return redirect(LABEL)
    return redirect(f"{reverse('admin:events_seen_one')}?{urlencode({'source': source, 'type': kind, 'name': name})}")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
