"""Pictures of the console for people to look at: SCREENSHOTS=folder pytest tests/browser/test_screenshots.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("SCREENSHOTS", "")
pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not FOLDER, reason="SCREENSHOTS names no folder"),
]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pictures(page: Any, live_server: Any, rows: Any, look: str) -> None:
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    places = {
        "overview": "/",
        "catalog": "/connectors/new/",
        "wizard": f"/connectors/{rows.draft.pk}/setup/events/",
        "connector": f"/connectors/{rows.connector.pk}/",
        "paused": f"/connectors/{rows.paused.pk}/#resume",
        "deliveries": "/deliveries/?view=look",
        "delivery": f"/deliveries/{rows.failed.pk}/",
        "replay": "/replays/new/?status=failed",
        "test": f"/connectors/{rows.connector.pk}/test/",
        "problem": f"/problems/{rows.problem.pk}/",
        "names": "/names/",
        "person": "/find/?q=user_1",
        "history": "/history/",
    }
    opened = page(look)
    for name, address in places.items():
        assert opened.goto(live_server.url + address).status == 200
        picture = folder / f"{name}-{look}.png"
        opened.screenshot(path=picture)
        assert picture.stat().st_size > 5000
