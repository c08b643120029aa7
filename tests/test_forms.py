"""The fields made from a vendor's settings, and the tables of a connector's form."""

from __future__ import annotations

import pytest
from django import forms

from integrations import registry
from integrations.fields import AddressField, DaysField, ListField, MapField, SecretField, setting_field
from integrations.forms import ConnectorForm, field_name, parse_seconds
from integrations.models import Connector
from integrations.tables import objects_of, paths_of, tables
from integrations.types import Setting


def setting(**more: object) -> Setting:
    return Setting(**{"name": "x", "label": "X", "help": "What it does.", **more})  # type: ignore[arg-type]  # any of them


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("text", forms.CharField),
        ("integer", forms.IntegerField),
        ("number", forms.FloatField),
        ("days", DaysField),
        ("url", AddressField),
        ("map", MapField),
        ("boolean", forms.BooleanField),
    ],
)
def test_kind_decides_the_field(kind: str, field: type[forms.Field]) -> None:
    assert type(setting_field(setting(kind=kind))) is field


def test_choice_offers_the_choices() -> None:
    field = setting_field(setting(kind="choice", choices=(("a", "A"), ("b", "B"))))
    assert list(field.choices) == [("a", "A"), ("b", "B")]  # type: ignore[attr-defined]  # a choice field


def test_secret_is_write_only_and_required_once() -> None:
    fresh, saved = setting_field(setting(secret=True)), setting_field(setting(secret=True), saved="sk_live_123456789")
    assert (fresh.required, saved.required) == (True, False)
    html = saved.widget.render("x", "sk_live_123456789")
    assert "sk_live" not in html
    assert isinstance(fresh, SecretField)
    assert isinstance(saved, SecretField)
    assert (fresh.mask, saved.mask) == ("", "•••• 6789")


@pytest.mark.parametrize(("label", "words"), [("Write key", "New write key"), ("API key", "New API key")])
def test_the_field_for_a_new_secret_says_so(label: str, words: str) -> None:
    field = setting_field(setting(secret=True, label=label), saved="x")
    assert isinstance(field, SecretField)
    assert field.new_label == words


def test_pattern_is_for_the_whole_value_and_answers_in_words() -> None:
    field = setting_field(setting(pattern=r"xox\S+", pattern_hint="It begins with xoxb-."))
    assert field.clean("xoxb-1") == "xoxb-1"
    for wrong in ("a xoxb-1", "xoxb-1 b"):
        with pytest.raises(forms.ValidationError, match="It begins with xoxb-"):
            field.clean(wrong)


def test_map_reads_lines_and_says_which_is_wrong() -> None:
    field = MapField(required=False)
    assert field.clean("Authorization: Bearer a:b\n\n X : y ") == {"Authorization": "Bearer a:b", "X": "y"}
    assert field.prepare_value({"a": "b", "c": "d"}) == "a: b\nc: d"
    with pytest.raises(forms.ValidationError, match="Line 2"):
        field.clean("a: b\nnonsense")


def test_list_and_object_paths_come_back_the_same() -> None:
    assert ListField(required=False).clean("properties.email, userId,\n") == ["properties.email", "userId"]
    fields = {"properties": ["email", "phone"], "context.traits": ["name"], "": ["userId"]}
    assert objects_of(paths_of(fields)) == fields


@pytest.mark.parametrize("text", ["", "0", "a", "-1", "1.5", "604801", ",".join(["1"] * 21)])
def test_wrong_retry_lists(text: str) -> None:
    with pytest.raises(ValueError, match=r"[sS]econds"):
        parse_seconds(text)


def test_retry_list() -> None:
    assert parse_seconds("10, 60 600") == [10, 60, 600]


@pytest.mark.django_db
@pytest.mark.parametrize("slug", [vendor.slug for vendor in registry.sending()])
def test_every_vendor_has_a_form(slug: str) -> None:
    vendor = registry.vendors()[slug]
    connector = Connector(vendor=slug)
    form = ConnectorForm(instance=connector)
    assert [field.name for field in form.vendor_fields()] == [field_name(one) for one in vendor.settings]
    assert ("region" in form.fields) == (len(vendor.regions) > 1)
    assert set(tables(connector)) >= {"rules", "filters"}
    assert ("channels" in tables(connector)) == bool(vendor.channels)


@pytest.mark.django_db
def test_filter_condition_is_checked_when_it_is_written() -> None:
    data = {
        "filters-TOTAL_FORMS": "1",
        "filters-INITIAL_FORMS": "0",
        "filters-0-condition": "properties.plan = 'free",
        "filters-0-action": "drop",
    }
    connector = Connector.objects.create(name="c", vendor="webhook")
    table = tables(connector, data, only=("filters",))["filters"]
    assert not table.is_valid()
    assert "closing quote" in str(table.forms[0].errors["condition"])
