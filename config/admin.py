"""People and API tokens: for owners."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import password_validation
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from config import invited, twostep
from config.devices import Authenticator
from config.models import ApiToken, User
from config.roles import Role
from deliveries.alarm import AlertTarget
from integrations import history
from integrations.admin.pages import PageAdmin, changes, demand
from integrations.secrets import decrypt, encrypt

ROLE_WORDS = (
    (Role.VIEWER, "Viewer: sees everything but personal fields"),
    (Role.OPERATOR, "Operator: also pauses, tests and replays"),
    (Role.EDITOR, "Editor: also changes sources and connectors"),
    (Role.OWNER, "Owner: also people, API tokens and removing"),
)
# What scripts read they join by these ids, so a token's answers have them, as the API describes itself.
TOKEN_WORDS = ((Role.VIEWER, "Viewer: reads everything, personal fields too"), *ROLE_WORDS[1:])
LAST_OWNER = "This is the last owner. Make somebody else an owner first."
LINK_FIELD = "password_link"
TOKEN_FIELD = "new_token"  # noqa: S105  # the name of a session entry


class PersonForm(forms.ModelForm):
    password = forms.CharField(
        strip=False, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    class Meta:
        model = User
        fields = ("name", "email", "role", "is_active")
        labels = {"email": "E-mail", "name": "Name", "is_active": "May sign in"}
        widgets = {"role": forms.RadioSelect(choices=ROLE_WORDS)}

    field_order = ("name", "email", "role", "password", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = ROLE_WORDS  # type: ignore[attr-defined]  # a choice field
        field = self.fields["password"]
        field.secret = True  # type: ignore[attr-defined]  # the history never says what it was
        field.help_text = "Empty: you get a link with which they choose their own. Or at least 10 characters."
        if self.instance.pk:
            field.label, field.help_text = "New password", "Empty: the password stays as it is."
        else:
            del self.fields["is_active"]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        if password:
            password_validation.validate_password(password, self.instance)
        return password

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        stays = data.get("role") == Role.OWNER and data.get("is_active", True)
        if not stays and is_last_owner(self.instance):
            raise forms.ValidationError(LAST_OWNER)
        return data

    def save(self, commit: bool = True) -> Any:
        password = self.cleaned_data.get("password")
        if password or self.instance.pk is None:
            self.instance.set_password(password or None)  # None: there is no way in until they have chosen one
        return super().save(commit)


def is_last_owner(person: User) -> bool:
    """Whether nobody else could look after people and keys."""
    owners = set(User.objects.filter(role=Role.OWNER, is_active=True).values_list("pk", flat=True))
    return owners == {person.pk}


@admin.register(User)
class PersonAdmin(PageAdmin):
    pages = (
        ("", "list_page", "changelist"),
        ("add/", "form_page", "add"),
        ("<int:pk>/", "form_page", "change"),
        ("<int:pk>/reset-two-step/", "reset_two_step", "reset_two_step"),
        ("<int:pk>/deactivate/", "deactivate", "deactivate"),
        ("<int:pk>/link/", "make_link", "link"),
    )

    def list_page(self, request: HttpRequest) -> HttpResponse:
        demand(request, "config.view_user")
        secured = set(Authenticator.objects.filter(confirmed=True).values_list("user_id", flat=True))
        people = User.objects.order_by("name", "email")
        if role := request.GET.get("role", ""):
            people = people.filter(role=role)
        working = ApiToken.objects.filter(revoked_at=None).order_by().values_list("created_by")
        context: dict[str, Any] = {
            "people": people,
            "secured": secured,
            "told": set(AlertTarget.objects.filter(enabled=True).values_list("person_id", flat=True)),
            "tokens": dict(working.annotate(Count("id"))),
            "roles": Role.choices,
            "role": role,
            "link": json.loads(decrypt(kept)) if (kept := request.session.pop(LINK_FIELD, "")) else None,
        }
        return self.show(request, "console/people.html", "People", **context)

    @changes("config.change_user")
    def reset_two_step(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For who lost the phone: the next sign-in needs the password only."""
        person = get_object_or_404(User, pk=pk)
        twostep.reset(person)
        history.record(request.user, person, "Reset the two-step login")
        messages.success(request, f"{person} can sign in with the password alone and turn two-step login on again.")
        return redirect(self.link("changelist"))

    @changes("config.change_user")
    def deactivate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """May not sign in any more, and is signed out; or, as the button says, may again. The button says which, so
        that two people who press it at once do not undo each other."""
        person = get_object_or_404(User, pk=pk)
        active = request.POST.get("active") == "yes"
        if not active and is_last_owner(person):
            messages.error(request, LAST_OWNER)
            return redirect(self.link("changelist"))
        person.is_active = active
        person.save(update_fields=["is_active"])
        history.record(request.user, person, "May sign in again" if person.is_active else "Deactivated")
        may = "may sign in again" if person.is_active else "cannot sign in any more, and is signed out everywhere"
        messages.success(request, f"{person} {may}.")
        return redirect(self.link("changelist"))

    @changes("config.change_user")
    def make_link(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For who forgot the password, or whose first link is too old."""
        return self._show_link_once(request, get_object_or_404(User, pk=pk, is_active=True))

    def _show_link_once(self, request: HttpRequest, person: User) -> HttpResponse:
        history.record(request.user, person, "Made a link to choose a password")
        # Sessions are rows too, and whoever has the link can sign in.
        request.session[LINK_FIELD] = encrypt(json.dumps([str(person), invited.link_for(request, person)]))
        return redirect(self.link("changelist"))

    def form_page(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        demand(request, "config.change_user")
        person = get_object_or_404(User, pk=pk) if pk else User()
        form = PersonForm(request.POST or None, instance=person)
        if request.method == "POST" and form.is_valid():
            if pk:
                history.note_changes(request.user, form)
            form.save()
            if not pk:
                history.record(request.user, person, f"Added {person.email} as {person.get_role_display()}")
                if not person.has_usable_password():
                    return self._show_link_once(request, person)
            messages.success(request, f"{person} is saved.")
            return redirect(self.link("changelist"))
        title = str(User.objects.get(pk=pk)) if pk else "Add a person"
        crumbs = [("People", self.link("changelist"))]
        return self.show(request, "console/form.html", title, form=form, crumbs=crumbs, button="Save")


@admin.register(ApiToken)
class ApiTokenAdmin(PageAdmin):
    pages = (("", "list_page", "changelist"), ("add/", "add", "add"), ("<int:pk>/revoke/", "revoke", "revoke"))

    def list_page(self, request: HttpRequest) -> HttpResponse:
        demand(request, "config.view_apitoken")
        shown = request.session.pop(TOKEN_FIELD, "")
        tokens = ApiToken.objects.order_by("revoked_at", "name")
        context = {"tokens": tokens, "roles": TOKEN_WORDS, "new_token": decrypt(shown) if shown else ""}
        return self.show(request, "console/tokens.html", "API tokens", **context)

    @changes("config.add_apitoken")
    def add(self, request: HttpRequest) -> HttpResponse:
        name, role = request.POST.get("name", "").strip()[:100], request.POST.get("role", "")
        if not name or role not in Role.values:
            messages.error(request, "A token needs a name and a role. Nothing was made.")
            return redirect(self.link("changelist"))
        row, token = ApiToken.issue(name, role, created_by=str(request.user))
        history.record(request.user, row, f"Made the API token {row} ({row.get_role_display()})")
        request.session[TOKEN_FIELD] = encrypt(token)
        return redirect(self.link("changelist"))

    @changes("config.change_apitoken")
    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(ApiToken, pk=pk)
        if row.revoked_at is None:
            row.revoked_at = timezone.now()
            row.save(update_fields=["revoked_at"])
            history.record(request.user, row, f"Revoked the API token {row}")
        messages.success(request, f"The token {row} does not work any more.")
        return redirect(self.link("changelist"))
