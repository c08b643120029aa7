"""The configuration document and the commands around it."""

from __future__ import annotations

import copy
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from config.models import ApiToken, SetupLink, token_hash
from integrations.configuration import BadConfiguration, export_document, import_document
from integrations.models import ConfigVersion, Connector, EventRule, RegionEndpoint, Source, WriteKey
from integrations.regions import seed_regions
from integrations.secrets import UnreadableSecret

pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "sources": [
        {
            "name": "website",
            "vendor": "segment",
            "write_keys": [{"label": "main", "key": "wk_website_1"}],
            "signing_secret": None,
        }
    ],
    "connectors": [
        {
            "name": "warehouse",
            "vendor": "segment",
            "status": "active",
            "sources": ["website"],
            "region": "eu",
            "endpoint": None,
            "settings": {},
            "secrets": {"write_key": "secret_1"},
            "prefix": "segment : ",
            "other_events": "skip",
            "events": [
                {"type": "track", "event": "Flow Viewed", "send": False},
                {"event": "Response Submitted", "send_as": "survey_responded"},
                {"type": "identify", "send": True},
            ],
            "channels": {},
            "preferences": {},
            "filters": [
                {"if": "properties.plan = 'free'", "then": "drop"},
                {"then": "only_send", "enabled": False},
                {"if": "all", "then": {"sample": 0.5, "path": "userId"}},
                {"if": "type = 'identify'", "then": {"drop_properties": {"context": ["ip"]}}},
                {"then": {"allow_properties": {"properties": ["plan", "score"]}}},
            ],
            "retry": [1, 2.5, 60],
            "rate_limit_per_second": 10,
            "max_concurrency": 4,
        },
        {"name": "hook", "vendor": "webhook", "settings": {"url": "https://example.com/in"}},
    ],
}


@pytest.fixture(autouse=True)
def _regions() -> None:
    seed_regions()


def changed(**changes: Any) -> dict[str, Any]:
    """The document with changes to its first connector; a value of ... takes the field out."""
    document = copy.deepcopy(DOCUMENT)
    for name, value in changes.items():
        if value is ...:
            document["connectors"][0].pop(name)
        else:
            document["connectors"][0][name] = value
    return document


def problems(document: Any) -> list[str]:
    """The mistakes of a document, none of which was written."""
    before = (Source.objects.count(), Connector.objects.count(), WriteKey.objects.count(), ConfigVersion.current())
    with pytest.raises(BadConfiguration) as caught:
        import_document(document)
    after = (Source.objects.count(), Connector.objects.count(), WriteKey.objects.count(), ConfigVersion.current())
    assert after == before
    return caught.value.problems


# In and out


def test_import_makes_everything() -> None:
    version = ConfigVersion.current()
    assert import_document(DOCUMENT) == ["source “website”: new", "connector “warehouse”: new", "connector “hook”: new"]
    assert ConfigVersion.current() > version
    row = Connector.objects.get(name="warehouse")
    assert (row.vendor, row.status, row.region.slug, row.endpoint) == ("segment", "active", "eu", "")  # type: ignore[union-attr]
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


