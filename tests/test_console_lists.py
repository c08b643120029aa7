"""The lists of connectors, sources and event names: what they show, their filters and their buttons."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from deliveries.models import Delivery
from integrations.history import Change
from integrations.models import Connector
from tests.console import made, person

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
