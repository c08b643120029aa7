"""Pictures of the console for people to look at: SCREENSHOTS=folder pytest tests/browser/test_screenshots.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from config.models import SetupLink, User
from deliveries import practice
from deliveries.admin import books
from integrations import selectors
from integrations.models import Connector, EventRule
from integrations.secrets import UnreadableSecret
from tests.browser.extremes import of_extremes, of_jobs, of_mistakes
from tests.browser.places import of_connections, of_settings, of_traffic, presses
from tests.console import person

FOLDER = os.environ.get("SCREENSHOTS", "")
pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not FOLDER, reason="SCREENSHOTS names no folder"),
]
LOOKS = pytest.mark.parametrize("look", ["light", "dark", "phone"])
EMPTY = (
    "deliveries",
    "problems",
    "replays",
    "events",
    "names",
    "books",
    "connectors",
    "sources",
    "alerts",
    "history",
    "tokens",
)
HEIGHT = "document.documentElement.scrollHeight"


def taken(opened: Any, name: str, look: str) -> None:
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{name}-{look}.png"
    size = opened.viewport_size
    # As high as the page, so that what sticks to an edge of the window stands where the page ends.
    opened.set_viewport_size({**size, "height": max(size["height"], opened.evaluate(HEIGHT))})
    opened.screenshot(path=picture)
    opened.set_viewport_size(size)
    assert picture.stat().st_size > 5000


@LOOKS
@pytest.mark.parametrize("part", [of_traffic, of_connections, of_settings, of_extremes, of_jobs, of_mistakes])
def test_pictures(page: Any, live_server: Any, rows: Any, look: str, part: Any) -> None:
    places = part(rows)
    opened = page(look)
    for name, (address, step) in places.items():
        answer = opened.goto(live_server.url + address)
        assert answer is None or answer.status == 200, name  # none: the same page at another "#"
        if step:
            step(opened)
        taken(opened, name, look)


@LOOKS
def test_pictures_of_tests(page: Any, live_server: Any, rows: Any, look: str) -> None:
    """Sent to the practice service: with the wrong key, then with the right one."""
    practice.load()
    row = Connector.objects.get(name="Hello Customer (practice)")
    opened = page(look)
    for name, secrets in (("refused", row.secrets), ("accepted", {"api_key": "practice-key-ok"})):
        Connector.objects.filter(pk=row.pk).update(secrets=secrets)
        selectors.forget()
        opened.goto(f"{live_server.url}/connectors/{row.pk}/test/")
        presses("Send a test event")(opened)
        taken(opened, f"test-{name}", look)


@LOOKS
@pytest.mark.answers("/people/", "/find/?q=user_1", "/test/")
def test_pictures_for_a_viewer(page: Any, live_server: Any, rows: Any, look: str) -> None:
    for name, send in (("Flow Viewed", False), ("Response Submitted", True)):
        EventRule.objects.create(connector=rows.connector, kind="track", name=name, send=send)
    opened = page(look)
    viewer = person("viewer").cookies["sessionid"].value
    opened.context.add_cookies([{"name": "sessionid", "value": viewer, "url": live_server.url}])
    places = {
        "overview": "/",
        "deliveries": "/deliveries/",
        "delivery": f"/deliveries/{rows.failed.pk}/",
        "event": f"/events/{rows.failed.event_id}/",
        "person": "/find/?q=user_1",
        "connectors": "/connectors/",
        "connector": f"/connectors/{rows.connector.pk}/",
        "test": f"/connectors/{rows.connector.pk}/test/",
        "problem": f"/problems/{rows.problem.pk}/",
        "replay": f"/replays/{rows.replay.pk}/",
        "names": "/names/",
        "sources": "/sources/",
        "source": f"/sources/{rows.source.pk}/",
        "addresses": "/addresses/",
        "alerts": "/alerts/",
        "history": "/history/",
        "settings": "/settings/",
        "refused": "/people/",
    }
    for name, place in places.items():
        opened.goto(live_server.url + place)
        taken(opened, f"viewer-{name}", look)


@LOOKS
@pytest.mark.answers("/books/")
def test_pictures_of_what_goes_wrong(page: Any, live_server: Any, rows: Any, look: str, monkeypatch: Any) -> None:
    opened = page(look, "/nowhere/")
    taken(opened, "error-404", look)
    errors = {"500": ValueError, "503": UnreadableSecret, "database": OperationalError}
    for name, error in errors.items():
        monkeypatch.setattr(books, "show", raising(error("made up")))
        opened.goto(f"{live_server.url}/books/")
        taken(opened, f"error-{name}", look)


def raising(error: Exception) -> Any:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise error

    return fails


@LOOKS
@pytest.mark.answers("/login/")
def test_pictures_before_signing_in(page: Any, live_server: Any, rows: Any, look: str) -> None:
    opened = page(look, "/login/", signed_in=False)
    taken(opened, "sign-in", look)
    opened.keyboard.type("owner@example.com")
    opened.fill("[name=password]", "not this one")
    with opened.expect_navigation():
        opened.keyboard.press("Enter")
    taken(opened, "sign-in-wrong", look)
    opened.context.clear_cookies()
    opened.fill("[name=password]", "not this one")
    presses("Sign in")(opened)
    taken(opened, "error-too-old", look)
    for _ in range(settings.AXES_FAILURE_LIMIT):
        Client().post("/login/", {"username": "owner@example.com", "password": "not this one"})
    opened.goto(f"{live_server.url}/login/")
    opened.keyboard.type("owner@example.com")
    opened.fill("[name=password]", "not this one")
    presses("Sign in")(opened)
    taken(opened, "error-429", look)
    opened.goto(f"{live_server.url}/setup/used/")
    taken(opened, "set-up-used", look)
    User.objects.all().delete()
    opened.goto(f"{live_server.url}/setup/{SetupLink.issue()}/")
    opened.keyboard.type("Ann")
    opened.fill("[name=password]", "correct horse staple")
    taken(opened, "set-up", look)


@LOOKS
@pytest.mark.parametrize("rows", [None])
def test_pictures_of_nothing_yet(page: Any, live_server: Any, rows: None, look: str) -> None:
    """A new installation: what each page says before there is anything on it."""
    User.objects.create_user("owner@example.com", name="Owner Jones", role="owner")
    opened = page(look)
    taken(opened, "empty-overview", look)
    for name in EMPTY:
        opened.goto(f"{live_server.url}/{name}/")
        taken(opened, f"empty-{name}", look)
