"""Two-step login: turned on with the right code only, then asked for at every sign-in."""

from __future__ import annotations

import pytest
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.models import User

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


def code(device: TOTPDevice, step: int = 0) -> str:
    totp = TOTP(device.bin_key, drift=step)
    return f"{totp.token():06d}"


def turn_on(client: Client) -> TOTPDevice:
    client.post("/two-step/start/")
    device = TOTPDevice.objects.get()
    assert client.post("/two-step/confirm/", {"token": code(device)}).status_code == 200
    device.refresh_from_db()
    return device


def test_a_wrong_code_turns_nothing_on(client: Client) -> None:
    client.post("/two-step/start/")
    client.post("/two-step/confirm/", {"token": "000000"})
    assert not TOTPDevice.objects.get().confirmed
    assert sign_in(Client()) == 302


def test_once_on_the_password_is_not_enough(client: Client) -> None:
    device = turn_on(client)
    assert device.confirmed
    assert sign_in(Client()) == 200
    assert sign_in(Client(), "000000") == 200
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert sign_in(Client(), code(device, 1)) == 302
    assert sign_in(Client(), code(device, 1)) == 200  # a code works once


def test_a_recovery_code_works_once(client: Client) -> None:
    turn_on(client)
    recovery = StaticDevice.objects.get().token_set.first().token
    assert StaticDevice.objects.get().token_set.count() == 8
    assert sign_in(Client(), recovery) == 302
    assert sign_in(Client(), recovery) == 200


def test_turning_off_asks_for_the_password(client: Client) -> None:
    turn_on(client)
    client.post("/two-step/off/", {"password": "wrong"})
    assert TOTPDevice.objects.count() == 1
    client.post("/two-step/off/", {"password": PASSWORD})
    assert (TOTPDevice.objects.count(), StaticDevice.objects.count()) == (0, 0)


@pytest.mark.parametrize("action", ["start", "confirm", "off"])
def test_nothing_by_get(client: Client, action: str) -> None:
    assert client.get(f"/two-step/{action}/").status_code == 405
    assert TOTPDevice.objects.count() == 0
