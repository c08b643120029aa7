"""The configuration as a file, from the settings page: out without secrets, in after a look at what would change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from config.roles import Role
from integrations.history import Change
from integrations.models import Connector, Source, WriteKey
from tests import rows
from tests.console import person

pytestmark = pytest.mark.django_db
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfgh41hwUM="
KEY = "wk_planted_4711_abcd"


@pytest.fixture
def hook() -> Connector:
    row = rows.connector("hook", secrets={"signing_secret": OLD})
    WriteKey.issue(Source.objects.get(), key=KEY)
    return row


@pytest.fixture
def owner() -> Client:
    return person("owner")


def exported(client: Client) -> dict[str, Any]:
    answer = client.get("/settings/export/")
    assert answer["Content-Disposition"].startswith('attachment; filename="signalbox-20')
    return dict(json.loads(answer.content))


def upload(client: Client, document: Any, name: str = "mine.json") -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post("/settings/import/", {"file": SimpleUploadedFile(name, body)}, follow=True).content.decode()


def seen(client: Client) -> list[tuple[str, str, bool, tuple[Any, ...]]]:
    found = client.get("/settings/import/").context["found"]
    return [(one.kind, one.name, one.new, one.details) for one in found]


def press(client: Client) -> str:
    version = client.get("/settings/import/").context["version"]
    return client.post("/settings/import/apply/", {"version": version}, follow=True).content.decode()


def test_what_goes_out_has_no_secrets_and_changes_nothing_when_it_comes_in(hook: Connector, owner: Client) -> None:
    document = exported(person("viewer"))
    assert [row["name"] for row in document["connectors"]] == ["hook"]
    assert OLD not in json.dumps(document)
    assert KEY not in json.dumps(document)
    assert "Nothing: all is as the file says already." in upload(owner, document)
    assert seen(owner) == []
    hook.refresh_from_db()
    assert hook.secrets == {"signing_secret": OLD}


def test_before_anything_is_changed_the_page_says_what_would_be(hook: Connector, owner: Client) -> None:
    document = exported(owner)
    [source], [row] = document["sources"], document["connectors"]
    row |= {"prefix": "shop : ", "secrets": {"signing_secret": NEW}}
    row["settings"]["batch_size"] = 50
    row["events"] = [{"type": "track", "event": "Flow Viewed", "send": False}]
    source["write_keys"] = [{"label": "app", "key": "wk_another_key_wxyz"}]
    document["sources"].append({"name": "app", "vendor": "surveys"})
    page = upload(owner, document)
    expected = [
        ("source", "app", True, (("service", "", "Survey events"),)),
        ("source", "website", False, (("write key app ••••wxyz", "(none)", "works"),)),
        (
            "connector", "hook", False,
            (
                ("Events per call", "1", "50"),
                ("Signing secret", "••••", "replaced"),
                ("prefix", "(none)", "shop : "),
                ("events", "(none)", "type: track, event: Flow Viewed, send: no"),
            ),
        ),
    ]  # fmt: skip
    assert seen(owner) == expected
    for secret in (OLD, NEW, KEY, "wk_another_key_wxyz"):
        assert secret not in page
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_data FROM django_session")
        assert NEW not in repr(cursor.fetchall())
    hook.refresh_from_db()
    assert (hook.prefix, Source.objects.count(), Change.objects.count()) == ("", 1, 0)
    assert "Imported: app, website, hook." in press(owner)
    hook.refresh_from_db()
    assert (hook.prefix, hook.secrets, Source.objects.count()) == ("shop : ", {"signing_secret": NEW}, 2)
    assert [(row.by, row.object_name, row.words) for row in Change.objects.order_by("id")] == [
        ("Owner Jones", "app", "Made from a configuration file"),
        ("Owner Jones", "website", "Changed by a configuration file"),
        ("Owner Jones", "hook", "Changed by a configuration file"),
    ]
    assert [list(line) for line in expected[2][3]] == Change.objects.latest("id").details
    assert "found" not in owner.get("/settings/import/").context  # the file is gone


def test_nothing_is_imported_that_was_not_looked_at(hook: Connector, owner: Client) -> None:
    assert "There is no file to import." in owner.post("/settings/import/apply/", follow=True).content.decode()
    document = exported(owner)
    document["connectors"][0]["prefix"] = "a : "
    upload(owner, document)
    version = owner.get("/settings/import/").context["version"]
    hook.notes = "changed meanwhile"
    hook.save()
    page = owner.post("/settings/import/apply/", {"version": version}, follow=True).content.decode()
    assert "Somebody changed the configuration meanwhile." in page
    hook.refresh_from_db()
    assert hook.prefix == ""
    assert ("notes", "changed meanwhile", "(none)") in seen(owner)[0][3]
    assert "Nothing was imported." in owner.post("/settings/import/discard/", follow=True).content.decode()
    assert "found" not in owner.get("/settings/import/").context


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{broken", "It is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        (b"\xff\xfe", "It is not a text in UTF-8."),
        (b'{"version": NaN}', "It is not JSON that can be read: NaN is not a JSON value."),
        (b"[" * 200_000, "not JSON"),
        (b" " * 512_001, "It is bigger than 512 kB."),
        (b'{"version": 2}', "version: this document must have version 1."),
        (b'{"version": 1, "sources": [{"name": "\\u0000", "vendor": "segment"}]}', "sources[0].name"),
        (b'{"version": 1, "connectors": [{"name": "<b>x</b>", "vendor": "nobody"}]}', "connectors[0].vendor"),
        (b"[]", "was not imported"),
    ],
)
def test_mistakes_are_said_and_nothing_is_changed(owner: Client, body: bytes, words: str) -> None:
    page = upload(owner, body)
    assert words in page
    assert "Nothing was changed." in page
    assert "<b>x" not in page
    assert (Source.objects.count(), Connector.objects.count(), Change.objects.count()) == (0, 0, 0)
    assert "found" not in owner.get("/settings/import/").context


def test_no_file_is_a_mistake_too(owner: Client) -> None:
    assert "Choose a file first." in owner.post("/settings/import/").content.decode()


@pytest.mark.parametrize("role", Role.values)
def test_only_owners_import(hook: Connector, role: str) -> None:
    client = person(role)
    document = exported(client)
    document["connectors"][0]["prefix"] = "a : "
    upload(client, document)
    version = client.get("/settings/import/").context["version"] if role == "owner" else "1"
    answer = client.post("/settings/import/apply/", {"version": version})
    hook.refresh_from_db()
    assert (answer.status_code, hook.prefix) == ((302, "a : ") if role == "owner" else (403, ""))


@pytest.mark.parametrize("role", Role.values)
def test_only_owners_put_a_waiting_file_away(hook: Connector, role: str) -> None:
    client = person(role)
    session = client.session
    session["waiting_configuration"] = "anything"
    session.save()
    answer = client.post("/settings/import/discard/")
    assert (answer.status_code, "waiting_configuration" in client.session) == (
        (302, False) if role == "owner" else (403, True)
    )
