"""The commands around configuration, secrets and people."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from config.models import ApiToken, SetupLink, User, token_hash
from integrations.configuration import export_document, import_document
from integrations.models import Connector, Source, WriteKey
from integrations.regions import seed_regions
from integrations.secrets import UnreadableSecret
from tests.configuration import DOCUMENT, changed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _regions() -> None:
    seed_regions()


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
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")  # noqa: S608 - ours
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
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104 - only shown
    monkeypatch.setenv("PORT", "8123")
    first = run("setup_link").strip()
    second = run("setup_link").strip()
    address, _, token = second.rpartition("/")
    assert address == "http://127.0.0.1:8123/setup"
    assert SetupLink.find(token) is not None
    assert SetupLink.find(first.rpartition("/")[2]) is None


def test_a_set_up_link_that_would_not_work_is_not_made() -> None:
    User.objects.create_user("ann@example.com", name="Ann", role="owner")
    with pytest.raises(CommandError, match=r"Owners add people under People; manage.py changepassword EMAIL gives"):
        run("setup_link")
    assert not SetupLink.objects.exists()


def test_a_port_that_is_no_number_is_said_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "abc")
    with pytest.raises(CommandError, match="argument --port: invalid int value: 'abc'"):
        run("serve")
