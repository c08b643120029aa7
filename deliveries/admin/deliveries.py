"""The delivery log and the page of one delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from deliveries import log, replay, siblings
from deliveries.admin import detail, listing
from deliveries.core import personal
from deliveries.core.reasons import REASONS, reason
from deliveries.models import Delivery, Status
from deliveries.replay_plan import wanted_statuses
from integrations.admin import sheets
from integrations.admin.pages import PageAdmin, changes
from integrations.models import Connector

VIEWS = (
    ("", "All"),
    ("look", "Need a look"),
    ("retrying", "Retrying"),
    ("held", "Held"),
    ("skipped", "Skipped"),
    ("delivered", "Delivered"),
)
NOTHING = {
    "look": (
        "Nothing needs a look",
        "Nothing has failed, or all of it was replayed. New failures appear here until somebody replays them.",
    ),
    "retrying": (
        "Nothing is being tried again",
        "When a service is down or slow, what we try again by ourselves is here.",
    ),
    "held": ("Nothing is held", "While a connector is paused, its events wait here until it is resumed."),
    "skipped": ("Nothing was skipped", "What is not sent on purpose is here: switched off, filtered or not supported."),
    "delivered": ("Nothing was delivered yet", "What a service accepted is here."),
}
EXPORTED = 10_000
EXPORTED_COLUMNS = (
    "id", "status", "cause", "detail", "sent_as", "attempts", "connector__name", "event__name", "event__type",
    "event__user_id", "event__anonymous_id", "event__message_id", "event__received_at",
)  # fmt: skip
PERSONAL = "integrations.operate_connector"  # a viewer sees personal fields masked


@admin.register(Delivery)
class DeliveryAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("live/", "live", "live"),
        ("export/", "export", "export"),
        ("replay/", "replay_selected", "replay_selected"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/replay/", "replay_one", "replay"),
        ("<int:pk>/result/", "result", "result"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        error, found = "", listing.Page([], None, None)
        sees_people = request.user.has_perm(PERSONAL)
        try:
            filters = filters_of(request.GET, sees_people=sees_people)
            found = listing.page(rows_of(request.GET, filters).annotate(replayed=siblings.replayed()), request.GET)
        except ValueError as wrong:
            error, filters = str(wrong), {}
        connectors = list(Connector.objects.values_list("id", "name"))
        return self.show(
            request,
            "console/deliveries.html",
            "Deliveries",
            page=found,
            lines=lines(found.rows, masked=not sees_people),
            error=error,
            views=VIEWS,
            view=request.GET.get("view", ""),
            statuses=Status.choices,
            causes=REASONS.items(),
            answers=listing.answers(),
            ranges=[(name, label) for name, (label, _) in listing.RANGES.items()],
            connectors=[(str(key), name) for key, name in connectors],
            connector_name={str(key): name for key, name in connectors}.get(request.GET.get("connector", "")),
            names=listing.recent_names(),
            filtered=any(request.GET.get(name) for name in ("q", "range", *log.DELIVERY_FILTERS)),
            nothing=NOTHING.get(request.GET.get("view", "")),
            replayable=not error and _replayable(filters),
            newest=found.rows[0].id if found.rows and found.newer is None else "",
        )

    def live(self, request: HttpRequest) -> HttpResponse:
        """How many came in since the list was made, as a link; empty when none did."""
        try:
            rows = rows_of(request.GET, filters_of(request.GET, sees_people=request.user.has_perm(PERSONAL)))
            count = rows.filter(id__gt=log.identifier(request.GET.get("newest", ""), "newest"))[:100].count()
        except ValueError:
            count = 0
        query = request.GET.copy()
        for name in ("newest", "after", "before"):
            query.pop(name, None)
        return self.show(request, "console/live.html", "", count=count, more=count > 99, query=query.urlencode())

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = Delivery.objects.select_related("event__source", "connector", "replay")
        delivery = get_object_or_404(rows, pk=pk)
        masked, asked = not request.user.has_perm(PERSONAL), request.GET.get("replayed", "")
        again = rows.filter(pk=int(asked), replay_of=delivery).first() if listing.is_id(asked) else None
        return self.show(
            request,
            "console/delivery.html",
            f"{delivery.event.name or delivery.event.type} – {delivery.get_status_display()}",
            crumbs=[("Deliveries", self.link("changelist"))],
            **(detail.result(again, timezone.now(), masked=masked) if again else {}),
            **detail.context(delivery, timezone.now(), masked=masked),
        )

    @changes("deliveries.replay_delivery")
    def replay_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        delivery = get_object_or_404(Delivery.objects.select_related("connector", "event"), pk=pk)
        try:
            new = replay.replay_one(delivery, by=str(request.user), as_sent=bool(request.POST.get("as_sent")))
        except replay.NotReplayable as error:
            messages.error(request, str(error))
            return redirect(self.link("change", pk))
        messages.success(request, f"{delivery.event} is on its way to {delivery.connector} again.")
        return redirect(f"{self.link('change', pk)}?replayed={new.pk}")

    def result(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What became of a replay, as a piece of the page of the delivery that was replayed."""
        again = get_object_or_404(Delivery.objects.select_related("event__source", "connector"), pk=pk)
        facts = detail.result(again, timezone.now(), masked=not request.user.has_perm(PERSONAL))
        answer = self.show(request, "console/result.html", "", **facts)
        if not again.open:
            answer["X-Done"] = "1"
        return answer

    @changes("deliveries.replay_delivery")
    def replay_selected(self, request: HttpRequest) -> HttpResponse:
        """The ticked rows, or the one whose own button was pressed. Ticked with others, a delivered one is left out
        unless that was asked for as well: somebody may get something twice."""
        chosen = _chosen(request.POST.getlist("one") or request.POST.getlist("ids"))
        again = "one" in request.POST or "include_delivered" in request.POST
        made, refused = 0, ""
        for delivery in Delivery.objects.filter(id__in=chosen).order_by("id"):
            if delivery.status == Status.DELIVERED and not again:
                refused = "Delivered ones are sent again only where “also delivered ones” is ticked."
                continue
            try:
                replay.replay_one(delivery, by=str(request.user))
                made += 1
            except replay.NotReplayable as error:
                refused = str(error)
        if made:
            messages.success(request, f"{made} {'delivery is' if made == 1 else 'deliveries are'} on the way again.")
        if refused:
            messages.warning(request, f"{len(chosen) - made} left out: {refused}")
        if not chosen:
            messages.warning(request, "Nothing was ticked.")
        back = request.POST.get("back", "")
        safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
        return redirect(back if safe else self.link("changelist"))

    def export(self, request: HttpRequest) -> HttpResponse:
        """The filtered list as CSV, the newest 10 000; by POST the ticked rows. It changes nothing either way."""
        masked = not request.user.has_perm(PERSONAL)
        try:
            asked = filters_of(request.GET, sees_people=not masked)
            rows = rows_of(request.GET, asked) if request.method != "POST" else _ticked(request)
        except ValueError as error:
            return HttpResponse(str(error), status=400, content_type="text/plain")
        head = ["id", "status", "reason", "event", "sent as", "connector", "user", "message id", "received", "tries"]
        # Columns alone: as models, with contents that no table has, 10 000 rows take six times as long.
        found = rows.order_by("-id").values_list(*EXPORTED_COLUMNS, named=True)[:EXPORTED].iterator(chunk_size=1000)
        return sheets.download("deliveries", head, (_cells(row, masked=masked) for row in found))


