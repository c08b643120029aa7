"""A real browser (Debian's Chromium) against a live server. Without Chromium these tests are skipped, said once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import npm

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
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
