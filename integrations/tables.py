"""The tables of a connector's form: events, channels, preferences, filters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.forms import BaseInlineFormSet, inlineformset_factory

from integrations import filters, fql, registry
from integrations.fields import ListField
from integrations.models import ChannelMapping, Connector, EventRule, Filter, PreferenceMapping
from integrations.selectors import connector_config
from integrations.types import ConnectorConfig, FilterRule, Vendor
from integrations.types import EventRule as Rule

Mapping = type[ChannelMapping] | type[PreferenceMapping]


class LabelledForm(forms.ModelForm):
    """Each input says its column and its row: the table's heads are no labels for whoever cannot see them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = str(self.instance) if self.instance.pk else "new line"
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = f"{str(field.label).capitalize()} – {row}"

    def add_label(self, name: str) -> None:
        row = str(self.instance) if self.instance.pk else "new line"
        self.fields[name].widget.attrs["aria-label"] = f"Remove – {row}"


class Table(BaseInlineFormSet):
    """An inline formset that labels its delete boxes and drops lines that are wholly empty."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.add_label("DELETE")

    def live(self) -> list[Any]:
        """The rows that a save would leave, as the form says, not saved; lines with mistakes are left out."""
        if not self.is_bound:
            return list(self.get_queryset())
        kept = [form for form in self.forms if form.is_valid() and not form.cleaned_data.get("DELETE")]
        rows = [form for form in kept if form.instance.pk or form.has_changed()]
        return [form.fill() if hasattr(form, "fill") else form.instance for form in rows]

    def changes(self) -> list[tuple[str, str, str]]:
        """(line, before, after) of what a save changes, for the history. Call before saving."""
        lines = []
        for form in self.initial_forms:
            if form in self.deleted_forms:
                lines.append((str(form.instance), "in the table", "removed"))
            elif form.has_changed():
                lines.extend((f"{form.instance} – {label}", before, after) for label, before, after in _of(form))
        lines.extend((str(form.instance), "–", "added") for form in self.extra_forms if form.has_changed())
        return lines


class RuleForm(LabelledForm):
    class Meta:
        model = EventRule
        fields = ("name", "kind", "send", "send_as")
        labels = {"kind": "type"}
        help_texts = {"name": ""}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds: Any = self.fields["kind"]
        kinds.choices = [("", "any"), *[choice for choice in kinds.choices if choice[0]]]
        self.fields["send_as"].widget.attrs["placeholder"] = "its own name"
        self.fields["name"].widget.attrs["list"] = "event-names"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.has_changed() and not data.get("name") and not data.get("kind"):
            raise forms.ValidationError("Say which event: its name, its type, or both.")
        return data


class MappingForm(LabelledForm):
    seen = ""  # what to say beside the field: whoever knows the events that come in puts it there

    def __init__(self, *args: Any, choices: tuple[tuple[str, str, str], ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = "channel" if "channel" in self.fields else "preference"
        known = [(slug, label) for slug, label, _ in choices]
        current = getattr(self.instance, name)
        if current and current not in dict(known):
            known.append((current, current))
        attrs = self.fields[name].widget.attrs
        self.fields[name].widget = forms.Select(choices=[("", "Choose …"), *known], attrs=attrs)
        self.fields["field"].widget.attrs.update(list="field-names", placeholder="for example phone")


class FilterForm(LabelledForm):
    fields_list = ListField(required=False, label="fields")
    percent_shown = forms.FloatField(required=False, min_value=0, max_value=100, label="share in %")

    class Meta:
        model = Filter
        fields = ("condition", "action", "path", "enabled")
        labels = {"enabled": "on"}

    field_order = ("condition", "action", "fields_list", "percent_shown", "path", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["fields_list"] = paths_of(self.instance.fields)
        self.initial["percent_shown"] = round(self.instance.percent * 100, 4)
        self.fields["condition"].widget.attrs["placeholder"] = "properties.plan = 'free'"
        self.fields["fields_list"].widget.attrs["placeholder"] = "properties.email, context.ip"
        self.fields["path"].widget.attrs["placeholder"] = "userId"

    @property
    def hint(self) -> str:
        """What the condition as it stands in the form may be meant to say."""
        return filters.hint(str(self["condition"].value() or ""))

    def clean_condition(self) -> str:
        text = str(self.cleaned_data["condition"]).strip()
        if text != "all":
            try:
                fql.compile_condition(text)
            except fql.FqlError as error:
                raise forms.ValidationError(f"This condition cannot be read: {error}.") from error
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("action") in ("drop_properties", "allow_properties") and not data.get("fields_list"):
            self.add_error("fields_list", "Name the fields, for example properties.email.")
        return data

    def save(self, commit: bool = True) -> Any:
        self.fill()
        return super().save(commit)

    def fill(self) -> Filter:
        self.instance.fields = objects_of(self.cleaned_data.get("fields_list") or [])
        share = self.cleaned_data.get("percent_shown")
        self.instance.percent = 1.0 if share is None else share / 100
        row: Filter = self.instance
        return row


def paths_of(fields: dict[str, list[str]]) -> list[str]:
    """{"properties": ["email"], "": ["userId"]} as a person writes it: properties.email, userId."""
    return [f"{place}.{name}" if place else name for place, names in fields.items() for name in names]


def objects_of(paths: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        place, _, name = path.rpartition(".")
        found.setdefault(place, []).append(name)
    return found


def tables(connector: Connector, data: Any = None, only: tuple[str, ...] | None = None) -> dict[str, Table]:
    """The tables that this connector's service has use for; ``only`` those of one page."""
    vendor = registry.get(connector.vendor)
    made = {"rules": _table(EventRule, RuleForm, "rules", connector, data)}
    if vendor and vendor.channels:
        made["channels"] = _mapping(ChannelMapping, "channel", "channels", connector, vendor, data)
    if vendor and vendor.preferences:
        made["preferences"] = _mapping(PreferenceMapping, "preference", "preferences", connector, vendor, data)
    made["filters"] = _table(Filter, FilterForm, "filters", connector, data)
    return {name: table for name, table in made.items() if only is None or name in only}


