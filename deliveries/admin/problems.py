"""Problems: what is wrong, since when, how often; seen, closed, and sent again once it is solved."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from deliveries import explained, log, siblings
from deliveries.admin import detail, listing
from deliveries.admin.deliveries import PERSONAL
from deliveries.alarm import AlertRule, Problem
from deliveries.core.reasons import REASONS
from deliveries.log import UNUSUAL, Among
from deliveries.models import Delivery, Status
from integrations.admin.pages import PageAdmin, changes

OPERATE = "integrations.operate_connector"
LIVE = ("open", "seen")
ENDED = ("solved", "closed")
VIEWS = {"": ("Open", LIVE), "ended": ("Ended", ENDED), "all": ("All", (*LIVE, *ENDED))}
FILTERS = ("connector", "cause", "state", "range", "since", "until")


@admin.register(Problem)
class ProblemAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/seen/", "mark_seen", "seen"),
        ("<int:pk>/close/", "close", "close"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        """The open ones; with ``view`` in the address the ended ones or all, and with a state those alone."""
        params = request.GET
        view = _view(params)
        rows, error = Problem.objects.select_related("connector"), ""
        try:
            page = listing.page(_filtered(rows, params, view), params)
        except ValueError as mistake:
            page, error = listing.page(rows.filter(state__in=VIEWS[view][1]), {}), str(mistake)
        return self.show(
            request,
            "console/problems.html",
            "Problems",
            page=page,
            error=error,
            view=view,
            views=[(code, label) for code, (label, _) in VIEWS.items()],
            filtered=any(params.get(name) for name in FILTERS),
            **_choices(view),
        )

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem.objects.select_related("connector", "sample__event"), pk=pk)
        said = explained.of_problem(problem, timezone.now())
        if not request.user.has_perm(PERSONAL):
            said = detail.without_person(said, problem.sample)
        crumbs = [("Problems", self.link("changelist"))]
        failed = Delivery.objects.filter(Among(UNUSUAL), status=Status.FAILED, cause=problem.cause)
        left = siblings.not_replayed(failed.filter(connector=problem.connector_id)).exists() if problem.cause else False
        context = {"problem": problem, "said": said, "left": left, "crumbs": crumbs}
        return self.show(request, "console/problem.html", problem.title, **context)

    @changes(OPERATE)
    def mark_seen(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem.objects.select_related("connector"), pk=pk, state__in=LIVE)
        problem.state, problem.seen_by = Problem.State.SEEN, str(request.user)
        if "note" in request.POST:  # the list's button asks for none, and must not wipe one out
            problem.note = request.POST["note"].strip()[:300]
        problem.save(update_fields=["state", "seen_by", "note"])
        messages.success(request, f"{problem.title}: marked as seen. Nobody is reminded of it any more.")
        return self._back(request, self.link("change", pk))

    @changes(OPERATE)
    def close(self, request: HttpRequest, pk: int) -> HttpResponse:
        problem = get_object_or_404(Problem.objects.select_related("connector"), pk=pk, state__in=LIVE)
        problem.state, problem.seen_by, problem.ended_at = Problem.State.CLOSED, str(request.user), timezone.now()
        problem.save(update_fields=["state", "seen_by", "ended_at"])
        messages.success(request, f"{problem.title}: closed. If it happens again, a new problem opens.")
        return self._back(request, self.link("changelist"))

    def _back(self, request: HttpRequest, usual: str) -> HttpResponse:
        """To the list as it was filtered, for who pressed a button of one of its lines."""
        return redirect(self.back_to_list(request) or usual)


def _view(params: Mapping[str, str]) -> str:
    """Which of the saved views. A state that is asked for alone says it too, so that a kept address stays true."""
    if params.get("view") in VIEWS:
        return params["view"]
    return "ended" if params.get("state") in ENDED else ""


def _filtered(rows: QuerySet[Problem], params: Mapping[str, str], view: str) -> QuerySet[Problem]:
    """Raises ValueError for what is no filter."""
    rows = rows.filter(state__in=VIEWS[view][1])
    if state := params.get("state"):
        rows = rows.filter(state=state)
    if connector := params.get("connector"):
        rows = rows.filter(connector_id=log.identifier(connector, "connector"))
    if cause := params.get("cause"):
        rows = rows.filter(Q(cause=cause) | Q(cause="", kind=cause))
    for name, moment in listing.time_filter(params, timezone.now()).items():
        rows = rows.filter(**{BOUNDS[name]: log.parse_time(moment, name)})
    return rows


BOUNDS = {
    "since": "last_seen_at__gte",
    "until": "opened_at__lt",
}  # a problem lasts: what it shares with the time counts


def _choices(view: str) -> dict[str, Any]:
    """What the filters offer: only what there is."""
    rows = Problem.objects.order_by()
    named = rows.exclude(connector=None).values_list("connector_id", "connector__name").distinct()
    causes = {cause or kind for kind, cause in rows.values_list("kind", "cause").distinct()}
    kinds = dict(AlertRule.Kind.choices)
    return {
        "connectors": sorted(((str(key), name) for key, name in named), key=lambda one: one[1].lower()),
        "causes": sorted(((one, REASONS.get(one) or str(kinds.get(one, one))) for one in causes), key=itemgetter(1)),
        "states": [(state.value, state.label) for state in Problem.State if state in VIEWS[view][1]],
        "ranges": [(code, label) for code, (label, _) in listing.RANGES.items()],
    }
