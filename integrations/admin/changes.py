"""History: who changed what, before and after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from integrations.admin import sheets
from integrations.admin.pages import PageAdmin
from integrations.history import Change
from integrations.models import Connector

PAGE = 50
EXPORTED = 10_000
# What can be asked for, by the models whose changes it is.
KINDS = (
    ("connector", "Connectors"),
    ("source", "Sources"),
    ("alertrule,alerttarget", "Alerts"),
    ("regionendpoint", "Service addresses"),
    ("user", "People"),
    ("apitoken", "API tokens"),
    ("houserules,installation", "Settings"),
    ("erasure", "Erased people"),
)
HEAD = ("when", "who", "what", "about", "field", "before", "after")


@admin.register(Change)
class ChangeAdmin(PageAdmin):
    pages = (("", "list_page", "changelist"), ("export/", "export", "export"))

    def list_page(self, request: HttpRequest) -> HttpResponse:
        """The newest first."""
        rows = shown_to(request)
        before = request.GET.get("before", "")
        if before.isascii() and before.isdigit() and len(before) < 19:
            rows = rows.filter(id__lt=int(before))
        found = list(rows[: PAGE + 1])
        people = list(Change.objects.order_by("by").values_list("by", flat=True).distinct()[:50])
        connectors = [(str(key), name) for key, name in Connector.objects.values_list("id", "name")]
        older = found[PAGE - 1].pk if len(found) > PAGE else None
        context = {"changes": found[:PAGE], "older": older, "people": people, "kinds": KINDS, "connectors": connectors}
        return self.show(request, "console/history.html", "History", **context)

    def export(self, request: HttpRequest) -> HttpResponse:
        """What the list shows, as CSV: a line for each field that was changed, the newest 10 000 changes."""
        return sheets.download("history", HEAD, _lines(shown_to(request)[:EXPORTED]))


def shown_to(request: HttpRequest) -> QuerySet[Change]:
    """The changes that the address asks for. What happened to people and tokens is for owners."""
    rows = Change.objects.all()
    if not request.user.has_perm("config.view_user"):
        rows = rows.exclude(kind__in=["user", "apitoken"])
    by, kind = (request.GET.get(name, "").replace("\x00", "") for name in ("by", "kind"))
    rows = rows.filter(by=by) if by else rows
    rows = rows.filter(kind__in=kind.split(",")) if kind else rows
    connector = request.GET.get("connector", "")
    if connector.isascii() and connector.isdigit() and len(connector) < 19:
        rows = rows.filter(kind="connector", object_id=int(connector))
    return rows


def _lines(rows: Iterable[Change]) -> Iterator[list[str]]:
    for row in rows:
        for label, before, after in row.details or [("", "", "")]:
            yield [row.at.isoformat(timespec="seconds"), row.by, row.words, row.object_name, label, before, after]
