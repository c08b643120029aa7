"""The lists of connectors, sources and event names: what they show, their filters and their buttons."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from deliveries.models import Delivery
from integrations.history import Change
from integrations.models import ConfigVersion, Connector, Source, WriteKey
from tests.console import delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db
SWITCH = "admin:integrations_connector_switch"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)


@pytest.fixture
def m() -> Any:
    return made()


def statuses() -> dict[str, str]:
    return dict(Connector.objects.values_list("name", "status"))


def names(query: str, role: str = "operator") -> list[str]:
    return [line["row"].name for line in person(role).get(f"/connectors/{query}").context["lines"]]


# --- Connectors -------------------------------------------------------------------------------------------------------


def test_connectors_by_service_and_health(m: Any) -> None:
    Connector.objects.create(name="Hook", vendor="webhook", status_at=timezone.now())
    assert names("?service=webhook") == ["Hook"]
    assert names("?badge=paused") == ["Paused one"]
    assert names("?badge=paused&service=webhook") == []
    assert len(names("")) == 5


def test_a_viewer_sees_the_list_without_buttons(m: Any) -> None:
    page = person("viewer").get("/connectors/").content.decode()
    assert "Segment – production" in page
    assert "Pause" not in page.replace("Paused", "")
    assert "Pause the ticked ones" in person("operator").get("/connectors/").content.decode()


def test_one_is_paused_from_its_line_and_the_list_stays_filtered(m: Any) -> None:
    answer = person("operator").post(f"{reverse(SWITCH)}?service=segment", {"pause": m.connector.pk})
    assert answer["Location"] == "/connectors/?service=segment"
    assert statuses() == {"Segment – production": "paused", "Paused one": "paused", "Off one": "off", "Draft": "off"}
    assert Change.objects.get().words == "Paused"


def test_ticked_ones_are_resumed_and_what_they_held_is_sent(m: Any) -> None:
    ids = [row.pk for row in (m.connector, m.paused, m.off, m.draft)]
    answer = person("operator").post(reverse(SWITCH), {"resume": "ticked", "ids": ids}, follow=True)
    assert statuses() == {"Segment – production": "active", "Paused one": "active", "Off one": "off", "Draft": "off"}
    assert Delivery.objects.get(pk=m.held.pk).status == "waiting"
    assert "Resumed: Paused one. What was held is being sent, oldest first." in answer.content.decode()
    assert Change.objects.count() == 1


@pytest.mark.parametrize(
    "data", [{"pause": "ticked"}, {"pause": "x"}, {"resume": "9" * 30}, {"pause": "ticked", "ids": ["²"]}]
)
def test_nothing_ticked_changes_nothing(m: Any, data: dict[str, Any]) -> None:
    before = statuses()
    assert "There was nothing to" in person("operator").post(reverse(SWITCH), data, follow=True).content.decode()
    assert statuses() == before
    assert Change.objects.count() == 0


def test_a_press_without_a_choice_does_nothing(m: Any) -> None:
    before = statuses()
    answer = person("operator").post(f"{reverse(SWITCH)}?badge=slow", {"ids": [m.connector.pk]})
    assert (answer["Location"], statuses()) == ("/connectors/?badge=slow", before)


# --- Sources ----------------------------------------------------------------------------------------------------------


def sources(query: str = "") -> list[tuple[str, str, int, int]]:
    cache.clear()
    rows = person("viewer").get(f"/sources/{query}").context["sources"]
    return [(one.row.name, one.report.health.code, one.report.received, one.report.refused) for one in rows]


def test_sources_say_what_came_in(m: Any) -> None:
    event_of(m.source, 50, refused="The event has no type.")
    event_of(m.source, 51, received_at=timezone.now() - timedelta(hours=25))
    Source.objects.create(name="new one")
    assert sources() == [("new one", "not_set_up", 0, 0), ("website", "working", 4, 1)]
    assert sources("?state=working") == [("website", "working", 4, 1)]
    page = person("viewer").get("/sources/").content.decode()
    assert "1 refused at the door" in page
    assert f"/events/?source={m.source.pk}&amp;range=24h" in page


def test_a_source_that_is_switched_off_says_so_at_once(m: Any) -> None:
    client = person("editor")
    assert client.get("/sources/").context["sources"][0].report.health.code == "working"
    client.post(reverse("admin:integrations_source_status", args=[m.source.pk]), {"status": "off"})
    assert client.get("/sources/").context["sources"][0].report.health.code == "off"


def buttons(page: str) -> list[str]:
    """Where the lines' buttons lead."""
    return re.findall(r'action="(/sources/[^"]*)"', page)


