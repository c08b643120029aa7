"""A real browser (Debian's Chromium) against a live server. Without Chromium these tests are skipped, said once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from config.models import User
from tests import npm
from tests.console import made

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "correct horse staple"
LOOKS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "phone": (390, 844, "light")}
NOT_THERE = ("/nowhere/", "/setup/used/")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script; "" where there is no npm to install it with."""
    directory = npm.installed(Path(__file__).parent)
    return (directory / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8") if directory else ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Gone with the last test of a file: while Playwright's loop runs in this thread no other can, and Django thinks
    that it is called from asynchronous code. Both would be felt by tests that have nothing to do with a browser."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def rows() -> Any:
    cache.clear()
    User.objects.create_user("owner@example.com", PASSWORD, name="Owner Jones", role="owner")
    return made()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: Any, live_server: Any, rows: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page of a certain look, signed in unless told otherwise; at the end there must have been no error in the
    console of any page beside it either."""
    contexts, errors = [], []
    expected = request.node.get_closest_marker("answers")
    refused = (*NOT_THERE, *(expected.args if expected else ()))

    def open_page(look: str = "light", path: str = "/", signed_in: bool = True) -> Any:
        width, height, scheme = LOOKS[look]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        context.on(
            "console", lambda said: errors.append((said.page.url, said.text)) if is_error(said, refused) else None
        )
        context.on("weberror", lambda error: errors.append((error.page.url, str(error.error))))
        if signed_in:
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session(), "url": live_server.url}])
        page = context.new_page()
        page.goto(f"{live_server.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def is_error(said: Any, refused: tuple[str, ...]) -> bool:
    """Chromium says so too when a page is not there, as it should not be."""
    return said.type == "error" and not said.location["url"].endswith(refused)


def session() -> str:
    """What signing in gives the owner's browser; the form itself is filled in by ``test_main_path_by_keyboard``."""
    client = Client()
    client.force_login(User.objects.get(email="owner@example.com"), "config.backends.RoleBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value
