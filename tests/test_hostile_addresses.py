"""Whatever stands in an address or a form, the answer is a page or a refusal in words, never an error of ours."""

from __future__ import annotations

from itertools import cycle
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from deliveries.models import Event
from tests.api import Api
from tests.console import person
from tests.hostile_texts import NAMES, RAW, VALUES, query
from tests.matrix import TABLE, World

pytestmark = pytest.mark.django_db
PAGES = [r for r, row in TABLE.items() if row["get"].endswith("200") and not r.startswith(("^", "api/"))]
CALLS = [r for r, row in TABLE.items() if r.startswith("api/v1/") and r.endswith("/") and row["get"].endswith("200")]
FORMS = [r for r, row in TABLE.items() if row["post"].endswith("302") and "data" in row]


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def path_of(world: World, route: str) -> str:
    return f"/{TABLE[route].get('path', route)}".format(**world.names).partition("?")[0]


@pytest.mark.parametrize("area", range(4))
def test_every_page_with_every_parameter(area: int) -> None:
    """Each parameter once at each page, the values taking turns; `make fuzz` tries them all."""
    world, values = World(), cycle([*VALUES, *RAW])
    for route in PAGES[area::4]:
        for name in NAMES:
            address = f"{path_of(world, route)}?{query(name, next(values))}"
            assert world.console["owner"].get(address).status_code < 500, address


def test_every_call_with_every_parameter() -> None:
    world, values = World(), cycle([*VALUES, *RAW])
    for route in CALLS:
        for name in NAMES:
            address = f"{path_of(world, route)}?{query(name, next(values))}"
            answer = world.api["owner"].get(address)
            assert answer.status_code < 500, address
            if answer.status_code >= 400:
                assert set(answer.json()) == {"success", "code", "message", "error"}, address


@pytest.mark.parametrize("route", FORMS)
def test_every_field_of_every_form(route: str) -> None:
    world = World()
    data = world.data(TABLE[route])
    for name in TABLE[route]["data"]:
        for value in VALUES:
            answer = world.console["owner"].post(path_of(world, route), {**data, name: value})
            assert answer.status_code < 500, (name, value[:40])


@pytest.mark.parametrize("path", ["/deliveries/", "/history/", "/find/", "/names/", "/"])
def test_a_nul_in_an_address(path: str) -> None:
    """What is looked for is just not there; a path with one is no address."""
    for name in ("q", "by", "view", "source"):
        assert person("owner").get(f"{path}?{name}=a%00b").status_code == 200
    answer = person("owner").get(f"{path}%00")
    assert answer.status_code == 400
    assert "There is a character in it that no text has (NUL)." in answer.content.decode()
    assert "default-src 'self'" in answer["Content-Security-Policy"]


def test_a_nul_in_a_form_changes_nothing() -> None:
    world = World()
    before = Event.objects.count(), world.m.connector.status
    answer = world.console["owner"].post(f"/connectors/{world.m.connector.pk}/pause/", {"reason": "a\x00b"})
    world.m.connector.refresh_from_db()
    assert (answer.status_code, Event.objects.count(), world.m.connector.status) == (400, *before)
    assert Client().post("/login/", {"username": "a\x00", "password": "b"}).status_code == 400
    assert Client().post("/login/?next=%00", {"username": "a@example.com", "password": "b"}).status_code == 200


def test_a_nul_at_the_api_is_refused_as_json() -> None:
    status, body = Api("owner").get("deliveries/", user_id="\x00")
    assert (status, body["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("value", [*VALUES, "..", "../..", "%2e%2e", "1/2"])
def test_what_stands_in_the_path(value: str) -> None:
    world = World()
    where: list[Any] = [(path, world.console["owner"]) for path in ("connectors", "deliveries", "events", "people")]
    where += [(f"api/v1/{path}", world.api["owner"]) for path in ("connectors", "deliveries", "replays")]
    for path, client in where:
        assert client.get(f"/{path}/{quote(value, safe='')[:3000]}/").status_code < 500, path
