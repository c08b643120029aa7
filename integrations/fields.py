"""Form fields for what vendors ask for: made from a :class:`~integrations.types.Setting`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator

from integrations.networks import closed, parse_networks
from integrations.secrets import hint
from integrations.types import Setting

# How things begin that people have in their clipboard instead of the key.
LOOKALIKES = (
    ("xox", "a Slack token"),
    ("whsec_", "a webhook's signing secret"),
    ("sk_live_", "a Stripe key"),
    ("sk_test_", "a Stripe key"),
    ("SG.", "a SendGrid key"),
    ("ghp_", "a GitHub token"),
    ("https://", "a web address"),
    ("http://", "a web address"),
    ("{", "a piece of JSON"),
)
MASK = "••••"
DAY, MOST_DAYS = 86_400, 3650
NO_ADDRESS = "Write a whole web address, for example https://example.com/in."


def in_a_sentence(label: str) -> str:
    """ "write key", but "API key"."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def masked(text: Any) -> str:
    return MASK + hint(str(text))


class AddressField(forms.URLField):
    """Where events are sent to."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(assume_scheme="https", error_messages={"invalid": NO_ADDRESS}, **kwargs)


def mark_closed(form: forms.BaseForm) -> None:
    """Beside each new address that would never be called: why. One that is saved stays, whatever is allowed by now, so
    that what else is on the form can still be changed."""
    networks = parse_networks(tuple(settings.ALLOWED_PRIVATE_NETWORKS))
    for name in form.changed_data:
        typed = form.cleaned_data.get(name)
        if typed and isinstance(form.fields[name], AddressField) and (words := closed(typed, networks)):
            form.add_error(name, words)


class RowsField(forms.ModelMultipleChoiceField):
    """Ticked rows. A number that no id can be is no choice: handed on as it is, it is more than SQLite takes.

    ``called`` is the field's name in the history, where its label would make no sentence.
    """

    called = ""

    def clean(self, value: Any) -> Any:
        kept = [key for key in value or () if len(str(key)) < 19]
        if value and not kept:
            raise forms.ValidationError("Choose one of those that are listed.")
        return super().clean(kept)


class SecretField(forms.CharField):
    """A secret is typed in and never shown again: empty keeps the saved one, and the page's source never holds it.

    ``mask`` stands for the saved one, "" where there is none; who put it there and when are noted by ``replaced``.
    """

    secret = True
    replaced_by: str = ""
    replaced_at: datetime | None = None

    def __init__(self, *, saved: str = "", required: bool = True, **kwargs: Any) -> None:
        self.mask = f"{MASK} {hint(saved)}".strip() if saved else ""
        # Not "password": browsers would offer to save it as the person's own.
        attrs = {"autocomplete": "new-password", "spellcheck": "false"}
        widget = forms.PasswordInput(render_value=False, attrs=attrs)
        super().__init__(required=required and not saved, strip=True, widget=widget, **kwargs)

    @property
    def new_label(self) -> str:
        return f"New {in_a_sentence(str(self.label))}"

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data)


class MapField(forms.CharField):
    """Names and values, one pair a line: "Name: value". Of a private one's saved values only the last characters are
    shown; a line that is left as it is keeps its value."""

    def __init__(self, *, private: bool = False, **kwargs: Any) -> None:
        self.private = private
        self.saved_values: dict[str, str] = {}
        super().__init__(widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(f"{name}: {masked(text) if self.private else text}" for name, text in value.items())

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        pairs: dict[str, str] = {}
        for number, line in enumerate((value or "").splitlines(), start=1):
            if not line.strip():
                continue
            name, colon, text = line.partition(":")
            if not colon or not name.strip() or not text.strip():
                raise forms.ValidationError(f"Line {number}: write it as “name: value”.")
            name, text = name.strip(), text.strip()
            if self.private and text.startswith(MASK):
                if name not in self.saved_values or text != masked(self.saved_values[name]):
                    raise forms.ValidationError(f"Line {number}: “{MASK}” stands for a saved value. Paste the new one.")
                text = self.saved_values[name]
            pairs[name] = text
        return pairs

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except forms.ValidationError:
            return True


class ListField(forms.CharField):
    """Texts with commas between them."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [part.strip() for part in (value or "").replace("\n", ",").split(",") if part.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != list(initial or []))


class DaysField(forms.FloatField):
    """Seconds, as documents have them, that people see in days."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value / DAY:g}" if isinstance(value, int | float) else value

    def clean(self, value: Any) -> Any:
        days = super().clean(value)
        return days if days is None else round(days * DAY)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except forms.ValidationError:
            return True

    def in_words(self, value: Any) -> str:
        return "(empty)" if value is None else f"{value / DAY:g} days"


def setting_field(setting: Setting, *, saved: str = "") -> forms.Field:
    """The field of one setting. ``saved``: the stored value of a secret, used for its last characters only."""
    common: dict[str, Any] = {"label": setting.label, "help_text": setting.help}
    validators = _validators(setting)
    if setting.secret:
        field: forms.Field = SecretField(saved=saved, required=setting.required, validators=validators, **common)
    else:
        field = _plain_field(setting, validators, {**common, "required": setting.required})
        if setting.placeholder:
            field.widget.attrs["placeholder"] = setting.placeholder
    field.where_to_find = setting.where_to_find  # type: ignore[attr-defined]  # shown below the field
    return field


def _plain_field(setting: Setting, validators: list[Any], common: dict[str, Any]) -> forms.Field:
    match setting.kind:
        case "integer":
            return forms.IntegerField(min_value=0, validators=validators, **common)
        case "days":
            return DaysField(min_value=0, max_value=MOST_DAYS, validators=validators, **common)
        case "number":
            return forms.FloatField(validators=validators, **common)
        case "url":
            return AddressField(max_length=500, **common)
        case "choice":
            return forms.ChoiceField(choices=setting.choices, **common)
        case "map":
            common["help_text"] = f"{setting.help} One “name: value” a line."
            return MapField(private=setting.private, **common)
        case "boolean":
            return forms.BooleanField(**{**common, "required": False})
    return forms.CharField(max_length=500, validators=validators, **common)


def _validators(setting: Setting) -> list[Callable[[str], None]]:
    if not setting.pattern:
        return []
    words = setting.pattern_hint or "This does not look right."
    form = RegexValidator(rf"\A(?:{setting.pattern})\Z", message=words)
    return [_not_of_another_service(setting), form] if setting.secret else [form]


def _not_of_another_service(setting: Setting) -> Callable[[str], None]:
    """Refuses what is plainly something else, which a pattern such as "no spaces" lets through."""

    label = in_a_sentence(setting.label)

    def check(value: str) -> None:
        for start, what in LOOKALIKES:
            if value.startswith(start) and not setting.pattern.startswith(start):
                raise forms.ValidationError(f"This looks like {what}, not like the {label}.")

    return check
