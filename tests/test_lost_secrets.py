"""With lost SECRETS_KEYS every page still answers: as ever, or with what is lost and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.test import Client

from config.devices import Authenticator
from config.models import User
from integrations import selectors
from tests.matrix import JSON, TABLE, World

pytestmark = pytest.mark.django_db
NO_PAGES = ("api/", "v1/", "connector/", "readyz")
WORDS = "Saved keys cannot be read"


@pytest.fixture
def world() -> World:
    found = World()
    for client in (*found.console.values(), *found.api.values()):
        client.raise_request_exception = False
    return found


def lose(settings: Any) -> None:
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    selectors.forget()
    cache.clear()


def test_no_page_answers_500(world: World, settings: Any) -> None:
    lose(settings)
    heard, instead = {}, set()
    for route, row in TABLE.items():
        client = (world.api if route.startswith("api/") else world.console)["owner"]
        answer = client.get(f"/{row.get('path', route)}".format(**world.names))
        heard[route] = answer.status_code
        if answer.status_code == 503 and not route.startswith(NO_PAGES):
            instead.add(route)
            assert WORDS in answer.content.decode(), route
    assert [route for route, status in heard.items() if status == 500] == []
    assert "connectors/<int:pk>/" in instead
    assert heard["api/v1/connectors/<str:id>/pause/"] == 405


def test_whoever_signed_in_hears_what_is_lost(world: World, settings: Any) -> None:
    path, kept = f"/connectors/{world.m.connector.pk}/", settings.SECRETS_KEYS
    lose(settings)
    answer = world.console["owner"].get(path)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "<li>connectors, with their keys and settings: 5</li>" in page
    assert "<li>write keys of sources: 1</li>" in page
    assert f"<code>{settings.DATA_DIR}/.env</code>" in page
    assert world.m.connector.name not in page
    settings.SECRETS_KEYS = [*settings.SECRETS_KEYS, *kept]
    selectors.forget()
    assert world.console["owner"].get(path).status_code == 200


def test_the_api_says_it_in_its_own_form(world: World, settings: Any) -> None:
    lose(settings)
    answer = world.api["operator"].post(f"/api/v1/connectors/{world.m.connector.pk}/test/", "{}", content_type=JSON)
    assert answer.status_code == 503
    assert answer.json()["code"] == "secrets_unreadable"
    assert "Put the old key back" in answer.json()["message"]


def test_whoever_has_a_second_step_is_not_let_in_without_it(world: World, settings: Any) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse staple", name="Ada")
    Authenticator.objects.create(user=user, confirmed=True)
    lose(settings)
    client = Client(raise_request_exception=False)
    data = {"username": "ada@example.com", "password": "correct horse staple", "token": "123456"}
    answer = client.post("/login/", data)
    assert answer.status_code == 200
    assert "Two-step login cannot be checked." in answer.content.decode()
    assert "_auth_user_id" not in client.session