def _ticked(request: HttpRequest) -> QuerySet[Delivery]:
    return log.deliveries({}).filter(id__in=_chosen(request.POST.getlist("ids")))


def _chosen(ids: list[str]) -> list[int]:
    """The ids of the ticked rows: of one page at most."""
    return [int(value) for value in ids[: listing.PAGE] if listing.is_id(value)]


def _cells(row: Any, *, masked: bool) -> list[Any]:
    user = row.event__user_id or row.event__anonymous_id
    return [
        row.id, row.status, reason(row.cause, row.detail), row.event__name or row.event__type, row.sent_as,
        row.connector__name, personal.hidden_id(user) if masked else user, row.event__message_id,
        row.event__received_at.isoformat(), row.attempts,
    ]  # fmt: skip


def filters_of(params: Mapping[str, str], *, sees_people: bool) -> dict[str, Any]:
    """The console's address in the log's words. Raises ValueError for what makes no sense, or is not for this role."""
    filters: dict[str, Any] = {
        name: params[name] for name in ("status", "cause", "answer", "connector", "event", "replay") if params.get(name)
    }
    view = params.get("view", "")
    if view == "look":
        filters["status"] = Status.FAILED.value
    elif view:
        filters.setdefault("status", view)
    filters |= listing.time_filter(params, timezone.now())
    filters |= {name: params[name] for name in ("user_id", "message_id") if params.get(name)}
    return filters | listing.search_filter(params.get("q", ""), sees_people=sees_people)


def _replayable(filters: Mapping[str, Any]) -> bool:
    """Whether a replay of many may take any of these: what is still going to be sent has none, and what arrived is sent
    again only where that is asked for."""
    try:
        return wanted_statuses(filters) != [Status.DELIVERED]
    except ValueError:
        return False


def rows_of(params: Mapping[str, str], filters: Mapping[str, Any]) -> QuerySet[Delivery]:
    """*Need a look* is what failed and was not replayed yet: the replay's own result counts instead."""
    rows = log.deliveries(filters)
    if params.get("view") == "look":
        rows = siblings.not_replayed(rows)
    return rows


@dataclass(frozen=True)
class Line:
    """A delivery as lists show it: the row, and what stands beside its columns."""

    row: Delivery
    user: str
    reason: str
    took_ms: float | None


def lines(rows: Iterable[Delivery], *, masked: bool) -> list[Line]:
    return [_line(row, masked=masked) for row in rows]


def _line(row: Delivery, *, masked: bool) -> Line:
    user, ended = row.event.user_id or row.event.anonymous_id, row.finished_at
    return Line(
        row=row,
        user=personal.hidden_id(user) if masked else user,
        reason=reason(row.cause, row.detail),
        took_ms=(ended - row.created_at).total_seconds() * 1000 if ended else None,
    )
