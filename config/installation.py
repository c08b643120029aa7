"""The settings page: what this installation is set to. They are changed in the environment, by whoever runs it."""

from __future__ import annotations

import platform
from typing import Any

import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deliveries.admin import overview
from integrations.admin.pages import show

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def page(request: HttpRequest) -> HttpResponse:
    networks = ", ".join(settings.ALLOWED_PRIVATE_NETWORKS)
    groups = [
        ("Data", [
            ("Delivered and failed events are kept", f"{settings.RETENTION_DAYS} days", "RETENTION_DAYS"),
            ("Held events are kept", f"{settings.HOLD_DAYS} days", "HOLD_DAYS"),
            ("Database", DATABASES.get(connection.vendor, connection.vendor), "DATABASE_URL"),
            ("Queue", "Redis" if settings.REDIS_URL else "the database", "REDIS_URL"),
        ]),
        ("Network", [
            ("Private networks that may be called", networks or "none", "ALLOWED_PRIVATE_NETWORKS"),
            ("Answers as", ", ".join(settings.ALLOWED_HOSTS), "ALLOWED_HOSTS"),
        ]),
        ("Mail", [
            ("Sent through", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}", "EMAIL_URL"),
            ("Sent as", settings.DEFAULT_FROM_EMAIL, "EMAIL_FROM"),
        ]),
        ("Versions", [
            ("Python", platform.python_version(), ""),
            ("Django", django.get_version(), ""),
            ("Times on pages", settings.TIME_ZONE, ""),
        ]),
    ]  # fmt: skip
    context: dict[str, Any] = {"groups": groups, "worker": overview.worker(timezone.now())}
    return show(request, "console/settings.html", "Settings", **context)
