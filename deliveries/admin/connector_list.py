"""The list of connectors: worst first, by service and health, with pause and resume for one or many."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from deliveries import hold
from deliveries.admin import badges
from deliveries.health import LABELS
from integrations import history, registry
from integrations.admin.pages import PageAdmin, changes
from integrations.models import Connector

OPERATE = "integrations.operate_connector"
TICKED = "ticked"


class ListPages(PageAdmin):
    """The pages of the connector's admin about all of them."""

    list_pages = (("", "list_page", "changelist"), ("switch/", "switch", "switch"))

    def list_page(self, request: HttpRequest) -> HttpResponse:
        lines: list[dict[str, Any]] = badges.worst_first(Connector.objects.filter(archived_at=None))
        services = sorted({line["row"].vendor for line in lines})
        codes = {line["badge"].code for line in lines}
        service, badge = request.GET.get("service", ""), request.GET.get("badge", "")
        shown = [
            line
            for line in lines
            if (not service or line["row"].vendor == service) and (not badge or line["badge"].code == badge)
        ]
        return self.show(
            request,
            "console/connectors.html",
            "Connectors",
            lines=shown,
            any_at_all=bool(lines),
            services=[(slug, vendor.label if (vendor := registry.get(slug)) else slug) for slug in services],
            badges=[(code, label) for code, label in LABELS.items() if code in codes],
        )

    @changes(OPERATE)
    def switch(self, request: HttpRequest) -> HttpResponse:
        """Pause or resume one connector of the list, or the ticked ones; what is held is sent, oldest first."""
        verb = next((verb for verb in ("pause", "resume") if verb in request.POST), "")
        if not verb:  # Enter on a tick presses the form's first button, which is there for that and says nothing
            return redirect(f"{self.link('changelist')}?{request.GET.urlencode()}".rstrip("?"))
        chosen = request.POST.get(verb, "")
        ids = request.POST.getlist("ids") if chosen == TICKED else [chosen]
        keys = [int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 19]
        done = [row for row in Connector.objects.filter(pk__in=keys, archived_at=None) if _switch(request, row, verb)]
        if done:
            names = ", ".join(row.name for row in done)
            after = "New events are kept." if verb == "pause" else "What was held is being sent, oldest first."
            messages.success(request, f"{'Paused' if verb == 'pause' else 'Resumed'}: {names}. {after}")
        else:
            messages.info(request, f"There was nothing to {verb}: tick connectors that are {_state(verb)}.")
        return redirect(f"{self.link('changelist')}?{request.GET.urlencode()}".rstrip("?"))


def _state(verb: str) -> str:
    return "on" if verb == "pause" else "paused"


def _switch(request: HttpRequest, row: Connector, verb: str) -> bool:
    """Whether anything was to do: pausing what is paused, or resuming what is on, would only change who did it."""
    wanted = Connector.Status.ACTIVE if verb == "pause" else Connector.Status.PAUSED
    if row.status != wanted:
        return False
    if verb == "pause":
        hold.pause(row, by=str(request.user))
        history.record(request.user, row, "Paused")
    else:
        counts = hold.resume(row, by=str(request.user))
        history.record(request.user, row, f"Resumed: {counts['released']} held are being sent")
    return True
