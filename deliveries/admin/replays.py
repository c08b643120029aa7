"""Replays of many: what would happen, the start, how far it is, stop, and the history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from deliveries import backfill, log, pace, repeats, replay, replay_plan
from deliveries.admin import badges, figures, listing
from deliveries.admin.deliveries import filters_of
from deliveries.core.reasons import REASONS
from deliveries.models import Replay, Status
from deliveries.replay_plan import PAST_IDENTIFIES
from deliveries.replay_progress import cut_short
from integrations import clock, registry
from integrations.admin.pages import PageAdmin, changes, demand
from integrations.models import Connector
from integrations.templatetags.console import plural
from integrations.types import Cause

FILTERS = ("state", "connector", "cause", "range", "since", "until")
# What never fails is never asked for in a replay of what failed.
REPLAYED = tuple(code for code in REASONS if code not in (Cause.PAUSED, Cause.ERASED))
LOOKED_AT = 500  # of more than these the preview says only that they are more, in a fifth of a second, until asked
CHOICES = ("as_sent", "include_delivered")
LONG_AGO = timedelta(days=7)
BOUNDS = {"since": "created_at__gte", "until": "created_at__lt"}


@admin.register(Replay)
class ReplayAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("new/", "new_page", "add"),
        ("new/count/", "count", "count"),
        ("start/", "start", "start"),
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/live/", "live", "live"),
        ("<int:pk>/stop/", "stop", "stop"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        names, error = _connector_names(), ""
        try:
            found = listing.page(_filtered(request.GET, names), request.GET)
        except ValueError as mistake:  # from the newest one of all, then
            found, error = listing.page(Replay.objects.all(), {}), str(mistake)
        rows = replay.progress_of(found.rows)
        shown = [{**row, "what": in_words(row["filters"], names), "left": _left(row)} for row in rows]
        context = {
            "states": Replay.State.choices,
            "connectors": sorted(names.items(), key=lambda one: one[1].lower()),
            "causes": [(code, label) for code, label in REASONS.items() if code in REPLAYED],
            "ranges": [(code, label) for code, (label, _) in listing.RANGES.items()],
            "filtered": any(request.GET.get(name) for name in FILTERS),
        }
        return self.show(request, "console/replays.html", "Replays", page=found, replays=shown, error=error, **context)

    def new_page(self, request: HttpRequest) -> HttpResponse:
        """Looks only: what a press on the button would send again."""
        demand(request, "deliveries.replay_delivery")
        choices: dict[str, Any] = {name: bool(request.GET.get(name)) for name in CHOICES}
        context: dict[str, Any] = {"crumbs": [("Replays", self.link("changelist"))], **choices}
        try:
            filters = replay_filters(request.GET)
            context["preview"] = preview = replay.preview(filters, **choices, most=LOOKED_AT)
        except ValueError as error:
            return self.show(request, "console/replay_new.html", "Replay", error=str(error), **context)
        connectors = list(Connector.objects.filter(id__in=[row["id"] for row in preview["connectors"]]))
        context["what"] = in_words(filters, _connector_names())
        context["filters"] = filters
        context["count_all"] = request.GET.get("count") == "all"
        allowed = pace.most_of(connectors[0]) if connectors and "connector" in filters else None
        context["pace"] = figures.speed_of(preview["total"], allowed)
        found = badges.reports(connectors)
        works = badges.tested_well(connectors)
        context["health"] = [(row, found[row.pk].health, row.pk in works) for row in connectors]
        # Where statuses or causes are named, a tick for delivered ones would change nothing.
        context["tells_delivered"] = not {"status", "cause"} & filters.keys()
        context["unwell"] = any(badge.code == "not_working" and not well for _, badge, well in context["health"])
        vendors = [(row, vendor) for row in connectors if (vendor := registry.get(row.vendor)) is not None]
        # Of what was refused nothing has arrived, and nothing can come twice.
        statuses = replay_plan.wanted_statuses(filters, choices["include_delivered"])
        twice = repeats.possible(statuses, filters.get("cause", ""))
        context["duplicates"] = [row.name for row, vendor in vendors if twice and not vendor.deduplicates]
        if preview["oldest"] and preview["oldest"] < timezone.now() - LONG_AGO:
            context["backdating"] = sorted({vendor.label for _, vendor in vendors if vendor.backdates})
        return self.show(request, "console/replay_new.html", _title(preview), **context)

    def count(self, request: HttpRequest) -> HttpResponse:
        """A piece of that page: exactly how many, however long that takes."""
        demand(request, "deliveries.replay_delivery")
        choices: dict[str, Any] = {name: bool(request.GET.get(name)) for name in CHOICES}
        try:
            context: dict[str, Any] = {"preview": replay.preview(replay_filters(request.GET), **choices), **choices}
        except ValueError as error:
            context = {"error": str(error)}
        answer = self.show(request, "console/replay_count.html", "", **context)
        answer["X-Done"] = "1"
        return answer

    @changes("deliveries.replay_delivery")
    def start(self, request: HttpRequest) -> HttpResponse:
        filters = {name: request.POST[name] for name in log.DELIVERY_FILTERS if request.POST.get(name)}
        try:
            job = replay.start(
                filters,
                by=str(request.user),
                as_sent=bool(request.POST.get("as_sent")),
                include_delivered=bool(request.POST.get("include_delivered")),
                per_minute=pace.typed(request.POST.get("per_second"), *replay.most_of(filters)),
            )
        except ValueError as error:
            messages.error(request, f"{error} Nothing was started.")
            kept = {name: request.POST[name] for name in (*filters, *CHOICES) if request.POST.get(name)}
            return redirect(f"{self.link('add')}?{urlencode(kept)}")
        return redirect(self.link("change", job.pk))

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(Replay, pk=pk)
        title = f"Replay: {in_words(row.filters, _connector_names())}"
        crumbs = [("Replays", self.link("changelist"))]
        now = _progress(row)
        rest = _address_of(row) if now["now"]["state"] == Replay.State.STOPPED or now["now"]["failed"] else ""
        return self.show(request, "console/replay.html", title, replay=row, crumbs=crumbs, rest=rest, **now)

    def live(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(Replay, pk=pk)
        answer = self.show(request, "console/replay_progress.html", "", replay=row, **_progress(row))
        if not _progress(row)["running"]:
            answer["X-Done"] = "1"
        return answer

    @changes("deliveries.replay_delivery")
    def stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(Replay, pk=pk)
        replay.stop(row, by=str(request.user))
        messages.success(request, "Stopped. What was already sent stays sent.")
        return redirect(self.back_to_list(request) or self.link("change", pk))


def _progress(row: Replay) -> dict[str, Any]:
    now = replay.progress(row)
    if now["state"] == Replay.State.STOPPED:  # what it had made and then left out is not done: it was not sent
        now["skipped"] -= cut_short(row.pk)
    ended = now["delivered"] + now["failed"] + now["skipped"]
    running = now["state"] in (Replay.State.PREPARING, Replay.State.RUNNING)
    return {"now": now, "ended": ended, "left": _left(now), "running": running}


def _left(now: Mapping[str, Any]) -> int:
    """How many are not sent yet: they would be left out if it were stopped."""
    return max(0, now["total"] - now["delivered"] - now["failed"] - now["skipped"])


def _address_of(row: Replay) -> str:
    """What leads to a replay of what this one did not get there: what has arrived since is left out by itself. "" where
    it was not asked for by filters."""
    if {PAST_IDENTIFIES, backfill.SINCE} & row.filters.keys():
        return ""
    return "?" + urlencode({**row.filters, **{name: 1 for name in CHOICES if getattr(row, name)}})


def replay_filters(params: Mapping[str, str]) -> dict[str, Any]:
    """What the list's address asks for, without its paging: of somebody who may replay. Raises ValueError."""
    asked = {"email": params["email"]} if params.get("email") else {}  # as a replay that did not start had it
    return log.clean({**asked, **filters_of(params, sees_people=True)})


