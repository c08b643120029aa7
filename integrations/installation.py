"""What the whole installation is set to in the console: the address it is opened under, and the zone its times are told
in where nobody's own is known."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import InterfaceError, OperationalError, models
from django.db.models import Q
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from integrations import clock

LOCAL = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104  # compared with, never listened on
KEPT = 60  # seconds until another process tells times in a zone that was just chosen
_zone: dict[str, Any] = {}


class Installation(models.Model):
    """One row; without it nothing is set. Saved and read by the functions below."""

    address = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)

    class Meta:
        app_label = "integrations"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="installation_single_row")]

    def __str__(self) -> str:
        return "This installation"

    @classmethod
    def current(cls) -> Installation:
        return cls.objects.filter(pk=1).first() or cls(pk=1)


def zone() -> ZoneInfo:
    """Where the reader's own is not known, and in what is sent by e-mail. While the database does not answer, the last
    one that was known."""
    now, usual = monotonic(), ZoneInfo(settings.TIME_ZONE)
    if _zone.get("until", 0.0) < now:
        try:
            _zone["found"] = clock.zone_called(Installation.current().time_zone) or usual
            _zone["until"] = now + KEPT
        except (OperationalError, InterfaceError):
            return _zone.get("found", usual)
    found: ZoneInfo = _zone["found"]
    return found


def forget() -> None:
    """What this process remembers of it."""
    _zone.clear()


def address(row: Installation | None = None) -> str:
    """Where this console is opened, without a slash at the end: as it is saved, or an owner used it. A public name
    among the allowed ones counts for more than an address that leads nowhere from another machine."""
    known = (row or Installation.current()).address
    names = [host.lstrip(".") for host in settings.ALLOWED_HOSTS]
    public = next((host for host in names if host != "*" and host not in LOCAL), "")
    if public and (not known or is_local(known)):
        return f"https://{public}"
    return known or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"


def address_of(request: HttpRequest) -> str:
    """The address the console is being used under. Raises DisallowedHost for a name that is not ours."""
    return f"{request.scheme}://{request.get_host()}"


def is_local(url: str) -> bool:
    """Whether it leads to whatever machine it is opened on."""
    return split_domain_port(urlsplit(url).netloc)[0] in LOCAL


def remember(request: HttpRequest) -> None:
    """Called where somebody has just signed in or says whom to tell; an owner's address counts. Writes only what is
    news: the first one of all, or the first one that others can open too."""
    if not request.user.has_perm("integrations.change_installation"):
        return
    found, row = address_of(request), Installation.current()
    if not row.address or (is_local(row.address) and not is_local(found)):
        row.address = found[:200]
        row.save()


def clean_address(text: str) -> str:
    """Raises ValidationError, in a person's words, for what this console cannot be opened under."""
    url = text.strip().rstrip("/")
    try:
        # Not URLValidator alone: a name inside a network may have no dot, and it stands in ALLOWED_HOSTS anyway.
        parts = urlsplit(url)
        host, _ = split_domain_port(parts.netloc)
        URLValidator(schemes=["http", "https"])(f"{parts.scheme}://example.com{parts.path}")
    except (ValueError, ValidationError):
        host = ""
    if not host or parts.path or parts.query or parts.fragment or len(url) > 200:
        raise ValidationError("Write the beginning of the address, for example https://signalbox.example.com.")
    if not validate_host(host, settings.ALLOWED_HOSTS):
        raise ValidationError(
            f"Signalbox does not answer under {host}. Whoever runs the machine can add it to ALLOWED_HOSTS."
        )
    return url


def save(*, address: str, time_zone: str) -> list[tuple[str, str, str]]:
    """Returns what was changed: (what, before, after)."""
    row, default = Installation.current(), settings.TIME_ZONE
    lines = [
        ("Address", row.address or "not set", address or "not set"),
        ("Time zone", row.time_zone or default, time_zone or default),
    ]
    row.address, row.time_zone = address, time_zone
    row.save()
    forget()
    return [line for line in lines if line[1] != line[2]]
