"""Two-step login: a person turns it on with an authenticator app, gets recovery codes once, and may turn it off.

Owners may ask it of everybody: then whoever has none gets to no other page before it is set up. Only an owner who has
it can ask for it, so nobody is locked out by the rule: setting it up needs the password alone.
"""

from __future__ import annotations

from typing import Any

import qrcode
import qrcode.image.svg
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django_otp import user_has_device

from config.devices import Authenticator, RecoveryCodes
from config.models import HouseRules, User
from integrations import history
from integrations.admin.pages import demand, show

# What stays open to somebody who has yet to set it up.
ALWAYS_OPEN = frozenset({"two_step", "two_step_start", "two_step_confirm", "logout"})


def missing(request: HttpRequest) -> bool:
    """Whether the rule asks this person, who is signed in, for a second step that is not there yet."""
    return HouseRules.ask_two_step() and not user_has_device(request.user)


def closed(request: HttpRequest) -> bool:
    """Whether this page stays closed until then."""
    match = request.resolver_match
    return (match is None or match.url_name not in ALWAYS_OPEN) and missing(request)


def page(request: HttpRequest, codes: tuple[str, ...] = ()) -> HttpResponse:
    device = Authenticator.objects.filter(user=request.user, confirmed=False).first()
    asked = HouseRules.ask_two_step()
    context: dict[str, Any] = {"on": user_has_device(request.user), "codes": codes, "asked": asked}
    if asked and not context["on"]:
        context["console_nav"] = []  # none of its links would lead anywhere yet
    if device is not None and not context["on"]:
        context["picture"] = _picture(device.config_url)
        context["by_hand"] = secret_text(device)
    return show(request, "console/two_step.html", "Two-step login", **context)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """A new secret, not in force before a code of it was typed in."""
    if not user_has_device(request.user):
        Authenticator.objects.filter(user=request.user, confirmed=False).delete()
        Authenticator.objects.create(user=request.user, name="Authenticator app", confirmed=False)
    return redirect("admin:two_step")


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    device = Authenticator.objects.filter(user=request.user, confirmed=False).first()
    token = request.POST.get("token", "").replace(" ", "")
    if device is None or user_has_device(request.user) or not device.verify_token(token):
        messages.error(request, "This code is not right. Scan the picture again and type the newest code.")
        return redirect("admin:two_step")
    with transaction.atomic():
        device.confirmed = True
        device.save()
        codes = RecoveryCodes.issue(request.user)
        history.record(request.user, _person(request), "Turned on two-step login")
    messages.success(request, "Two-step login is on.")
    return page(request, codes)


@require_POST
def set_rule(request: HttpRequest) -> HttpResponse:
    """Ask two-step login of everybody, or of nobody."""
    demand(request, "config.change_user")
    on = request.POST.get("two_step") == "on"
    if on and not user_has_device(request.user):
        messages.error(
            request,
            "Turn on your own two-step login first, so that the rule does not lock you out. Nothing was changed.",
        )
        return redirect("admin:two_step")
    if HouseRules.set_two_step(on):
        words = "Everybody must use two-step login" if on else "Two-step login is up to each person"
        history.record(request.user, HouseRules(pk=1), f"{words} from now on")
        who = " Whoever has none sets it up with the next page they open." if on else ""
        messages.success(request, f"{words} from now on.{who}")
    return redirect("admin:settings")


@require_POST
def turn_off(request: HttpRequest) -> HttpResponse:
    """Asks for the password: an unattended screen must not be enough."""
    person = _person(request)
    if HouseRules.ask_two_step():
        messages.error(request, "Everybody here uses two-step login, so yours stays on. An owner can change the rule.")
        return redirect("admin:two_step")
    if not person.check_password(request.POST.get("password", "")):
        messages.error(request, "The password is not right. Two-step login stays on.")
        return redirect("admin:two_step")
    reset(person)
    history.record(request.user, person, "Turned off two-step login")
    messages.success(request, "Two-step login is off.")
    return redirect("admin:two_step")


def reset(person: User) -> bool:
    """Whether there was anything to reset. Reads none of the secrets: it must work where they cannot be read."""
    with transaction.atomic():
        removed = [rows.filter(user=person).delete()[0] for rows in (Authenticator.objects, RecoveryCodes.objects)]
    return any(removed)


def secret_text(device: Authenticator) -> str:
    """The secret for typing in by hand, in groups of four."""
    return " ".join(device.text[at : at + 4] for at in range(0, len(device.text), 4))


def _picture(url: str) -> SafeString:
    """A QR code as SVG, from numbers only: nothing of it comes from a person but what is encoded in black and white."""
    image = qrcode.make(url, image_factory=qrcode.image.svg.SvgPathImage, box_size=8)
    return SafeString(image.to_string(encoding="unicode"))


def _person(request: HttpRequest) -> User:
    return User.objects.get(pk=request.user.pk or 0)
