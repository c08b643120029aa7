"""The lists of problems and of replays: their filters stand in the address, and their lines have buttons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries.alarm import Problem
from deliveries.core.reasons import REASONS
from deliveries.models import Replay
from integrations.models import Connector
from tests import rows
from tests.console import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def one() -> Connector:
    return rows.connector("One")


@pytest.fixture
def two() -> Connector:
    return rows.connector("Two")


def problem(connector: Connector | None, kind: str, cause: str = "", hours: float = 0, **more: Any) -> Problem:
    at = timezone.now() - timedelta(hours=hours)
    return Problem.objects.create(
        connector=connector, kind=kind, cause=cause, opened_at=at, **{"last_seen_at": at, **more}
    )


def problems(query: str = "", role: str = "viewer") -> list[str]:
    return [row.title for row in person(role).get(f"/problems/{query}").context["page"].rows]


@pytest.fixture
def some(one: Connector, two: Connector) -> dict[str, Problem]:
    return {
        "key": problem(one, "key_refused", "key_refused"),
        "slow": problem(two, "failing", "timeout", hours=2),
        "late": problem(two, "overdue", hours=30, last_seen_at=timezone.now()),
        "closed": problem(one, "failing", "timeout", hours=50, state="closed", ended_at=timezone.now()),
        "solved": problem(None, "silent", hours=200, state="solved", ended_at=timezone.now()),
    }


def test_problems_by_view_state_connector_reason_and_time(some: dict[str, Problem], one: Any, two: Any) -> None:
    titles = {name: row.title for name, row in some.items()}
    found = {
        "": ["late", "slow", "key"],
        "?view=ended": ["solved", "closed"],
        "?view=all": ["solved", "closed", "late", "slow", "key"],
        "?state=closed": ["closed"],  # a kept address needs no view beside the state
        "?state=seen": [],
        f"?connector={two.pk}": ["late", "slow"],
        f"?connector={one.pk}&view=all": ["closed", "key"],
        "?cause=timeout": ["slow"],
        "?cause=timeout&view=all": ["closed", "slow"],
        "?cause=overdue": ["late"],
        "?cause=silent&view=all": ["solved"],
        "?range=1h": ["late", "key"],
        "?range=24h&view=all": ["late", "slow", "key"],
        f"?until={(timezone.now() - timedelta(hours=25)):%Y-%m-%dT%H:%M}": ["late"],
    }
    assert {query: problems(query) for query in found} == {
        query: [titles[name] for name in names] for query, names in found.items()
    }


@pytest.mark.parametrize("query", ["?connector=x", "?connector=" + "9" * 30, "?since=yesterday", "?before=x"])
def test_what_is_no_filter_is_said_in_words(some: dict[str, Problem], query: str) -> None:
    for path in ("/problems/", "/replays/"):
        answer = person("viewer").get(path + query)
        assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (200, True)
    assert len(problems(query)) == 3


def test_the_filters_offer_what_there_is(some: dict[str, Problem], one: Connector, two: Connector) -> None:
    context = person("viewer").get("/problems/").context
    assert context["connectors"] == [(str(one.pk), "One"), (str(two.pk), "Two")]
    assert [code for code, _ in context["causes"]] == ["overdue", "key_refused", "timeout", "silent"]
    assert dict(context["causes"])["overdue"] == "Deliveries wait too long"
    assert [code for code, _ in context["states"]] == ["open", "seen"]


def test_a_line_of_a_problem_leads_on_and_its_buttons_come_back_to_the_filtered_list(
    some: dict[str, Problem], two: Connector
) -> None:
    slow, late = some["slow"], some["late"]
    client = person("operator")
    page = client.get(f"/problems/?connector={two.pk}").content.decode()
    assert f"/deliveries/?view=look&amp;connector={two.pk}&amp;cause=timeout" in page
    assert f"/replays/new/?status=failed&amp;connector={two.pk}&amp;cause=timeout" in page
    assert f"/deliveries/?status=waiting,retrying&amp;connector={two.pk}" in page
    assert f'formaction="/problems/{slow.pk}/seen/?connector={two.pk}"' in page
    Problem.objects.filter(pk=slow.pk).update(note="Ann rings them")
    for verb, row in (("seen", slow), ("close", late)):
        answer = client.post(f"/problems/{row.pk}/{verb}/?connector={two.pk}", {"back": "list"})
        assert answer["Location"] == f"/problems/?connector={two.pk}"
    slow.refresh_from_db()
    late.refresh_from_db()
    assert (slow.state, slow.seen_by, slow.note) == ("seen", "Operator Jones", "Ann rings them")
    assert late.state == "closed"
    page = client.get("/problems/").content.decode()
    assert f"/problems/{slow.pk}/seen/" not in page  # it is muted already
    assert f"/problems/{slow.pk}/close/" in page
    assert client.post(f"/problems/{slow.pk}/close/")["Location"] == "/problems/"


def test_a_viewer_sees_problems_without_buttons(some: dict[str, Problem]) -> None:
    page = person("viewer").get("/problems/").content.decode()
    assert "timeout" in page
    assert "/seen/" not in page
    assert "/close/" not in page
    assert "/replays/new/" not in page


def test_the_addresses_that_lines_lead_to_show_what_they_say(two: Connector) -> None:
    wanted = rows.delivery(two, "retrying", cause="timeout")
    rows.delivery(two, "delivered")
    found = person("viewer").get(f"/deliveries/?status=waiting,retrying&connector={two.pk}").context["page"].rows
    assert [row.pk for row in found] == [wanted.pk]


# --- Replays ----------------------------------------------------------------------------------------------------------


def replays(query: str = "") -> list[int]:
    return [row["id"] for row in person("viewer").get(f"/replays/{query}").context["replays"]]


def test_replays_by_state_connector_reason_and_time(one: Connector, two: Connector) -> None:
    now = timezone.now()

    def made(hours: float, state: str, **filters: str) -> int:
        values = {"created_at": now - timedelta(hours=hours), "state": state, "up_to_id": 9}
        return Replay.objects.create(filters=filters, **values).pk

    first = made(30, "done", connector=str(one.pk), cause="timeout")
    second = made(3, "stopped", connector="Two", cause="key_refused,timeout")
    third = made(2, "running", cause="key_refused")
    found = {
        "": [third, second, first],
        "?state=stopped": [second],
        f"?connector={one.pk}": [first],
        f"?connector={two.pk}": [second],
        "?cause=timeout": [second, first],
        "?cause=key_refused&state=running": [third],
        "?range=24h": [third, second],
        f"?until={(now - timedelta(hours=25)):%Y-%m-%dT%H:%M}": [first],
        "?connector=99999": [],
    }
    assert {query: replays(query) for query in found} == found
    assert "Nothing matches" in person("viewer").get("/replays/?cause=tls").content.decode()


def test_a_running_replay_is_stopped_from_its_line(one: Connector) -> None:
    row = Replay.objects.create(state="running", up_to_id=9)
    assert f"/replays/{row.pk}/stop/" not in person("viewer").get("/replays/").content.decode()
    client = person("operator")
    assert (
        f'formaction="/replays/{row.pk}/stop/?state=running"' in client.get("/replays/?state=running").content.decode()
    )
    answer = client.post(f"/replays/{row.pk}/stop/?state=running", {"back": "list"})
    row.refresh_from_db()
    assert (answer["Location"], row.state) == ("/replays/?state=running", "stopped")
    assert f"/replays/{row.pk}/stop/" not in client.get("/replays/").content.decode()


def test_no_reasons_code_is_a_part_of_anothers() -> None:
    """The list of replays looks for one code in a text of several."""
    codes = list(REASONS)
    assert [(a, b) for a in codes for b in codes if a != b and a in b] == []


@pytest.mark.parametrize(("action", "said"), [("seen", "Seen by"), ("close", "Closed by")])
def test_a_problem_says_who_has_seen_or_closed_it(some: dict[str, Problem], action: str, said: str) -> None:
    client, address = person("operator"), f"/problems/{some['slow'].pk}/"
    client.post(f"{address}seen/", {"note": "Asked Ben"})
    client.post(f"{address}{action}/", {"note": "Asked Ben"})
    by = Problem.objects.get(pk=some["slow"].pk).seen_by
    assert f"<strong>{said} {by}</strong>: Asked Ben" in client.get(address).content.decode()
