"""The list of sources, with what came in. Their other pages know only what is configured."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deliveries import sources
from deliveries.health import LABELS
from integrations.admin.sources import SourceAdmin, address_of
from integrations.models import ConfigVersion, Source

KEPT = 30  # seconds: counting a day's events costs most of the page's time
REPORTED = ("health", "health_reason", "last_event_at", "counts_24h")


@admin.register(Source)
class SourceListAdmin(SourceAdmin):
    pages = (("", "list_page", "changelist"), *SourceAdmin.pages)

    def list_page(self, request: HttpRequest) -> HttpResponse:
        rows: list[Any] = list(Source.objects.prefetch_related("write_keys", "connectors"))
        _report(rows)
        for row in rows:
            row.address = address_of(request, row)
            row.working_keys = [key for key in row.write_keys.all() if key.usable]
            row.lasting_keys = [key for key in row.working_keys if key.expires_at is None]
        wanted = request.GET.get("state", "")
        return self.show(
            request,
            "console/sources.html",
            "Sources",
            sources=[row for row in rows if not wanted or row.health == wanted],
            any_at_all=bool(rows),
            states=[(code, label) for code, label in LABELS.items() if code in {row.health for row in rows}],
        )


def _report(rows: list[Any]) -> None:
    """Put the report on each row. A change of the configuration, such as a source switched off, shows at once."""
    key = f"sources:{ConfigVersion.current()}"
    found = cache.get(key)
    if found is None:
        sources.report(rows, timezone.now())
        found = {row.pk: {name: getattr(row, name) for name in REPORTED} for row in rows}
        cache.set(key, found, KEPT)
    for row in rows:
        for name, value in found[row.pk].items():
            setattr(row, name, value)
        row.health_label = LABELS[row.health]
