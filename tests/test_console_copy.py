"""Copying a connector, and taking it elsewhere as a document."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from config.roles import Role
from integrations.configuration import import_document
from integrations.models import ChannelMapping, Connector, EventRule, Filter, RegionEndpoint, Source
from tests.console import person

pytestmark = pytest.mark.django_db
FIELDS = ("vendor", "endpoint", "settings", "prefix", "other_events", "retry", "max_concurrency", "notes", "region_id")


@pytest.fixture
def original() -> Connector:
    row = Connector.objects.create(
        name="SuprSend – production",
        vendor="suprsend",
        region=RegionEndpoint.objects.filter(vendor="suprsend").first(),
        endpoint="https://proxy.example.com",
        settings={"mode": "api"},
        secrets={"api_key": "key_secret_12345"},
        prefix="segment : ",
        other_events="skip",
        retry=[5, 60],
        rate_limit_per_second=3,
        max_concurrency=2,
        notes="Ask Ann",
        tested_at="2026-01-01T00:00:00Z",
    )
    row.sources.add(Source.objects.create(name="website"))
    Source.objects.create(name="other")
    EventRule.objects.create(connector=row, kind="track", name="Flow Viewed", send=False)
    EventRule.objects.create(connector=row, name="Response Submitted", send_as="survey_responded")
    ChannelMapping.objects.create(connector=row, channel="sms", field="phone")
    Filter.objects.create(connector=row, condition="userId = 'x'", action="drop")
    return row


def copy(row: Connector, role: str = "editor") -> tuple[Connector, str]:
    answer = person(role).post(reverse("admin:integrations_connector_copy", args=[row.pk]), follow=True)
    made = Connector.objects.order_by("-id").first()
    assert made is not None
    assert answer.redirect_chain == [(f"/connectors/{made.pk}/setup/keys/", 302)]
    return made, answer.content.decode()


def test_copy_has_all_but_keys_sources_and_what_happened(original: Connector) -> None:
    made, page = copy(original)
    assert made.name == "SuprSend – production (copy)"
    assert [getattr(made, name) for name in FIELDS] == [getattr(original, name) for name in FIELDS]
    assert made.rate_limit_per_second == 3
    assert list(made.rules.values_list("kind", "name", "send", "send_as")) == [
        ("track", "Flow Viewed", False, ""),
        ("", "Response Submitted", True, "survey_responded"),
    ]
    assert list(made.channels.values_list("channel", "field")) == [("sms", "phone")]
    assert list(made.filters.values_list("condition", "action")) == [("userId = 'x'", "drop")]
    assert (made.secrets, list(made.sources.all()), made.status, made.status_at, made.tested_at) == (
        {},
        [],
        "off",
        None,
        None,
    )
    assert made.uid != original.uid
    assert "Keys are not copied" in page
    assert original.rules.count() == 2


def test_second_copy_gets_a_name_of_its_own(original: Connector) -> None:
    Connector.objects.filter(pk=original.pk).update(name="N" * 100)
    assert [copy(original)[0].name, copy(original)[0].name] == ["N" * 93 + " (copy)", "N" * 91 + " (copy 2)"]


def test_export_can_be_imported_elsewhere_and_holds_no_key(original: Connector) -> None:
    answer = person("viewer").get(reverse("admin:integrations_connector_export", args=[original.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="suprsend-production.json"'
    text = answer.content.decode()
    assert "key_secret_12345" not in text
    document = json.loads(text)
    assert [row["name"] for row in document["sources"]] == ["website"]
    assert [row["name"] for row in document["connectors"]] == ["SuprSend – production"]
    assert import_document(document, dry_run=True) == []
    document["connectors"][0]["secrets"] = {"api_key": "another_key_123"}
    Connector.objects.all().delete()
    Source.objects.all().delete()
    import_document(document)
    row = Connector.objects.get()
    assert (row.prefix, row.rules.count(), [source.name for source in row.sources.all()]) == (
        "segment : ",
        2,
        ["website"],
    )


@pytest.mark.parametrize("role", Role.values)
def test_menu_offers_what_the_role_may(original: Connector, role: str) -> None:
    page = person(role).get(f"/connectors/{original.pk}/").content.decode()
    assert (f"/connectors/{original.pk}/copy/" in page) == (role in ("editor", "owner"))
    assert ("Rename" in page) == (role in ("editor", "owner"))
    assert ("Delete…" in page) == (role == "owner")
    assert f"/connectors/{original.pk}/export/" in page
