"""The configuration document: in, out, and in again."""

from __future__ import annotations

import json

import pytest

from integrations.configuration import export_document, import_document
from integrations.models import ConfigVersion, Connector, EventRule, RegionEndpoint, Source, WriteKey
from integrations.regions import seed_regions
from tests.configuration import DOCUMENT, changed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _regions() -> None:
    seed_regions()


def test_import_makes_everything() -> None:
    version = ConfigVersion.current()
    assert import_document(DOCUMENT) == ["source “website”: new", "connector “warehouse”: new", "connector “hook”: new"]
    assert ConfigVersion.current() > version
    row = Connector.objects.get(name="warehouse")
    assert (row.vendor, row.status, row.region.slug, row.endpoint) == ("segment", "active", "eu", "")  # type: ignore[union-attr]  # set
    assert (row.prefix, row.other_events, row.retry) == ("segment : ", "skip", [1, 2.5, 60])
    assert (row.rate_limit_per_second, row.max_concurrency, row.secrets) == (10.0, 4, {"write_key": "secret_1"})
    assert list(row.sources.values_list("name", flat=True)) == ["website"]
    assert list(row.rules.values_list("kind", "name", "send", "send_as")) == [
        ("track", "Flow Viewed", False, ""),
        ("", "Response Submitted", True, "survey_responded"),
        ("identify", "", True, ""),
    ]
    assert list(row.filters.values_list("condition", "action", "percent", "path", "fields", "enabled")) == [
        ("properties.plan = 'free'", "drop", 1.0, "", {}, True),
        ("all", "only_send", 1.0, "", {}, False),
        ("all", "sample", 0.5, "userId", {}, True),
        ("type = 'identify'", "drop_properties", 1.0, "", {"context": ["ip"]}, True),
        ("all", "allow_properties", 1.0, "", {"properties": ["plan", "score"]}, True),
    ]
    hook = Connector.objects.get(name="hook")
    assert hook.settings == {"url": "https://example.com/in", "method": "POST", "headers": {}, "batch_size": 1}
    assert (hook.status, hook.retry, hook.other_events, hook.sources.count()) == ("active", "standard", "send", 0)
    assert WriteKey.objects.get().key == "wk_website_1"


def test_import_again_changes_nothing() -> None:
    import_document(DOCUMENT)
    version, ids = ConfigVersion.current(), list(EventRule.objects.values_list("id", flat=True))
    assert import_document(DOCUMENT) == []
    assert (ConfigVersion.current(), list(EventRule.objects.values_list("id", flat=True))) == (version, ids)


@pytest.mark.parametrize("with_secrets", [False, True])
def test_export_import_export_is_identical(with_secrets: bool) -> None:
    import_document(DOCUMENT)
    first = export_document(with_secrets=with_secrets)
    assert import_document(json.loads(json.dumps(first))) == []
    assert export_document(with_secrets=with_secrets) == first
    assert Connector.objects.get(name="warehouse").secrets == {"write_key": "secret_1"}


def test_a_full_export_rebuilds_everything_elsewhere() -> None:
    import_document(DOCUMENT)
    first = export_document(with_secrets=True)
    Connector.objects.all().delete()
    Source.objects.all().delete()
    import_document(first)
    assert export_document(with_secrets=True) == first


def test_export_leaves_secrets_and_write_keys_out() -> None:
    document = changed()
    document["sources"][0]["signing_secret"] = "sign_me_9"
    import_document(document)
    text = json.dumps(export_document())
    assert not [word for word in ("secret_1", "wk_website_1", "sign_me_9", '"secrets"', "write_keys") if word in text]
    text = json.dumps(export_document(with_secrets=True))
    assert [word for word in ("secret_1", "wk_website_1", "sign_me_9") if word in text] == [
        "secret_1",
        "wk_website_1",
        "sign_me_9",
    ]


def test_what_is_left_out_is_kept_or_gets_its_default() -> None:
    import_document(DOCUMENT)
    Connector.objects.filter(name="warehouse").update(status="paused", status_by="Ann")
    document = {"version": 1, "connectors": [{"name": "warehouse", "vendor": "segment"}]}
    assert import_document(document) == [
        "connector “warehouse”: prefix, other_events, retry, rate_limit_per_second, max_concurrency, region, "
        "events, filters, sources"
    ]
    row = Connector.objects.get(name="warehouse")
    assert (row.status, row.status_by, row.secrets) == ("paused", "Ann", {"write_key": "secret_1"})
    assert (row.prefix, row.other_events, row.retry, row.region) == ("", "send", "standard", None)
    assert row.rules.count() == row.filters.count() == row.sources.count() == 0
    assert Source.objects.get().write_keys.count() == 1


def test_names_that_are_not_in_the_document_are_left_alone() -> None:
    import_document(DOCUMENT)
    WriteKey.issue(Source.objects.get(), "second", "wk_2")
    document = changed()
    del document["connectors"][1]
    document["sources"][0]["write_keys"] = []
    assert import_document(document) == []
    assert (Connector.objects.count(), WriteKey.objects.count()) == (2, 2)


def test_a_status_says_who_changed_it() -> None:
    import_document(DOCUMENT)
    assert import_document(changed(status="paused")) == ["connector “warehouse”: status"]
    row = Connector.objects.get(name="warehouse")
    assert (row.status, row.status_by) == ("paused", "the configuration import")
    assert row.status_at is not None


def test_a_revoked_key_that_is_given_again_works_again() -> None:
    import_document(DOCUMENT)
    key = WriteKey.objects.get()
    key.revoke()
    assert import_document(DOCUMENT) == ["source “website”: write key “main”"]
    key.refresh_from_db()
    assert key.usable


def test_dry_run_says_what_would_change() -> None:
    version = ConfigVersion.current()
    assert len(import_document(DOCUMENT, dry_run=True)) == 3
    assert (Source.objects.count(), Connector.objects.count(), ConfigVersion.current()) == (0, 0, version)


def test_a_region_that_people_added() -> None:
    RegionEndpoint.objects.create(vendor="segment", slug="mine", label="Mine", base_url="https://proxy.example.com")
    import_document(changed(region="mine"))
    assert export_document()["connectors"][1]["region"] == "mine"


def test_a_service_s_channels_and_preferences_are_mapped_by_name() -> None:
    document = changed(
        vendor="novu",
        region="us",
        secrets={"api_key": "nv-key"},
        channels={"sms": "phone"},
        preferences={"preferred_language": "language"},
    )
    import_document(document)
    row = Connector.objects.get(vendor="novu")
    assert list(row.channels.values_list("channel", "field")) == [("sms", "phone")]
    assert list(row.preferences.values_list("preference", "field")) == [("preferred_language", "language")]
    assert import_document(document) == []
