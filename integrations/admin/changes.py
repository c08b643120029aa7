"""History: who changed what, before and after."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from integrations.admin.pages import PageAdmin
from integrations.history import Change

PAGE = 50


@admin.register(Change)
class ChangeAdmin(PageAdmin):
    pages = (("", "list_page", "changelist"),)

    def list_page(self, request: HttpRequest) -> HttpResponse:
        """The newest first. What happened to people and tokens is for owners."""
        rows = Change.objects.all()
        if not request.user.has_perm("config.view_user"):
            rows = rows.exclude(kind__in=["user", "apitoken"])
        for name in ("by", "kind"):
            if value := request.GET.get(name, "").replace("\x00", ""):
                rows = rows.filter(**{name: value})
        before = request.GET.get("before", "")
        if before.isascii() and before.isdigit() and len(before) < 19:
            rows = rows.filter(id__lt=int(before))
        found = list(rows[: PAGE + 1])
        people = list(Change.objects.order_by("by").values_list("by", flat=True).distinct()[:50])
        kinds = [("connector", "Connectors"), ("source", "Sources"), ("user", "People"), ("apitoken", "API tokens")]
        older = found[PAGE - 1].pk if len(found) > PAGE else None
        context = {"changes": found[:PAGE], "older": older, "people": people, "kinds": kinds}
        return self.show(request, "console/history.html", "History", **context)