def test_a_line_of_a_source_copies_its_address_and_rolls_or_revokes_its_keys(m: Any) -> None:
    ending = WriteKey.issue(m.source, "old app")
    ending.expires_at = timezone.now() + timedelta(hours=2)
    ending.save()
    WriteKey.issue(m.source, "gone").revoke()
    Source.objects.create(name="letters", vendor="customerio")
    client = person("editor")
    page = client.get("/sources/?state=working").content.decode()
    assert f'<span id="address-{m.source.pk}" hidden>http://testserver</span>' in page
    roll, revoke = (f"/sources/{m.source.pk}/keys/{m.key.pk}/{verb}/" for verb in ("roll", "revoke"))
    assert buttons(page) == [
        roll,
        f"{revoke}?state=working",
        f"/sources/{m.source.pk}/keys/{ending.pk}/revoke/?state=working",
    ]
    answer = client.post(roll)
    assert answer["Location"] == f"/sources/{m.source.pk}/"  # where the new key is shown, once
    assert "The write key, shown this once" in client.get(answer["Location"]).content.decode()
    answer = client.post(f"{revoke}?state=working", {"back": "list"})
    assert answer["Location"] == "/sources/?state=working"
    m.key.refresh_from_db()
    assert m.key.revoked_at is not None
    page = client.get("/sources/").content.decode()
    assert f"/keys/{m.key.pk}/" not in page
    assert "hidden>http://testserver/connector/customerio/</span>" in page
    assert client.post(f"/sources/{m.source.pk}/keys/{ending.pk}/revoke/")["Location"] == f"/sources/{m.source.pk}/"


def test_a_viewer_copies_an_address_and_changes_no_key(m: Any) -> None:
    page = person("viewer").get("/sources/").content.decode()
    assert f'data-copy="address-{m.source.pk}"' in page
    assert buttons(page) == []


def test_a_source_that_was_not_counted_yet_has_its_page(m: Any) -> None:
    """Its making and the counting of all, which is kept for a while, may have met."""
    cache.set(f"sources:{ConfigVersion.current()}", {}, 30)
    client = person("owner")
    assert client.get(f"/sources/{m.source.pk}/").status_code == 200
    assert client.get("/sources/").status_code == 200


# --- Event names ------------------------------------------------------------------------------------------------------


def test_names_of_one_connector(m: Any) -> None:
    other = Source.objects.create(name="app")
    event_of(other, 60, name="Only In The App")
    client = person("viewer")
    assert {line["name"] for line in client.get("/names/").context["lines"]} == {
        "Response Submitted",
        "Only In The App",
    }
    lines = client.get(f"/names/?connector={m.connector.pk}").context["lines"]
    assert [(line["name"], [fate["config"].id for fate in line["fates"]]) for line in lines] == [
        ("Response Submitted", [m.connector.pk])
    ]


def test_names_are_shown_a_page_at_a_time_and_found_by_a_part(m: Any) -> None:
    """However many names and connectors there are: the switches of all of them on one page made megabytes."""
    for number in range(30):
        event_of(m.source, 100 + number, name=f"Step {number:02}")
    client = person("editor")
    first = client.get("/names/")
    assert len(first.context["lines"]) == 25
    assert first.context["lines"][0]["name"] == "Response Submitted"  # the most frequent one
    assert 'href="?page=2" rel="next"' in first.content.decode()
    second = client.get("/names/?page=2")
    assert [line["name"] for line in second.context["lines"]] == [f"Step {number:02}" for number in range(24, 30)]
    assert "?page=1" in second.content.decode()
    assert "<form method" not in second.content.decode().partition("<main")[2]
    found = client.get("/names/?q=STEP 1&page=2")
    assert [line["name"] for line in found.context["lines"]] == [f"Step {number}" for number in range(10, 20)]
    assert "Nothing matches" in client.get("/names/?q=nothing+such").content.decode()


