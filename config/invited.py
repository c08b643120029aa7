"""The link with which somebody chooses their own password: a new person, or one who forgot it.

An owner makes it and hands it over. It is Django's own for a lost password: it works until a password was chosen or
they signed in, and for ``PASSWORD_RESET_TIMEOUT``; nothing of it is stored.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from config.models import User
from config.signin import NewPasswordForm
from integrations import history


def link_for(request: HttpRequest, person: User) -> str:
    name = urlsafe_base64_encode(force_bytes(person.pk))
    path = reverse("admin:invited", args=[name, default_token_generator.make_token(person)])
    return request.build_absolute_uri(path)


class ChoosePassword(PasswordResetConfirmView):
    """410 where the link does not work, or its person may not sign in. Signs nobody in: the second step is asked for
    where it always is."""

    template_name = "console/invited.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("admin:login")
    title = "Choose your password"

    def get_user(self, uidb64: str) -> User | None:
        person: User | None = super().get_user(uidb64)
        return person if person is not None and person.is_active else None

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, status=200 if self.validlink else 410, **kwargs)

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        answer = super().form_valid(form)
        history.record(form.user, form.user, "Chose a password")
        messages.success(self.request, "Your password is set. Sign in with it.")
        return answer
