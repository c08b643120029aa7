"""Making and testing a connector in a real browser: what a person clicks, and what the page then shows."""

from __future__ import annotations

from typing import Any

import pytest

from deliveries import practice
from deliveries.models import Event
from integrations.models import Source
from tests.browser.test_console_in_browser import page, rows

__all__ = ["page", "rows"]
pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def test_practice_website_goes_on_while_a_page_is_open(page: Any, rows: Any) -> None:
    practice.load("Ann")
    Source.objects.filter(name=practice.SOURCE).update(created_at="2026-01-01T00:00:00Z")
    at = page("light", "/settings/")
    at.clock.install()
    at.reload()
    before = Event.objects.count()
    with at.expect_response("**/practice/tick/") as answer:
        at.clock.fast_forward(30_000)
    assert answer.value.status == 204
    assert Event.objects.count() == before + 1
