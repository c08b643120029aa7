"""What people take out of the console as tables, and what they press on ticked rows."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from deliveries.models import Delivery
from integrations import history
from tests.console import made, person

pytestmark = pytest.mark.django_db
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"]


@pytest.fixture(autouse=True)
def _no_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)


def table(answer: Any) -> list[list[str]]:
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(answer.content.decode().splitlines()))


def test_the_history_as_a_table_with_a_line_for_each_field() -> None:
    m = made()
    history.record("Ann", m.connector, "Changed prefix, name", [("prefix", "", "a"), ("name", "old", "new")])
    history.record("Bob", m.paused, "Paused")
    answer = person("viewer").get("/history/export/")
    assert answer["Content-Disposition"] == 'attachment; filename="history.csv"'
    rows = table(answer)
    assert rows[0] == ["when", "who", "what", "about", "field", "before", "after"]
    assert [row[1:] for row in rows[1:]] == [
        ["Bob", "Paused", "Paused one", "", "", ""],
        ["Ann", "Changed prefix, name", "Segment – production", "prefix", "", "a"],
        ["Ann", "Changed prefix, name", "Segment – production", "name", "old", "new"],
    ]
    assert len(table(person("viewer").get(f"/history/export/?connector={m.connector.pk}&by=Ann"))) == 3


def test_what_happened_to_people_is_exported_for_owners_only() -> None:
    m = made()
    history.record("Ann", m.viewer, "Made an owner")
    assert len(table(person("editor").get("/history/export/"))) == 1
    assert len(table(person("owner").get("/history/export/"))) == 2
    assert len(table(person("editor").get("/history/export/?kind=user"))) == 1


@pytest.mark.parametrize("text", NASTY)
def test_no_cell_of_any_table_runs_as_a_formula(text: str) -> None:
    m = made()
    history.record(text, m.connector, text, [(text, text, text)])
    m.failed.event.name = text
    m.failed.event.save()
    client = person("owner")
    for address in ("/history/export/", "/deliveries/export/"):
        cells = [cell for row in csv.reader(client.get(address).content.decode().split("\r\n")) for cell in row]
        assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n")] == [], address


def test_the_ticked_rows_as_a_table() -> None:
    m = made()
    ids = [str(m.failed.pk), str(m.held.pk), "x", "9" * 30]
    rows = table(person("viewer").post("/deliveries/export/", {"ids": ids}))
    assert [row[0] for row in rows] == ["id", str(m.held.pk), str(m.failed.pk)]


def test_ticked_delivered_rows_are_replayed_only_when_that_is_asked_for() -> None:
    m = made()
    client = person("operator")
    ids = {"ids": [str(m.failed.pk), str(m.delivered.pk)]}
    said = client.post("/deliveries/replay/", ids, follow=True).content.decode()
    assert list(Delivery.objects.exclude(replay_of=None).values_list("replay_of", flat=True)) == [m.failed.pk]
    assert "1 left out: Delivered ones are sent again only where" in said
    client.post("/deliveries/replay/", {"ids": [str(m.delivered.pk)], "include_delivered": "on"})
    assert Delivery.objects.filter(replay_of=m.delivered).count() == 1
    client.post("/deliveries/replay/", {"one": [str(m.delivered.pk)]})
    assert Delivery.objects.filter(replay_of=m.delivered).count() == 2
