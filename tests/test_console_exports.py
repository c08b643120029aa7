"""What people take out of the console as tables, and what they press on ticked rows."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from django.apps import apps

from deliveries.models import Delivery
from integrations import history
from integrations.admin.changes import KINDS
from integrations.history import Change
from tests import planting
from tests.console import made, person
from tests.matrix import TABLE

pytestmark = pytest.mark.django_db
RECORDED = {
    *("Connector", "Source", "AlertRule", "AlertTarget", "RegionEndpoint"),
    *("User", "ApiToken", "HouseRules", "Installation", "Erasure"),
}
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠SUM(A1)", "  =1+1"]
NASTY += ["\ufeff=1+1", "\u200b\u3000=1+1", "\u00a0+1", "x;=1+1", 'x";=1+1', 'x","=1+1', "x\t=1+1", "x\r\n=1+1"]
STARTS = tuple("=+-@\t\r\n＝＋－＠")


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
    assert len(table(person("viewer").get(f"/history/export/?connector={m.connector.pk}"))) == 3
    assert len(table(person("viewer").get("/history/export/?by=Bob"))) == 2


@pytest.mark.parametrize("kind", ["user", "apitoken"])
def test_what_happened_to_people_and_tokens_is_for_owners_only(kind: str) -> None:
    m = made()
    history.record("Ann", {"user": m.viewer, "apitoken": m.token}[kind], "Did something to it")
    for role, lines in (("viewer", 0), ("operator", 0), ("editor", 0), ("owner", 1)):
        for asked in ("", f"?kind={kind}", "?by=Ann"):
            assert len(table(person(role).get(f"/history/export/{asked}"))) == 1 + lines, (role, asked)
            shown = person(role).get(f"/history/{asked}").content.decode().count("Did something to it")
            assert shown == lines, (role, asked)


EXPORTS = (
    "/settings/export/",
    "/history/export/",
    "/deliveries/export/",
    "POST /deliveries/export/",
    "/connectors/{}/export/",
)


def exported(path: str, m: Any) -> Any:
    client = person("owner")
    if path.startswith("POST "):
        return client.post(path[5:], {"ids": [str(m.failed.pk)]})
    return client.get(path.format(m.connector.pk))


def cells(text: str) -> list[str]:
    """As programs read them that split at commas, at semicolons or at tabs."""
    read = [csv.reader(StringIO(text, newline=""), delimiter=divider) for divider in ",;\t"]
    return [cell for reader in read for row in reader for cell in row]


def test_every_export_is_in_this_list() -> None:
    assert {path.removeprefix("POST /").removeprefix("/").replace("{}", "<int:pk>") for path in EXPORTS} == {
        route for route in TABLE if route.endswith("export/")
    }


@pytest.mark.parametrize("path", EXPORTS)
@pytest.mark.parametrize("text", NASTY)
def test_no_cell_of_any_table_runs_as_a_formula(path: str, text: str) -> None:
    m = made()
    planting.plant(m, text)
    answer = exported(path, m)
    if answer["Content-Type"].startswith("application/json"):  # no sheet, and nothing that a sheet opens
        assert answer["Content-Disposition"].endswith('.json"')
        assert answer.json()["connectors"][0]["name"].startswith(text)
        return
    whole = answer.content.decode()
    assert text.strip() in "".join(cells(whole)).replace("'", "")
    assert [cell for cell in cells(whole) if cell.lstrip(" \u00a0\u3000\ufeff\u200b").startswith(STARTS)] == []
    assert len({len(row) for row in csv.reader(StringIO(whole, newline=""))}) == 1


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


def test_the_history_can_be_asked_for_each_kind_of_thing() -> None:
    """Everything that may stand in it can be found by its kind, and nothing else is then shown."""
    known = {kind for kinds, _ in KINDS for kind in kinds.split(",")}
    owner = person("owner")
    owner.post("/settings/console/", {"address": "", "time_zone": "Asia/Tokyo"}, follow=True)
    owner.post("/alerts/targets/add/", {"kind": "email", "address": "a@example.com"}, follow=True)
    settings, alerts = (owner.get(f"/history/?kind={kinds}").content.decode() for kinds in (KINDS[6][0], KINDS[2][0]))
    assert ("Asia/Tokyo" in settings, "a@example.com" in settings) == (True, False)
    assert ("Asia/Tokyo" in alerts, "a@example.com" in alerts) == (False, True)
    assert set(Change.objects.values_list("kind", flat=True)) <= known
    assert known == {model._meta.model_name for model in apps.get_models() if model.__name__ in RECORDED}
