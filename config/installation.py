"""The settings page: the rules that owners set here, and what this installation is set to in its environment."""

from __future__ import annotations

import platform
import tomllib
from functools import cache
from typing import Any

import django
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django_otp import user_has_device

from config import private_networks
from config.devices import Authenticator
from config.models import HouseRules, User
from deliveries.admin import overview
from integrations import clock, history, installation
from integrations.admin.pages import demand, show

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class LongSelect(forms.Select):
    """A choice among hundreds: Django's own renders two templates for each, which takes longer than the page around."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        lines = ((key, flatatt({"selected": key == value}), said) for key, said in self.choices)
        options = format_html_join("\n", '<option value="{}"{}>{}</option>', lines)
        attributes = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        return format_html("<select{}>\n{}\n</select>", attributes, options)


class ConsoleForm(forms.Form):
    """Where this console is, and what its clock shows."""

    address = forms.CharField(
        label="Address of this console",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
        help_text="Links in alerts begin with it.",
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=clock.offered,
        required=False,
        widget=LongSelect,
        help_text="For times in alerts, and on pages until a browser has told us its own zone. Whoever reads a page "
        "sees times by their own clock.",
    )

    def clean_address(self) -> str:
        text: str = self.cleaned_data["address"]
        return installation.clean_address(text) if text.strip() else ""


@require_POST
def save_console(request: HttpRequest) -> HttpResponse:
    demand(request, "integrations.change_installation")
    form = ConsoleForm(request.POST)
    if not form.is_valid():
        return page(request, form)
    if changed := installation.save(**form.cleaned_data):
        row = installation.Installation.current()
        history.record(request.user, row, "Changed the address and time zone of this console", changed)
    messages.success(request, "Saved." if changed else "Nothing was changed.")
    return redirect("admin:settings")


def page(request: HttpRequest, form: ConsoleForm | None = None) -> HttpResponse:
    row = installation.Installation.current()
    here, zone = installation.address(row), row.time_zone or settings.TIME_ZONE
    form = form or ConsoleForm(initial={"address": here, "time_zone": zone})
    if installation.is_local(here):
        form.fields["address"].help_text += " This one can be opened on the machine itself only."
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
        ]),
    ]  # fmt: skip
    context: dict[str, Any] = {
        "groups": groups,
        "networks": private_networks.allowed(),
        "env_file": settings.DATA_DIR / ".env",
        "asked": asked,
        "answer": private_networks.answer(asked),
        "hosts": ", ".join(settings.ALLOWED_HOSTS),
        "form": form,
        "here": here,
        "zone": zone,
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