def _filtered(params: Mapping[str, str], names: Mapping[str, str]) -> QuerySet[Replay]:
    """The replays that the address asks for. Raises ValueError for what is no filter."""
    rows = Replay.objects.all()
    if state := params.get("state"):
        rows = rows.filter(state=state)
    if connector := params.get("connector"):
        # As the list's address has it, or as a script may have written it.
        known = names.get(str(log.identifier(connector, "connector")), "")
        rows = rows.filter(Q(filters__connector=connector) | Q(filters__connector=known))
    if cause := params.get("cause"):
        # One of several, divided by commas. No reason's code is a part of another's.
        rows = rows.filter(filters__cause__icontains=cause)
    for name, moment in listing.time_filter(params, timezone.now()).items():
        rows = rows.filter(**{BOUNDS[name]: log.parse_time(moment, name)})
    return rows


def _connector_names() -> dict[str, str]:
    return {str(key): name for key, name in Connector.objects.values_list("id", "name")}


def _title(preview: Mapping[str, Any]) -> str:
    if not preview["total"] and not preview["matches_more"]:
        return "Nothing to replay"
    return f"Replay {'at least ' if preview['matches_more'] else ''}{plural(preview['total'], 'event')}"


def in_words(filters: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A filter as a person says it: "Segment – production · failed · key refused"."""
    parts = ["the newest identify event of each person"] if filters.get(PAST_IDENTIFIES) else []
    parts += ["the events from before it was turned on"] if filters.get(backfill.SINCE) else []
    own = (PAST_IDENTIFIES, backfill.SINCE)
    kept = log.clean({k: v for k, v in filters.items() if k not in own})
    # In an order of our own: PostgreSQL keeps that of the names' lengths.
    for name in sorted(kept, key=("connector", *log.DELIVERY_FILTERS).index):
        value = kept[name]
        if name == "connector":
            parts.append(names.get(value, value))
        elif name == "cause":
            parts.append(", ".join(REASONS.get(one, one) for one in value.split(",")).lower())
        elif name == "status":
            parts.append(", ".join(str(Status(one).label) for one in value.split(",") if one in Status.values).lower())
        elif name in ("since", "until"):
            parts.append(f"{name} {clock.say(log.parse_time(value, name), '%d %b %Y %H:%M')}")
        else:
            said = {"event": value, "user_id": f"of {value}", "email": f"of {value}", "message_id": f"message {value}"}
            parts.append({**said, "answer": f"answered {value}", "replay": f"of replay {value}"}[name])
    return " · ".join(parts) or "everything that failed"
