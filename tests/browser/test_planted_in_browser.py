"""What strangers wrote, markup and all, in a real browser: it is read, and never run."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from integrations import selectors
from tests import planting
from tests.browser.conftest import LOOKS
from tests.browser.test_console_in_browser import addresses
from tests.browser.visiting import TOO_WIDE

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("text", planting.CORPUS)
def test_nothing_planted_runs(page: Any, live_server: Any, rows: Any, text: str) -> None:
    """Nor does the Content-Security-Policy have to stop it: a violation is an error of the browser's console, and
    ``page`` fails on any."""
    planting.plant(rows, text)
    selectors.forget()
    cache.clear()
    context = page("light", "/").context
    dialogs: list[str] = []
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    seen = 0
    paths = ["/", "/deliveries/", "/problems/", "/names/", "/history/", "/replays/", "/sources/"]
    paths += [f"/deliveries/{rows.failed.pk}/", f"/events/{rows.failed.event_id}/", f"/problems/{rows.problem.pk}/"]
    paths += [f"/connectors/{pk}/" for pk in (rows.connector.pk, rows.hook.pk, f"{rows.connector.pk}/test")]
    opened = {path: context.new_page() for path in paths}  # side by side, since each is waited for
    for path, at in opened.items():
        at.goto(f"{live_server.url}{path}")
    for path, at in opened.items():
        at.wait_for_load_state("networkidle")
        assert at.locator("xssel, [xssattr], [onxss], img[src=x], a[href^='javascript:']").count() == 0, path
        seen += at.content().count("xss")
    assert dialogs == []
    assert seen > 50


def test_a_word_without_end_widens_no_page(page: Any, live_server: Any, rows: Any) -> None:
    planting.plant(rows, "n" * 120)
    selectors.forget()
    cache.clear()
    at = page()
    wide = {}
    for path in addresses(rows):
        at.goto(f"{live_server.url}{path}")
        for look in ("light", "phone"):
            width, height, _ = LOOKS[look]
            at.set_viewport_size({"width": width, "height": height})
            if (pixels := at.evaluate(TOO_WIDE)) > 0:
                wide[path, look] = pixels
    assert wide == {}
