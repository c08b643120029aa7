"""Stored cross-site scripting: markup in everything that somebody else wrote, and every page that may show it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import transaction

from deliveries.models import Delivery
from integrations import selectors
from tests import planting
from tests.matrix import TABLE, World

pytestmark = pytest.mark.django_db
QUERIES = (
    "q",
    "view",
    "cause",
    "event",
    "user_id",
    "message_id",
    "connector",
    "service",
    "by",
    "kind",
    "name",
    "range",
)
LISTS = ("deliveries/", "events/", "find/", "history/", "replays/new/", "names/", "problems/", "sources/add/",
         "connectors/new/", "find/erase/", "deliveries/live/", "connectors/", "books/", "addresses/add/")  # fmt: skip
NO_PAGES = {
    *("application/json", "application/vnd.oai.openapi+json", "text/csv", "text/plain", "text/javascript"),
}
NOT_ASKED = {"logout/", "practice/load/", "practice/remove/"}


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise", "run_now"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def addresses(world: World, text: str) -> list[str]:
    """Every page of the URL table, the other pages of one kind, and lists that are asked for what was planted."""
    m = world.m
    paths = [
        f"/{row.get('path', route)}".format(**world.names) for route, row in TABLE.items() if row["get"][-3:] == "200"
    ]
    paths += [f"/connectors/{row.pk}/" for row in (m.paused, m.off, m.draft, m.hook, m.mapped, m.tried)]
    paths += [f"/connectors/{m.draft.pk}/setup/{step}/" for step in ("keys", "events", "mapping", "test", "on")]
    paths += [f"/connectors/{m.hook.pk}/test/", f"/connectors/{m.mapped.pk}/test/", f"/events/{m.refused.pk}/"]
    paths += [f"/deliveries/{row.pk}/" for row in Delivery.objects.all()]
    asked = "&".join(f"{name}={quote(text)}" for name in QUERIES)
    paths += [f"/{path}?{asked}" for path in LISTS]
    paths += [f"/{path}?{name}={quote(text)}" for path in LISTS[:4] for name in QUERIES]
    paths += [
        f"/deliveries/?connector={m.connector.pk}&view=look",
        "/problems/?view=ended",
        "/replays/new/?status=failed",
    ]
    return paths


def alive(answer: Any, where: str) -> tuple[list[str], int]:
    """What a browser would make an element or attribute of; documents that are no page must say so."""
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code >= 300 and not answer.content:
        return [], 0
    if kind.startswith("text/html"):
        found, texts = planting.look(answer.content.decode())
        return [f"{where}: {one}" for one in found], texts
    assert answer.headers["X-Content-Type-Options"] == "nosniff", where
    assert kind.partition(";")[0] in NO_PAGES, (where, kind)
    return [], 0


def everything(world: World, text: str) -> tuple[list[str], int]:
    client, api = world.console["owner"], world.api["owner"]
    found, texts = [], 0
    for path in addresses(world, text):
        answer = (api if path.startswith("/api/") else client).get(path)
        assert answer.status_code in (200, 302, 404, 503), path
        bad, count = alive(answer, path)
        found, texts = found + bad, texts + count
    for route, row in TABLE.items():  # what a page says after something was done, names and all
        if row["post"][-3:] not in ("302", "200") or route.startswith(("^", "api/")) or route in NOT_ASKED:
            continue
        path = f"/{row.get('path', route)}".format(**world.names)
        data = world.data(row)
        for given in (data, {**data, **{name: text for name, value in data.items() if not value.isdigit()}}):
            cookies = client.cookies.copy()
            with transaction.atomic():
                answer = client.post(path, given, follow=True)
                transaction.set_rollback(True)
            client.cookies = cookies
            bad, count = alive(answer, f"POST {path}")
            found, texts = found + bad, texts + count
    return found, texts


@pytest.mark.parametrize("text", planting.CORPUS)
def test_nothing_that_was_planted_comes_alive_on_any_page(text: str) -> None:
    world = World()
    planting.plant(world.m, text)
    planting.plant_jobs(text)
    selectors.forget()
    cache.clear()
    found, texts = everything(world, text)
    assert found == []
    assert texts > 300  # it was there to be seen, as a text


@pytest.mark.parametrize("text", planting.CORPUS)
def test_the_look_itself_finds_each(text: str) -> None:
    """Put into a page as it is, in the places that texts stand in, each is seen to come alive somewhere."""
    frames = ("<p>{}</p>", '<a title="{}">x</a>', "<a title='{}'>x</a>", '<a href="{}">x</a>', "<!-- {} -->")
    frames += ("<script>var x = '{}'</script>", "<textarea>{}</textarea>", "<title>{}</title>")
    assert [one for frame in frames for one in planting.look(frame.format(text))[0] if "without" not in one]
