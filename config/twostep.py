"""Two-step login: a person turns it on with an authenticator app, gets recovery codes once, and may turn it off."""

from __future__ import annotations

import secrets
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
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.models import User
from integrations import history
from integrations.admin.pages import show

CODES = 8


def page(request: HttpRequest, codes: tuple[str, ...] = ()) -> HttpResponse:
    device = TOTPDevice.objects.filter(user=request.user, confirmed=False).first()
    context: dict[str, Any] = {"on": user_has_device(request.user), "codes": codes}
    if device is not None and not context["on"]:
        context["picture"] = _picture(device.config_url)
        context["by_hand"] = secret_text(device)
    return show(request, "console/two_step.html", "Two-step login", **context)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """A new secret, not in force before a code of it was typed in."""
    if not user_has_device(request.user):
        TOTPDevice.objects.filter(user=request.user, confirmed=False).delete()
        TOTPDevice.objects.create(user=request.user, name="Authenticator app", confirmed=False)
    return redirect("admin:two_step")


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    device = TOTPDevice.objects.filter(user=request.user, confirmed=False).first()
    token = request.POST.get("token", "").replace(" ", "")
    if device is None or user_has_device(request.user) or not device.verify_token(token):
        messages.error(request, "This code is not right. Scan the picture again and type the newest code.")
        return redirect("admin:two_step")
    codes = tuple(f"{secrets.randbelow(10**8):08d}" for _ in range(CODES))
    with transaction.atomic():
        device.confirmed = True
        device.save()
        backup = StaticDevice.objects.create(user=request.user, name="Recovery codes", confirmed=True)
        for code in codes:
            backup.token_set.create(token=code)
        history.record(request.user, _person(request), "Turned on two-step login")
    messages.success(request, "Two-step login is on.")
    return page(request, codes)


@require_POST
def turn_off(request: HttpRequest) -> HttpResponse:
    """Asks for the password: an unattended screen must not be enough."""
    person = _person(request)
    if not person.check_password(request.POST.get("password", "")):
        messages.error(request, "The password is not right. Two-step login stays on.")
        return redirect("admin:two_step")
    reset(person)
    history.record(request.user, person, "Turned off two-step login")
    messages.success(request, "Two-step login is off.")
    return redirect("admin:two_step")


def reset(person: User) -> None:
    with transaction.atomic():
        TOTPDevice.objects.filter(user=person).delete()
        StaticDevice.objects.filter(user=person).delete()


def secret_text(device: TOTPDevice) -> str:
    """The secret for typing in by hand, in groups of four."""
    from base64 import b32encode

    text = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _picture(url: str) -> SafeString:
    """A QR code as SVG, from numbers only: nothing of it comes from a person but what is encoded in black and white."""
    image = qrcode.make(url, image_factory=qrcode.image.svg.SvgPathImage, box_size=8)
    return SafeString(image.to_string(encoding="unicode"))


def _person(request: HttpRequest) -> User:
    return User.objects.get(pk=request.user.pk or 0)
