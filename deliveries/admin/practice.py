"""Practice data: loaded on one press, removed on one press, and every page says while it is there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from deliveries import practice
from integrations.admin.pages import demand

PERMISSION = "integrations.add_connector"
LOOK_ON = "integrations.operate_connector"  # sends one more event, as a test does


def context(request: HttpRequest) -> dict[str, Any]:
    """What the banner of every page needs."""
    if not request.user.is_authenticated or not (loss := practice.loss()):
        return {}
    return {
        "practice_data": True,
        "practice_loss": loss,
        "practice_remove_url": reverse("admin:practice_remove") if request.user.has_perm(PERMISSION) else "",
        "practice_tick_url": reverse("admin:practice_tick") if request.user.has_perm(LOOK_ON) else "",
        "practice_every": practice.EVERY,
    }


@require_POST
def load(request: HttpRequest) -> HttpResponse:
    demand(request, PERMISSION)
    practice.load(by=str(request.user))
    messages.success(request, "Practice data is loaded. Its events come in for a minute: watch them arrive.")
    return redirect(reverse("admin:index"))


@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    demand(request, PERMISSION)
    practice.remove()
    messages.success(request, "The practice data is gone: its source, its connectors and everything they sent.")
    return redirect(reverse("admin:index"))


@require_POST
def tick(request: HttpRequest) -> HttpResponse:
    """A page is open and somebody looks on: another event comes in."""
    demand(request, LOOK_ON)
    practice.send_one(timezone.now())
    return HttpResponse(status=204)
