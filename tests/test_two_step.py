"""Two-step login: turned on with the right code only, then asked for at every sign-in."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_otp.oath import TOTP

from config.devices import Authenticator, RecoveryCodes
from config.models import ApiToken, HouseRules, User
from integrations.history import Change
from tests.console import person
from tests.matrix import TABLE, World, rows

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse staple"


@pytest.fixture
def client() -> Client:
    User.objects.create_user("ada@example.com", PASSWORD, name="Ada")
    client = Client()
    assert sign_in(client) == 302
    return client


def sign_in(client: Client, token: str = "", password: str = PASSWORD) -> int:
    data = {"username": "ada@example.com", "password": password, "token": token}
    return client.post("/login/", data).status_code


def code(device: Authenticator, step: int = 0) -> str:
    totp = TOTP(device.bin_key, drift=step)
    return f"{totp.token():06d}"


def turn_on(client: Client) -> Authenticator:
    client.post("/two-step/start/")
    device = Authenticator.objects.latest("id")
    assert client.post("/two-step/confirm/", {"token": code(device)}).status_code == 200
    device.refresh_from_db()
    return device


def test_a_wrong_code_turns_nothing_on(client: Client) -> None:
    client.post("/two-step/start/")
    client.post("/two-step/confirm/", {"token": "000000"})
    assert not Authenticator.objects.get().confirmed
    assert sign_in(Client()) == 302


def test_once_on_the_password_is_not_enough(client: Client) -> None:
    device = turn_on(client)
    assert device.confirmed
    assert sign_in(Client()) == 200
    assert sign_in(Client(), "000000") == 200
    Authenticator.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert sign_in(Client(), code(device, 1)) == 302
    assert sign_in(Client(), code(device, 1)) == 200  # a code works once


def test_a_recovery_code_works_once(client: Client) -> None:
    turn_on(client)
    recovery = RecoveryCodes.objects.get().codes[3]
    assert len(RecoveryCodes.objects.get().codes) == 8
    assert sign_in(Client(), recovery) == 302
    assert sign_in(Client(), recovery) == 200


def test_turning_off_asks_for_the_password(client: Client) -> None:
    turn_on(client)
    client.post("/two-step/off/", {"password": "wrong"})
    assert Authenticator.objects.count() == 1
    client.post("/two-step/off/", {"password": PASSWORD})
    assert (Authenticator.objects.count(), RecoveryCodes.objects.count()) == (0, 0)


@pytest.mark.parametrize("action", ["start", "confirm", "off"])
def test_nothing_by_get(client: Client, action: str) -> None:
    assert client.get(f"/two-step/{action}/").status_code == 405
    assert Authenticator.objects.count() == 0


def test_nothing_of_it_can_be_read_in_the_database(client: Client) -> None:
    device = turn_on(client)
    codes = RecoveryCodes.objects.get().codes
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM config_authenticator")
        stored = repr(cursor.fetchall())
        cursor.execute("SELECT * FROM config_recoverycodes")
        stored += repr(cursor.fetchall())
    assert [secret for secret in (device.key, device.text, *codes) if secret in stored] == []


def test_new_encryption_keys_reach_it_and_lost_ones_let_nobody_in(client: Client, settings: Any) -> None:
    device = turn_on(client)
    recovery = RecoveryCodes.objects.get().codes[0]
    first, second = settings.SECRETS_KEYS[0], Fernet.generate_key().decode()
    settings.SECRETS_KEYS = [second, first]
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = [first]
    answer = Client().post("/login/", {"username": "ada@example.com", "password": PASSWORD, "token": recovery})
    assert (answer.status_code, "Two-step login cannot be checked." in answer.content.decode()) == (200, True)
    settings.SECRETS_KEYS = [second]
    assert Authenticator.objects.get().key == device.key
    assert sign_in(Client(), recovery) == 302


# --- Asked of everybody -----------------------------------------------------------------------------------------------


@pytest.fixture
def owner() -> Client:
    return person("owner")


def ask(client: Client, answer: str = "on") -> str:
    return client.post("/settings/two-step/", {"two_step": answer}, follow=True).content.decode()


def test_an_owner_without_it_cannot_ask_it_of_others(owner: Client) -> None:
    page = owner.get("/settings/").content.decode()
    assert ("Turn on your own first" in page, "Ask it of everybody" in page) == (True, False)
    assert "Turn on your own two-step login first" in ask(owner)
    assert not HouseRules.ask_two_step()
    assert owner.get("/").status_code == 200


def test_whoever_has_none_sets_it_up_before_any_other_page_opens(owner: Client, client: Client) -> None:
    turn_on(owner)
    assert "Ask it of everybody" in owner.get("/settings/").content.decode()
    assert "Everybody must use two-step login from now on." in ask(owner)
    assert owner.get("/").status_code == 200  # the one who asked is not locked out
    answer = client.get("/deliveries/")  # signed in already when the rule came
    assert (answer.status_code, answer["Location"]) == (302, "/two-step/")
    newcomer = Client()
    data = {"username": "ada@example.com", "password": PASSWORD, "next": "/deliveries/"}
    page = newcomer.post("/login/", data, follow=True)
    assert page.redirect_chain == [("/deliveries/", 302), ("/two-step/", 302)]
    assert "Set yours up now" in page.content.decode()
    assert 'href="/deliveries/"' not in page.content.decode()
    newcomer.post("/two-step/start/")
    device = Authenticator.objects.get(user__email="ada@example.com")
    codes = newcomer.post("/two-step/confirm/", {"token": code(device)}).content.decode()
    assert "Recovery codes, shown this once" in codes
    assert newcomer.get("/deliveries/").status_code == 200
    assert client.get("/deliveries/").status_code == 200


def test_every_page_stays_closed_and_every_button_does_nothing() -> None:
    world = World()
    HouseRules.set_two_step(True)
    world.before = rows()
    opened = {}
    for route, row in TABLE.items():
        if row["get"].startswith("login") or row["post"].startswith("login"):
            for method in ("GET", "POST"):
                status, changed = world.ask(route, "owner", method)
                if status != "302" or changed:
                    opened[route, method] = (status, changed)
    assert opened == {
        ("two-step/", "GET"): ("200", ""),
        ("two-step/", "POST"): ("200", ""),
        ("two-step/start/", "GET"): ("405", ""),
        ("two-step/start/", "POST"): ("302", "rows"),
        ("two-step/confirm/", "GET"): ("405", ""),
    }
    assert world.console["owner"].post("/logout/").status_code == 200


def test_while_it_is_asked_nobody_turns_it_off_and_a_reset_is_set_up_again(owner: Client, client: Client) -> None:
    turn_on(owner)
    ask(owner)
    owner.post("/two-step/off/", {"password": PASSWORD})
    assert Authenticator.objects.count() == 1
    owner.post(f"/people/{User.objects.get(email='owner@example.com').pk}/reset-two-step/")
    assert owner.get("/")["Location"] == "/two-step/"
    turn_on(owner)
    assert "Two-step login is up to each person from now on." in ask(owner, "off")
    assert client.get("/").status_code == 200
    assert [row.words for row in Change.objects.filter(kind="houserules").order_by("id")] == [
        "Everybody must use two-step login from now on",
        "Two-step login is up to each person from now on",
    ]


def test_tokens_of_scripts_have_no_second_step_to_owe() -> None:
    HouseRules.set_two_step(True)
    token = ApiToken.issue("script", "viewer")[1]
    assert Client().get("/api/v1/sources/", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_the_settings_say_how_many_have_it_and_which_versions_run(owner: Client) -> None:
    User.objects.create_user("ada@example.com", PASSWORD, name="Ada")
    turn_on(owner)
    page = owner.get("/settings/").content.decode()
    assert "1 of 2 people who may sign in have it." in page
    assert "people who may sign in have it" not in person("editor").get("/settings/").content.decode()
    version = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["project"]["version"]
    assert f"<dt>Signalbox</dt><dd>{version}</dd>" in page
    with connection.cursor() as cursor:
        postgres = connection.vendor == "postgresql"
        cursor.execute("SHOW server_version" if postgres else "SELECT sqlite_version()")
        number = cursor.fetchone()[0].split()[0]
    assert f"<dd>{'PostgreSQL' if postgres else 'SQLite'} {number}, " in page


def test_the_way_back_in_from_the_server(client: Client, capsys: pytest.CaptureFixture[str], settings: Any) -> None:
    """For an only owner without phone and recovery codes; also where nobody can read the secrets any more."""
    turn_on(client)
    lost = Client()
    assert sign_in(lost) == 200  # the password alone is not enough
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    call_command("reset_two_step", "ADA@example.com")
    said = "Ada signs in with the password alone now, and can turn two-step login on again.\n"
    assert capsys.readouterr().out == said
    assert (Authenticator.objects.count(), RecoveryCodes.objects.count()) == (0, 0)
    assert sign_in(lost) == 302
    change = Change.objects.latest("id")
    assert (change.by, change.words, change.object_name) == ("command line", "Reset the two-step login", "Ada")


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("bob@example.com", "Nobody signs in here with bob@example.com. Nothing was changed."),
        ("ada@example.com", "Ada has no two-step login. Nothing was changed."),
    ],
)
def test_where_there_is_nothing_to_reset_it_says_so(client: Client, email: str, words: str) -> None:
    before = Change.objects.count()
    with pytest.raises(CommandError, match=f"^{re.escape(words)}$"):
        call_command("reset_two_step", email)
    assert Change.objects.count() == before