def config_from(row: Connector, lists: dict[str, Table]) -> ConnectorConfig:
    """The connector as forms say it is, for a preview: nothing needs to be saved."""
    live = {name: table.live() for name, table in lists.items()}
    new: dict[str, Any] = {
        "rules": tuple(Rule(kind=r.kind, name=r.name, send=r.send, send_as=r.send_as) for r in live.get("rules", ())),
        "channels": {r.channel: r.field for r in live.get("channels", ())},
        "preferences": {r.preference: r.field for r in live.get("preferences", ())},
        "filters": tuple(
            FilterRule(condition=r.condition, action=r.action, percent=r.percent, path=r.path, fields=r.fields)
            for r in live.get("filters", ())
            if r.enabled
        ),
    }
    return replace(connector_config(row), **{name: value for name, value in new.items() if name in lists})


def _table(model: Any, form: Any, prefix: str, connector: Connector, data: Any, **extra: Any) -> Table:
    factory = inlineformset_factory(Connector, model, form=form, formset=Table, extra=0, can_delete=True)
    made: Any = factory(data, instance=connector, prefix=prefix, **extra)
    table: Table = made
    return table


def _mapping(model: Mapping, name: str, prefix: str, connector: Connector, vendor: Vendor, data: Any) -> Table:
    meta = type("Meta", (), {"model": model, "fields": (name, "field")})
    form = type("MappingForm", (MappingForm,), {"Meta": meta})
    return _table(model, form, prefix, connector, data, form_kwargs={"choices": getattr(vendor, prefix)})


def _of(form: forms.BaseForm) -> list[tuple[str, str, str]]:
    from integrations.history import form_changes

    return form_changes(form)
