"""Problems: what is wrong, since when, how often; seen, closed, and sent again once it is solved."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from deliveries import explained
from deliveries.admin import listing
from deliveries.alarm import Problem
from deliveries.core import problem_words
from integrations.admin.pages import PageAdmin, changes

OPERATE = "integrations.operate_connector"
LIVE = ("open", "seen")


@admin.register(Problem)
class ProblemAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/seen/", "mark_seen", "seen"),
        ("<int:pk>/close/", "close", "close"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        rows = Problem.objects.select_related("connector")
        ended = request.GET.get("view") == "ended"
        rows = rows.exclude(state__in=LIVE) if ended else rows.filter(state__in=LIVE)
        try:
            page = listing.page(rows, request.GET)
        except ValueError:
            page = listing.page(rows, {})
        return self.show(request, "console/problems.html", "Problems", page=page, ended=ended)

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem.objects.select_related("connector", "sample__event"), pk=pk)
        said = problem_words.OF_KIND.get(problem.kind)
        if problem.sample is not None and problem.connector is not None:
            problem.sample.connector = problem.connector
            said = explained.sentences(problem.sample, list(problem.sample.log.all()), timezone.now())
        crumbs = [("Problems", self.link("changelist"))]
        return self.show(request, "console/problem.html", problem.title, problem=problem, said=said, crumbs=crumbs)

    @changes(OPERATE)
    def mark_seen(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem, pk=pk, state__in=LIVE)
        problem.state, problem.seen_by = Problem.State.SEEN, str(request.user)
        problem.note = request.POST.get("note", "").strip()[:300]
        problem.save(update_fields=["state", "seen_by", "note"])
        messages.success(request, "Marked as seen: no more reminders about it.")
        return redirect(self.link("change", pk))

    @changes(OPERATE)
    def close(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem, pk=pk, state__in=LIVE)
        problem.state, problem.seen_by, problem.ended_at = Problem.State.CLOSED, str(request.user), timezone.now()
        problem.save(update_fields=["state", "seen_by", "ended_at"])
        messages.success(request, "Closed. If it happens again, a new problem opens.")
        return redirect(self.link("changelist"))
