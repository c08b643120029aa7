"""The one-time set-up link: the first person chooses a name, an e-mail address and a password, and becomes owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login, password_validation
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from config.models import SetupLink, User
from config.roles import Role
from config.signin import PASSWORD_HELP
from integrations import installation

BACKEND = "config.backends.RoleBackend"


class SetupForm(forms.Form):
    name = forms.CharField(
        label="Your name", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True})
    )
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label="Password",
        strip=False,
        help_text=PASSWORD_HELP,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "data-strength": ""}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """What has to be typed again has the focus."""
        super().__init__(*args, **kwargs)
        if self.is_bound and self.errors:
            del self.fields["name"].widget.attrs["autofocus"]
            self.fields[next(iter(self.errors))].widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, str]:
        data = super().clean() or {}
        if password := data.get("password"):
            person = User(name=data.get("name", ""), email=data.get("email", ""))
            try:
                password_validation.validate_password(password, person)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data


@never_cache
@csrf_protect
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Refused, with the reason, when the link is used or older than 24 hours, or when there is an account already."""
    if User.objects.exists():
        return render(request, "console/setup.html", {"title": "Set up", "refused": "account"}, status=410)
    if SetupLink.find(token) is None:
        return render(request, "console/setup.html", {"title": "Set up", "refused": "link"}, status=410)
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = first_owner(token, **form.cleaned_data)
        if person is not None:
            login(request, person, backend=BACKEND)
            installation.remember(request)
            _offer_two_step(request, person)
        return redirect("admin:index")
    return render(request, "console/setup.html", {"title": "Set up", "form": form})


def _offer_two_step(request: HttpRequest, person: User) -> None:
    """Beside the first look at the Overview, so that skipping it takes no press."""
    messages.info(
        request,
        format_html(
            "Welcome, {}. Turn on two-step login? A second step protects your account should somebody learn your "
            'password. <a href="{}">Turn it on</a>, or skip it for now: it stays below your name.',
            person.name,
            reverse("admin:two_step"),
        ),
    )


def first_owner(token: str, name: str, email: str, password: str) -> User | None:
    """The new owner, or None when somebody else was faster with the same link."""
    with transaction.atomic():
        link = SetupLink.find(token)
        if link is None or not SetupLink.objects.filter(pk=link.pk, used_at__isnull=True).update(
            used_at=timezone.now()
        ):
            return None
        return User.objects.create_user(email, password, name=name, role=Role.OWNER)
