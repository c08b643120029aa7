"""The main loop as a newcomer meets it, in a real browser on a real `serve --practice`: open the set-up link, find out
why a practice connector fails, put in the right key, test it, replay all, see them delivered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.server import Server
from tests.process.waiting import eventually

pytestmark = pytest.mark.process
NAME, GOOD_KEY = "Hello Customer (practice)", "practice-key-ok"
MOST_CLICKS, MOST_SECONDS = 12, 120


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    try:
        yield server
    finally:
        server.close()


class Newcomer:
    """Clicks, and counts the clicks. What is typed goes where the focus is, and all waiting shares two minutes."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.clicks = 0
        self.ends = time.monotonic() + MOST_SECONDS

    def left(self) -> float:
        return max(0.1, self.ends - time.monotonic())

    def click(self, role: str, name: str) -> None:
        self.clicks += 1
        self.page.get_by_role(role, name=name).first.click(timeout=1000 * self.left())

    def opens(self, summary: str) -> None:
        self.clicks += 1
        self.page.locator("summary", has_text=summary).first.click(timeout=1000 * self.left())

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def sees(self, text: str) -> None:
        self.waits_for(self.page.get_by_text(text))

    def waits_for(self, what: Any) -> None:
        what.first.wait_for(timeout=1000 * self.left())


def test_a_newcomer_finds_fixes_and_replays(browser: Any, server: Server) -> None:
    run = server.start("--practice")
    found = re.search(r"http\S+/setup/\S+", run.line("Set up with"))
    assert found
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    one = Newcomer(page)

    page.goto(found.group())
    for text in ("Ann", "ann@example.com", "correct horse staple"):
        one.type(text)
        page.keyboard.press("Tab")
    one.sees("Strength: strong")
    one.click("button", "Create my account")
    one.sees("Turn on two-step login?")
    one.sees("Practice data.")
    eventually(lambda: server.statuses(NAME).get("failed", 0) >= 3, "three deliveries were refused", one.left())
    problem = page.get_by_text("the key is refused")
    eventually(lambda: page.reload() and problem.count(), "the problem is on the Overview", one.left())

    one.click("link", f"{NAME}: the key is refused")
    one.sees("refused the")
    one.sees("What to do:")
    one.click("link", "Open connector")
    one.opens("Replace")
    one.waits_for(page.get_by_label("New key").and_(page.locator(":focus")))
    one.type(GOOD_KEY)
    one.click("button", "Save changes")
    one.sees("Saved: Key.")
    one.click("link", "Send a test event")
    one.click("button", "Send a test event")
    one.sees("It works now.")
    one.click("link", "Replay what failed")
    one.click("button", "Replay ")
    one.waits_for(page.locator("main .pill").get_by_text("Done"))
    one.click("link", "Show its deliveries")
    one.waits_for(page.locator("tbody .pill"))
    shown = page.locator("tbody .pill").all_inner_texts()
    assert len(shown) >= 3
    assert set(shown) == {"Delivered"}

    one.click("link", "Overview")
    line = page.locator("tr", has_text=NAME)
    eventually(lambda: page.reload() and line.get_by_text("Working").count(), "its badge is green", one.left())
    assert one.clicks <= MOST_CLICKS
    # By itself, with the next look at what is wrong: nobody has to wait for that.
    eventually(lambda: page.reload() and not problem.count(), "its problem is over", 90)
    assert errors == []
    page.close()
