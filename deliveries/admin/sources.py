"""The list of sources, with what came in. Their other pages know only what is configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deliveries import sources
from deliveries.health import LABELS
from integrations.admin.sources import SourceAdmin, address_of
from integrations.models import ConfigVersion, Source, WriteKey

KEPT = 30  # seconds: counting a day's events costs most of the page's time


@dataclass(frozen=True)
class Line:
    """A source as the list shows it. ``lasting_keys`` are those that are not about to end."""

    row: Source
    report: sources.Report
    address: str
    working_keys: list[WriteKey]
    lasting_keys: list[WriteKey]


@admin.register(Source)
class SourceListAdmin(SourceAdmin):
    pages = (("", "list_page", "changelist"), *SourceAdmin.pages)

    def list_page(self, request: HttpRequest) -> HttpResponse:
        rows = list(Source.objects.prefetch_related("write_keys", "connectors"))
        found = _reports(rows)
        codes = {one.health.code for one in found.values()}
        wanted = request.GET.get("state", "")
        shown = [row for row in rows if wanted in ("", found[row.pk].health.code)]
        return self.show(
            request,
            "console/sources.html",
            "Sources",
            sources=[_line(request, row, found[row.pk]) for row in shown],
            any_at_all=bool(rows),
            states=[(code, label) for code, label in LABELS.items() if code in codes],
        )

    def what_came_in(self, source: Source, keys: list[WriteKey]) -> dict[str, Any]:
        received = _reports(list(Source.objects.prefetch_related("write_keys")))[source.pk].received
        _say_what_came_with(keys, received)
        return {"received": received}


def _line(request: HttpRequest, row: Source, report: sources.Report) -> Line:
    keys = list(row.write_keys.all())
    _say_what_came_with(keys, report.received)
    working = [key for key in keys if key.usable]
    lasting = [key for key in working if key.expires_at is None]
    return Line(row, report, address_of(request, row), working, lasting)


def _say_what_came_with(keys: list[WriteKey], received: int) -> None:
    """Put ``brought`` on each of a source's keys."""
    now = timezone.now()
    for key in keys:
        key.brought = sources.brought(key, keys, received, now)  # type: ignore[attr-defined]  # for the page only


def _reports(rows: list[Source]) -> dict[int, sources.Report]:
    """A change of the configuration, such as a source switched off, shows at once; so does a source that was made while
    another process counted."""
    key = f"sources:{ConfigVersion.current()}"
    found: dict[int, sources.Report] | None = cache.get(key)
    if found is None or not {row.pk for row in rows} <= found.keys():
        found = sources.report(rows, timezone.now())
        cache.set(key, found, KEPT)
    return found