# Mistakes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ...}, ["connectors[0].name: missing."]),
        ({"name": "x" * 101}, ["connectors[0].name: longer than 100 characters."]),
        ({"name": "a\x00"}, ["connectors[0].name: there are characters in it that no text has."]),
        ({"name": "hook"}, ["connectors[1].name: “hook” stands in the document more than once."]),
        ({"color": "red"}, ["connectors[0].color: there is no such field; there are name, "]),
        ({"vendor": "nobody"}, ["connectors[0].vendor: there is no service “nobody”; there are "]),
        ({"vendor": 5}, ["connectors[0].vendor: a text was expected, not a number."]),
        ({"status": "resting"}, ["connectors[0].status: “resting” is not one of active, paused, off."]),
        ({"sources": ["shop"]}, ["connectors[0].sources[0]: there is no source “shop”, "]),
        ({"sources": "website"}, ["connectors[0].sources: a list was expected, not a text."]),
        ({"region": "moon"}, ["connectors[0].region: there is no region “moon”; there are us, eu, eu_alternate."]),
        ({"endpoint": "http://example.com"}, ["connectors[0].endpoint: it must begin with https://."]),
        ({"endpoint": "ftp://example.com"}, ["connectors[0].endpoint: “ftp://example.com” is not an address"]),
        ({"endpoint": "https://a:b@example.com"}, ["connectors[0].endpoint: an address has no user name"]),
        ({"endpoint": "https://[::1"}, ["connectors[0].endpoint: “https://[::1” is not an address."]),
        ({"settings": {"speed": 1}}, ["connectors[0].settings.speed: there is no such field; there are no settings"]),
        ({"settings": []}, ["connectors[0].settings: an object was expected, not a list."]),
        (
            {"secrets": {"api_key": "x"}},
            ["connectors[0].secrets.api_key: ", "connectors[0].secrets.write_key: missing"],
        ),
        ({"secrets": ...}, ["connectors[0].secrets.write_key: missing: Write key."]),
        ({"secrets": {"write_key": "two words"}}, ["connectors[0].secrets.write_key: A write key has no spaces."]),
        ({"prefix": "x" * 51}, ["connectors[0].prefix: longer than 50 characters."]),
        ({"other_events": "maybe"}, ["connectors[0].other_events: “maybe” is not one of send, skip."]),
        ({"events": [{"type": "track"}, {"event": "X", "send_as": 5}]}, ["connectors[0].events[1].send_as: a text"]),
        ({"events": [{"type": "call", "event": "X"}]}, ["connectors[0].events[0].type: “call” is not one of track, "]),
        ({"events": [{"event": ""}]}, ["connectors[0].events[0]: a line needs an event's name, a type, or both."]),
        ({"events": [{"event": "X"}, {"event": "X"}]}, ["connectors[0].events[1]: there is a line for this event"]),
        ({"events": [{"event": "X", "send": "yes"}]}, ["connectors[0].events[0].send: true or false was expected"]),
        ({"channels": {"sms": "phone"}}, ["connectors[0].channels.sms: there is no such channel; Segment has none."]),
        ({"filters": [{"if": "properties.plan ="}]}, ["connectors[0].filters[0].if: "]),
        ({"filters": [{"then": "keep"}]}, ["connectors[0].filters[0].then: “keep” is not one of drop, only_send."]),
        ({"filters": [{"then": {"sample": 2}}]}, ["connectors[0].filters[0].then.sample: “2” is not a share"]),
        ({"filters": [{"then": {}}]}, ["connectors[0].filters[0].then: give one of sample"]),
        (
            {"filters": [{"then": {"drop_properties": {"context": "ip"}}}]},
            ["connectors[0].filters[0].then.drop_properties.context: a list of field names was expected."],
        ),
        ({"retry": "often"}, ["connectors[0].retry: “often” is not standard or patient, and no list of seconds."]),
        ({"retry": []}, ["connectors[0].retry: the list has 0 waits; from 1 to 50 are possible."]),
        ({"retry": [1, "2"]}, ["connectors[0].retry: wait 2 is “2”, which is not a number of seconds"]),
        ({"rate_limit_per_second": 0}, ["connectors[0].rate_limit_per_second: “0” is not a number above 0."]),
        ({"max_concurrency": 1.5}, ["connectors[0].max_concurrency: “1.5” is not a whole number above 0."]),
        (
            {"retry": True, "status": 1, "prefix": []},
            ["connectors[0].retry: ", "connectors[0].prefix: ", "connectors[0].status: "],
        ),
    ],
)
def test_mistakes_of_a_connector_have_their_path(changes: dict[str, Any], expected: list[str]) -> None:
    found = problems(changed(**changes))
    assert len(found) == len(expected), found
    for line, begins in zip(found, expected, strict=True):
        assert line.startswith(begins)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"name": ""}, "sources[0].name: missing."),
        ({"vendor": "webhook"}, "sources[0].vendor: Webhook does not send events to us; these can: "),
        ({"write_keys": [{"label": "main"}]}, "sources[0].write_keys[0].key: missing."),
        ({"write_keys": [{"key": "two words"}]}, "sources[0].write_keys[0].key: a key has no spaces"),
        ({"write_keys": {"main": "x"}}, "sources[0].write_keys: a list was expected, not an object."),
        ({"write_keys": ["wk"]}, "sources[0].write_keys[0]: an object was expected, not a text."),
        ({"settings": {"naming": "seed"}}, "sources[0].settings.naming: there is no such field"),
        ({"status": "paused"}, "sources[0].status: “paused” is not one of active, off."),
    ],
)
def test_mistakes_of_a_source_have_their_path(source: dict[str, Any], expected: str) -> None:
    document = {"version": 1, "sources": [{"name": "website", "vendor": "segment", **source}]}
    assert any(line.startswith(expected) for line in problems(document))


def test_a_key_belongs_to_one_source() -> None:
    import_document(DOCUMENT)
    again = {"version": 1, "sources": [{"name": "shop", "write_keys": [{"key": "wk_website_1"}]}]}
    assert problems(again) == ["sources[0].write_keys[0].key: this key belongs to the source “website”."]
    twice = {"version": 1, "sources": [{"name": name, "write_keys": [{"key": "new"}]} for name in ("a", "b")]}
    assert problems(twice) == [
        "sources[0].write_keys[0].key: this key stands in the document more than once.",
        "sources[1].write_keys[0].key: this key stands in the document more than once.",
    ]


