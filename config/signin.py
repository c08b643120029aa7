"""The sign-in form: e-mail, password, and the six digits of whoever turned on two-step login. And the form for another
password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.http import HttpRequest
from django_otp import match_token, user_has_device

from integrations.secrets import UnreadableSecret

PASSWORD_HELP = "At least 10 characters, not only digits, and not one of the common ones."  # noqa: S105  # words about one

NOT_THE_SAME = "The two are not the same. Type the new password twice."


def typed_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Whom the wrong passwords are counted for. As signing in does, it takes capital letters for small ones; without
    it axes would look for a field that the form does not have, and lock out everybody at the same address."""
    return str((credentials or request.POST).get("username", "")).strip().lower()[:255]


class SignInForm(AdminAuthenticationForm):
    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "This e-mail and password do not belong together. Capital letters count in the password.",
    }
    token = forms.CharField(
        label="Code",
        required=False,
        max_length=16,
        help_text="Only with two-step login: six digits from your app, or a recovery code.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail"
        self.fields["username"].widget.input_type = "email"

    def clean(self) -> dict[str, Any]:
        """The second step is asked for only after the first was right, so that nobody learns who has one."""
        data: dict[str, Any] = super().clean()
        person = self.get_user()
        if person is not None and self._secured(person):
            token = data.get("token", "").replace(" ", "")
            if not token:
                raise forms.ValidationError("Enter the six digits that your app shows, or a recovery code.")
            if match_token(person, token) is None:
                raise forms.ValidationError("This code is not right, or was used already. Wait for the next one.")
        return data

    def _secured(self, person: Any) -> bool:
        try:
            return bool(user_has_device(person))
        except UnreadableSecret as error:  # whoever has a second step does not get in without it
            raise forms.ValidationError(f"Two-step login cannot be checked. {error}") from None


class NewPasswordForm(SetPasswordForm):
    """Django's, in the words of the set-up page: for who has no password, or not any more."""

    error_messages = {**SetPasswordForm.error_messages, "password_mismatch": NOT_THE_SAME}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_our_words(self)


def _in_our_words(form: forms.Form) -> None:
    for name, label, help_text in (
        ("new_password1", "New password", PASSWORD_HELP),
        ("new_password2", "The new password once more", ""),
    ):
        form.fields[name].label, form.fields[name].help_text = label, help_text
    form.fields["new_password1"].widget.attrs["data-strength"] = ""


class PasswordForm(PasswordChangeForm):
    """Django's, in the words of the set-up page."""

    error_messages = {
        **PasswordChangeForm.error_messages,
        "password_incorrect": "This is not your password now. Capital letters count.",
        "password_mismatch": NOT_THE_SAME,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = "Your password now"
        _in_our_words(self)
