"""While the database does not answer, people and programs hear so: no page answers with an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection

from tests.matrix import TABLE, World

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[OperationalError, InterfaceError])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every statement ends as it does when the server is gone, or has no connection left."""
    found = World()
    for client in (*found.console.values(), *found.api.values()):
        client.raise_request_exception = False

    def refuse(*_: Any) -> None:
        raise request.param("couldn't get a connection after 2.00 sec")

    with connection.execute_wrapper(refuse):
        yield found


def test_no_page_and_no_call_answers_500(world: World) -> None:
    heard = {}
    for route, row in TABLE.items():
        client = (world.api if route.startswith("api/") else world.console)["owner"]
        heard[route] = client.get(f"/{row.get('path', route)}".format(**world.names)).status_code
    assert [route for route, status in heard.items() if status == 500] == []
    assert heard["deliveries/"] == heard[""] == 503


def test_people_hear_what_happened_and_what_to_do(world: World) -> None:
    answer = world.console["viewer"].get("/deliveries/?view=look&q=a")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    page = answer.content.decode()
    assert "<h1>The database does not answer</h1>" in page
    assert "Nothing is lost." in page
    assert "try again in a minute" in page
    assert "was saved is not certain" not in page
    assert '<a class="button primary" href="/deliveries/?view=look&amp;q=a">Try again</a>' in page


def test_after_a_press_they_are_led_back_to_where_they_pressed(world: World) -> None:
    at = f"/connectors/{world.m.connector.pk}/"
    for came_from, leads_to in ((f"http://testserver{at}", at), ("https://elsewhere.example/x", "/"), ("", "/")):
        pressed = world.console["owner"].post(f"{at}pause/", HTTP_REFERER=came_from)
        page = pressed.content.decode()
        assert pressed.status_code == 503
        assert "was saved is not certain" in page
        assert f'<a class="button primary" href="{leads_to}">Try again</a>' in page


def test_programs_hear_it_in_the_form_of_the_api(world: World) -> None:
    answer = world.api["owner"].get("/api/v1/deliveries/")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "5", "try_again")