def test_a_connector_keeps_its_service() -> None:
    import_document(DOCUMENT)
    document = {"version": 1, "connectors": [{"name": "hook", "vendor": "segment", "secrets": {"write_key": "abc"}}]}
    assert problems(document) == [
        "connectors[0].vendor: “hook” is a webhook connector already; another service needs another name."
    ]


@pytest.mark.parametrize("document", [[], "text", None, 5, {}, {"version": 2}, {"version": True}])
def test_documents_that_are_none(document: Any) -> None:
    assert problems(document)


def test_settings_of_every_kind() -> None:
    def of(**settings: Any) -> list[str]:
        settings = {"url": "https://example.com", **settings}
        return problems({"version": 1, "connectors": [{"name": "h", "vendor": "webhook", "settings": settings}]})

    path = "connectors[0].settings."
    assert of(url="nowhere") == [f"{path}url: “nowhere” is not an address such as https://example.com."]
    assert of(url="") == [f"{path}url: missing: Address."]
    assert of(method="GET") == [f"{path}method: “GET” is not one of POST, PUT, PATCH."]
    assert of(batch_size="5") == [f"{path}batch_size: “5” is not a whole number from 0."]
    assert of(headers={"X": 5}) == [f"{path}headers: X: a text was expected, not a number."]
    assert of(headers=["X"]) == [f"{path}headers: an object was expected, not a list."]


def test_plain_http_only_with_private_networks(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    import_document(changed(endpoint="http://127.0.0.1:9000"))
    assert Connector.objects.get(name="warehouse").endpoint == "http://127.0.0.1:9000"


# Commands


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_import_command(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(DOCUMENT))
    assert "connector “hook”: new" in run("import_config", str(file), "--dry-run")
    assert Connector.objects.count() == 0
    assert run("import_config", str(file)).endswith("Imported.\n")
    assert Connector.objects.count() == 2
    assert run("import_config", str(file)) == "Nothing to change: all is as the document says.\n"
    file.write_text(json.dumps(changed(retry="never", prefix=5)))
    with pytest.raises(CommandError) as caught:
        run("import_config", str(file))
    assert "2 mistakes" in str(caught.value)
    assert "\nconnectors[0].retry: “never”" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "", "NaN", "[" * 100_000, '{"version": 1} x'])
def test_import_command_refuses_what_is_not_json(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(CommandError, match="is not JSON"):
        run("import_config", str(file))
    with pytest.raises(CommandError, match="can't be read"):
        run("import_config", str(tmp_path / "missing.json"))


def test_export_command_prints_the_document() -> None:
    import_document(DOCUMENT)
    assert json.loads(run("export_config")) == export_document()
    assert json.loads(run("export_config", "--with-secrets")) == export_document(with_secrets=True)


def stored(table: str, column: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def test_rotate_secrets(settings: Any) -> None:
    old, new = settings.SECRETS_KEYS[0], Fernet.generate_key().decode()
    import_document(DOCUMENT)
    key = WriteKey.objects.get()
    before = stored("integrations_connector", "secrets")
    settings.SECRETS_KEYS = [new, old]
    assert run("rotate_secrets").startswith("4 rows encrypted")
    assert stored("integrations_connector", "secrets") != before
    settings.SECRETS_KEYS = [new]
    assert Connector.objects.get(name="warehouse").secrets == {"write_key": "secret_1"}
    assert WriteKey.objects.get().key == "wk_website_1"
    assert WriteKey.objects.get().digest != key.digest
    with pytest.raises(Exception, match="belongs to a source already"):
        WriteKey.issue(Source.objects.get(), key="wk_website_1")
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("rotate_secrets")
    with pytest.raises(UnreadableSecret):
        Connector.objects.get(name="warehouse")


def test_api_token_stands_alone_on_the_last_line() -> None:
    token = run("api_token", "monitoring", "--role", "viewer").splitlines()[-1]
    row = ApiToken.objects.get()
    assert (row.name, row.role, row.digest) == ("monitoring", "viewer", token_hash(token))
    assert token not in str(vars(row))
    with pytest.raises(CommandError, match="invalid choice"):
        run("api_token", "x", "--role", "king")
    with pytest.raises(CommandError, match="1 to 100"):
        run("api_token", " ", "--role", "viewer")
    assert ApiToken.objects.count() == 1


def test_setup_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("PORT", "8123")
    first = run("setup_link").strip()
    second = run("setup_link").strip()
    address, _, token = second.rpartition("/")
    assert address == "http://127.0.0.1:8123/setup"
    assert SetupLink.find(token) is not None
    assert SetupLink.find(first.rpartition("/")[2]) is None
