"""The settings page: the rules that owners set here, and what this installation is set to in its environment."""

from __future__ import annotations

import platform
import tomllib
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django_otp import user_has_device

from config import private_networks
from config.devices import Authenticator
from config.models import HouseRules, User
from deliveries.admin import overview
from integrations.admin.pages import show

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def page(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("allow", "")[:60]
    groups = [
        ("Data", [
            ("Delivered and failed events are kept", f"{settings.RETENTION_DAYS} days", "RETENTION_DAYS"),
            ("Held events are kept", f"{settings.HOLD_DAYS} days", "HOLD_DAYS"),
            ("Database", database(), "DATABASE_URL"),
            ("Queue", "Redis" if settings.REDIS_URL else "the database", "REDIS_URL"),
        ]),
        ("Mail", [
            ("Sent through", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}", "EMAIL_URL"),
            ("Sent as", settings.DEFAULT_FROM_EMAIL, "EMAIL_FROM"),
        ]),
        ("Versions", [
            ("Signalbox", version(), ""),
            ("Python", platform.python_version(), ""),
            ("Django", django.get_version(), ""),
            ("Times on pages", settings.TIME_ZONE, ""),
        ]),
    ]  # fmt: skip
    context: dict[str, Any] = {
        "groups": groups,
        "networks": private_networks.allowed(),
        "asked": asked,
        "answer": private_networks.answer(asked),
        "hosts": ", ".join(settings.ALLOWED_HOSTS),
        "worker": overview.worker(timezone.now()),
        "two_step": HouseRules.ask_two_step(),
        "own": user_has_device(request.user),
        "people": User.objects.filter(is_active=True).count(),
        "secured": Authenticator.objects.filter(confirmed=True, user__is_active=True).values("user").distinct().count(),
    }
    return show(request, "console/settings.html", "Settings", **context)


@cache
def version() -> str:
    """As the project's own file has it: there is no second place to forget."""
    text = (settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def database() -> str:
    """ "PostgreSQL 15.18, 120 MB"."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('server_version'), pg_database_size(current_database())")
        else:
            cursor.execute(
                "SELECT sqlite_version(), page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            )
        number, size = cursor.fetchone()
    return f"{DATABASES.get(connection.vendor, connection.vendor)} {str(number).split()[0]}, {filesizeformat(size)}"
