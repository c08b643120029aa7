"""Events as they came in, also those refused at the door."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from deliveries import log
from deliveries.admin import listing
from deliveries.admin.deliveries import PERSONAL, lines
from deliveries.core import personal
from deliveries.models import Event
from integrations.admin.pages import PageAdmin, show
from integrations.models import Source
from integrations.types import EventKind

LOOKED_AT = 5000


@admin.register(Event)
class EventAdmin(PageAdmin):
    pages = (("", "list_page", "changelist"), ("<int:pk>/", "page", "change"))

    def list_page(self, request: HttpRequest) -> HttpResponse:
        params, error, found = request.GET, "", listing.Page([], None, None)
        masked = not request.user.has_perm(PERSONAL)
        try:
            filters = {name: params[name] for name in ("source", "type", "name") if params.get(name)}
            filters |= listing.time_filter(params, timezone.now())
            filters |= listing.search_filter(params.get("q", ""), sees_people=not masked)
            rows = log.events(filters)
            if params.get("view") == "refused":
                rows = rows.exclude(refused="")
            found = listing.page(rows.defer("body"), params)
        except ValueError as wrong:
            error = str(wrong)
        return self.show(
            request,
            "console/events.html",
            "Events received",
            page=found,
            people=[(row, personal.hidden_id(_person(row)) if masked else _person(row)) for row in found.rows],
            error=error,
            view=params.get("view", ""),
            sources=[(str(key), name) for key, name in Source.objects.values_list("id", "name")],
            kinds=[(kind.value, kind.value) for kind in EventKind],
            ranges=[(name, label) for name, (label, _) in listing.RANGES.items()],
            names=listing.recent_names(),
            filtered=any(params.get(name) for name in ("view", "q", "range", *log.EVENT_FILTERS)),
        )

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        event = get_object_or_404(Event.objects.select_related("source"), pk=pk)
        masked = not request.user.has_perm(PERSONAL)
        deliveries = event.deliveries.select_related("connector", "event").order_by("id")[:50]
        return self.show(
            request,
            "console/event.html",
            event.name or event.type,
            crumbs=[("Events received", self.link("changelist"))],
            event=event,
            lines=lines(deliveries, masked=masked),
            person=personal.hidden_id(_person(event)) if masked else _person(event),
            payload=personal.masked(event.payload) if masked else event.payload,
            masked=masked,
        )


def _person(event: Event) -> str:
    return event.user_id or event.anonymous_id


def first_of_source(request: HttpRequest, pk: int) -> HttpResponse:
    """A piece of the source's page: whether events arrive. Looks at the newest only: no index is by source."""
    source = get_object_or_404(Source, pk=pk)
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    last = Event.objects.filter(source=source, id__gt=newest - LOOKED_AT).order_by("-id").first()
    return show(request, "console/source_first.html", "", last_event=last)
