"""The URL table, every address of it, asked by GET and by POST as nobody and as each role.

What each should hear stands in ``matrix.json``: ``get`` and ``post`` are the answers to nobody, viewer, operator,
editor and owner (one answer: the same to all; "login": sent to sign in), ``changes`` names those whose POST changes
rows, with ``data`` or ``json`` as what is posted. Nobody else's may change a row, and no GET may.
"""

from __future__ import annotations

import pytest

from tests.matrix import ASKED, TABLE, WHO, World, expected, routes

pytestmark = pytest.mark.django_db
AREAS = sorted({route.rpartition("/v1/")[2].lstrip("^").partition("/")[0] for route in TABLE})
PUBLIC = {"^v1/m/?$", "healthz", "metrics", "readyz", "login/", "api/v1/schema/", "api/v1/schema"}


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wake", "advance_replay", "practise", "run_now"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, name=name, **kwargs: ASKED.append(name))


def in_area(area: str) -> list[str]:
    return [route for route in TABLE if route.rpartition("/v1/")[2].lstrip("^").partition("/")[0] == area]


def test_every_address_has_its_line_in_the_table() -> None:
    """A new address fails here until somebody has written down who may do what there."""
    assert sorted(set(routes())) == sorted(TABLE)


@pytest.mark.parametrize("area", AREAS)
def test_answers_and_changes_by_role(area: str) -> None:
    world = World()
    found, wanted = {}, {}
    for route in in_area(area):
        row = TABLE[route]
        for method in ("GET", "POST"):
            may_change = row.get("changes", "").split() if method == "POST" else []
            for who, answer in zip(WHO, expected(row[method.lower()]), strict=True):
                wanted[route, method, who] = (answer, "rows" if who in may_change else "")
                found[route, method, who] = world.ask(route, who, method)
    assert found == wanted


@pytest.mark.parametrize("area", AREAS)
def test_no_other_method_changes_anything(area: str) -> None:
    world = World()
    for route in in_area(area):
        for who, answer in zip(WHO, expected(TABLE[route]["get"]), strict=True):
            # Django's page to sign in sends only who comes by GET further.
            assert world.ask(route, who, "HEAD") == ("200" if route == "login/" else answer, ""), (route, who)
        for method in ("OPTIONS", "PUT", "PATCH", "DELETE"):
            status, changed = world.ask(route, "owner", method)
            assert (int(status) < 500 or status == "503", changed) == (True, ""), (route, method)


def test_the_table_itself_gives_nothing_away() -> None:
    """Nobody gets a page or a change without signing in, and whoever hears "no" has changed nothing."""
    for route, row in TABLE.items():
        for method in ("get", "post"):
            answers = dict(zip(WHO, expected(row[method]), strict=True))
            assert answers["anonymous"][0] != "2" or route in PUBLIC, route
            for who in row.get("changes", "").split():
                assert who != "anonymous", route
                assert method == "get" or answers[who][0] in "23", route