def test_a_name_is_switched_and_renamed_on_its_own_page(m: Any) -> None:
    client, path = person("editor"), "/names/one/?source=1&type=track&name=Response+Submitted"
    path = path.replace("source=1", f"source={m.source.pk}")
    Connector.objects.filter(pk=m.connector.pk).update(prefix="segment : ")
    page = client.get(path).content.decode()
    assert f'aria-label="Send it under this name – {m.connector.name}"' in page
    data = {"connector": m.connector.pk, "source": m.source.pk, "type": "track", "name": "Response Submitted"}
    answer = client.post("/names/save/", {**data, "send": "1", "send_as": "survey_responded"})
    assert answer["Location"] == path
    page = client.get(path).content.decode()
    assert f"Saved. From now on {m.connector.name} sends Response Submitted as survey_responded." in page
    assert 'name="send_as" value="survey_responded"' in page  # without the prefix: saved again, it stays the same
    client.post("/names/save/", {**data, "send": "0", "send_as": "survey_responded"})
    page = client.get(path).content.decode()
    assert f"Saved. From now on {m.connector.name} does not send Response Submitted." in page
    assert 'value="survey_responded"' in page  # the name is kept for when it is sent again
    assert "Rename" not in person("viewer").get(path).content.decode()
    assert client.get(path.replace("track", "nonsense")).status_code == 404
    assert "none in the last 24 hours" in client.get(path.replace("Response", "No")).content.decode()


def test_older_pages_of_the_history_lead_back_to_the_newest() -> None:
    for number in range(60):
        Change.objects.create(by="Ann", words=f"Change {number}", kind="connector", object_id=1, object_name="To")
    client = person("viewer")
    first = client.get("/history/?by=Ann").content.decode()
    assert "← Newest" not in first
    older = re.findall(r'href="(\?[^"]+)">Older →', first)
    page = client.get(f"/history/{older[0].replace('&amp;', '&')}").content.decode()
    assert "Change 9<" not in first
    assert re.findall(r"</strong>: Change (\d+)", page) == [str(number) for number in range(9, -1, -1)]
    assert '<a class="button tiny" href="?by=Ann">← Newest</a>' in page
    assert "Older →" not in page


# --- People -----------------------------------------------------------------------------------------------------------


def test_people_of_one_role() -> None:
    client = person("owner")
    for role in ("viewer", "editor"):
        person(role)

    def listed(query: str) -> list[str]:
        return re.findall(r"(\w+ Jones)</a>", client.get(f"/people/{query}").content.decode())

    assert listed("") == ["Editor Jones", "Owner Jones", "Viewer Jones"]
    assert listed("?role=viewer") == ["Viewer Jones"]
    assert listed("?role=operator") == []
    assert "Nobody has this role." in client.get("/people/?role=nonsense").content.decode()
    assert '<a href="?role=editor">Editor</a>' in client.get("/people/").content.decode()


def test_the_newest_page_is_live_however_it_was_reached() -> None:
    m = made()
    rows = [delivery_of(event_of(m.source, 100 + n), m.connector, "delivered") for n in range(26)]
    client = person("viewer")
    newest = client.get(f"/deliveries/?status=delivered&after={rows[0].pk}").content.decode()
    assert f'data-poll="/deliveries/live/?status=delivered&amp;newest={rows[-1].pk}"' in newest
    older = client.get(f"/deliveries/?after={m.failed.pk}").content.decode()
    assert 'data-poll="/deliveries/live/' not in older
