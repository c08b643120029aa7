"""One person's way: everything that came in about them, and where each of it went, in one timeline."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse

from deliveries import log
from deliveries.admin import listing
from deliveries.admin.deliveries import PERSONAL, lines
from deliveries.models import Delivery, Event, Status
from integrations.admin.pages import show

LOOKED_AT = 50_000  # ids back from the newest event, for an e-mail address that stands elsewhere than usual in a body
IDS = 20


def page(request: HttpRequest) -> HttpResponse:
    """Searches by user id, anonymous id, message id or e-mail address. Only for who may see personal fields."""
    if not request.user.has_perm(PERSONAL):
        raise PermissionDenied("Your role sees no personal data, so it cannot look for a person. Nothing was searched.")
    text = request.GET.get("q", "").strip()[:255]
    from deliveries.admin import erasing  # it starts from what this module finds

    may_erase = request.user.has_perm(erasing.ERASE)
    context: dict[str, Any] = {"q": text, "may_erase": may_erase, "erasures": erasing.recent() if may_erase else []}
    if text and "\x00" not in text:
        ids = identities(text)
        context["ids"] = sorted(ids)
        try:
            found = listing.page(_events_of(ids), request.GET)
        except ValueError as error:
            context["error"], found = str(error), listing.Page([], None, None)
        context["page"] = found
        context["steps"] = [(event, lines(event.went, masked=False), tone(event)) for event in found.rows]
    return show(request, "console/journey.html", "Find a person", **context)


def identities(text: str) -> set[str]:
    """The user and anonymous ids that ``text`` leads to: itself, a message's, or those seen with an e-mail address;
    and the other side of where both ids were seen together."""
    ids = {text}
    rows = list(Event.objects.filter(message_id=text).values_list("user_id", "anonymous_id")[:IDS])
    if "@" in text:
        newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
        recent = Event.objects.filter(id__gt=newest - LOOKED_AT, body__contains=f'"{text}"')
        for found in (log.of_email(text), recent):
            rows += list(found.order_by("-id").values_list("user_id", "anonymous_id")[:IDS])
    ids |= {part for pair in rows for part in pair if part}
    together = Event.objects.filter(user_id__in=ids).exclude(user_id="").exclude(anonymous_id="")
    ids |= set(together.order_by("-id").values_list("anonymous_id", flat=True)[:IDS])
    return ids


def tone(event: Any) -> str:
    """The colour of an event's dot: the worst that has become of it and was not put right by a replay."""
    replayed = {row.replay_of_id for row in event.went}
    statuses = {row.status for row in event.went if row.id not in replayed}
    if event.refused or Status.FAILED in statuses:
        return "bad"
    if statuses & {Status.WAITING, Status.SENDING, Status.RETRYING}:
        return "wait"
    return "good" if Status.DELIVERED in statuses else ""


def _events_of(ids: set[str]) -> Any:
    went = Delivery.objects.select_related("connector", "event").order_by("id")
    mine = (Q(user_id__in=ids) & ~Q(user_id="")) | (Q(anonymous_id__in=ids) & ~Q(anonymous_id=""))
    rows = Event.objects.filter(mine).select_related("source")
    return rows.prefetch_related(Prefetch("deliveries", went, to_attr="went"))
