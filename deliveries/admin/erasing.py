"""Erase a person: what it would reach, before the button, and the button. For owners: it cannot be undone."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from deliveries import erase
from deliveries.admin.journey import LOOKED_AT, identities
from deliveries.erasures import Erasure
from deliveries.models import Event
from integrations.admin.pages import demand, show

ERASE = "deliveries.erase_person"
SHOWN = 10
MOST = 100  # ids offered for a tick; others seen together with the person go along as they are found


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Looks only: the ids that belong together, and how much an erasure of them would reach."""
    demand(request, ERASE)
    text = request.GET.get("q", "").strip()[:255]
    context: dict[str, Any] = {"q": text, "crumbs": [("Find a person", reverse("admin:journey"))]}
    if text and "\x00" not in text:
        users, anonymous = _who(text)
        found = erase.preview(users, anonymous)
        shared = _shared(users, anonymous)
        sure = [text] if text in users or text in anonymous else users if len(users) == 1 else []
        context["ids"] = [
            {
                "kind": kind,
                "id": one,
                "events": count,
                "shared": one in shared,
                "ticked": one in sure or (kind == "anonymous" and bool(sure) and one not in shared),
            }
            for kind, one, count in found["ids"]
        ]
        context["found"] = found
    return show(request, "console/erase.html", "Erase a person", **context)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    demand(request, ERASE)
    text = request.POST.get("q", "").strip()[:255]
    back = f"{reverse('admin:journey_erase')}?{urlencode({'q': text})}"
    if not text or request.POST.get("confirm", "").strip() != text:
        messages.error(request, "What you typed is not what you searched for, so nothing was erased.")
        return redirect(back)
    anonymous = request.POST.getlist("anonymous")
    spared = [one for one in request.POST.getlist("offered") if one not in anonymous]
    try:
        erase.ask(request.POST.getlist("user"), anonymous, spared=spared, by=str(request.user), now=timezone.now())
    except ValueError:
        messages.error(request, "No id was ticked, so nobody was erased.")
        return redirect(back)
    messages.success(request, "The erasure has begun. It ends within a few minutes; below you see how far it is.")
    return redirect(reverse("admin:journey"))


def recent() -> list[Erasure]:
    return list(Erasure.objects.select_related("source").defer("people", "source__signing_secret")[:SHOWN])


def _who(text: str) -> tuple[list[str], list[str]]:
    """The user ids and the anonymous ids that the text leads to."""
    ids = identities(text)
    known = Event.objects.filter(~Q(user_id=""), user_id__in=ids)
    users = sorted(set(known.order_by().values_list("user_id", flat=True).distinct()[:MOST]))
    mine = Event.objects.filter(~Q(user_id=""), user_id__in=users)
    beside = set(mine.order_by().values_list("anonymous_id", flat=True).distinct()[:MOST])
    for event in mine.filter(type="alias").only("id", "body")[:MOST]:
        beside.add(erase.previous_id(event))
    nameless = Event.objects.filter(anonymous_id__in=ids - set(users), user_id="")
    beside |= set(nameless.order_by().values_list("anonymous_id", flat=True).distinct()[:MOST])
    return users, sorted(beside - {""})


def _shared(users: list[str], anonymous: list[str]) -> set[str]:
    """The anonymous ids that were seen with somebody else too (a shared device), among the newest events: whose the
    events without a user id are then nobody can say."""
    newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    others = Event.objects.filter(id__gt=newest - LOOKED_AT, anonymous_id__in=anonymous).exclude(
        user_id__in=["", *users]
    )
    return set(others.order_by().values_list("anonymous_id", flat=True).distinct())
