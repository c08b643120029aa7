"""Sending a test event from the console: who may, what is sent, and what is said about the answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone

from deliveries import trials
from deliveries.models import Delivery, Event, Trial
from integrations.models import Connector
from tests.console import made, person

pytestmark = pytest.mark.django_db
BATCH = "https://api.segment.io/v1/batch"
KEY = "https://cdn.segment.com/v1/projects/wk_very_secret_1234/settings"


def send(m: Any, role: str, **data: str) -> Any:
    return person(role).post(reverse("admin:integrations_connector_send_test", args=[m.connector.pk]), data)


@pytest.fixture
def m() -> Any:
    return made()


def test_a_viewer_and_a_get_send_nothing(m: Any, http: Any) -> None:
    assert send(m, "viewer").status_code == 403
    answer = person("owner").get(reverse("admin:integrations_connector_send_test", args=[m.connector.pk]))
    assert answer.status_code == 405
    assert len(http.calls) == 0


def test_an_accepted_test_says_so_and_stores_no_event(m: Any, http: Any) -> None:
    http.get(KEY, json={})
    http.post(BATCH, json={"success": True})
    before = (Event.objects.count(), Delivery.objects.count())
    html = send(m, "operator").content.decode()
    assert "Segment accepted the event" in html
    assert "Segment accepted the key" in html
    sent = orjson.loads(http.calls[-1].request.body)["batch"][0]
    assert sent["messageId"]
    assert sent["context"]["test"] is True
    assert (Event.objects.count(), Delivery.objects.count()) == before
    m.connector.refresh_from_db()
    assert m.connector.tested_at is not None


def test_a_refused_key_is_said_in_words(m: Any, http: Any) -> None:
    http.get(KEY, status=404)
    http.post(BATCH, status=401, json={"message": "nope"})
    html = send(m, "operator").content.decode()
    assert "Segment refused the write key." in html
    assert "wk_very_secret_1234" not in html


def test_pasted_nonsense_sends_nothing(m: Any, http: Any) -> None:
    html = send(m, "operator", sample="paste", pasted="{nonsense").content.decode()
    assert "This is not JSON" in html
    assert len(http.calls) == 0


# As the documentation of Segment's and SuprSend's own examples shows them: without anybody they belong to.
EXAMPLES: dict[str, dict[str, Any]] = {
    "novu": {
        "type": "track",
        "event": "User Abandoned Cart",
        "properties": {
            "name": "abandoned-cart-recovery-workflow",
            "user": {"subscriberId": "63da8ee0c037e013fd790ffd", "email": "hi@hi.com"},
            "environment": "development",
        },
    },
    "webhook": {"type": "track", "event": "User Registered", "properties": {"plan": "Pro Annual"}},
    "segment": {"event": "User Registered", "properties": {"plan": "Pro Annual"}},
}


@pytest.mark.parametrize("slug", EXAMPLES)
def test_an_example_that_names_nobody_can_be_tried(slug: str) -> None:
    row = Connector.objects.create(
        name="To", vendor=slug, settings={"url": "https://example.com/hook"}, secrets={"api_key": "k"}
    )
    data = {"sample": "paste", "pasted": orjson.dumps(EXAMPLES[slug]).decode()}
    result = person("operator").post(f"/connectors/{row.pk}/preview/", data).context["panel"]["result"]
    assert result.would_send
    assert result.notes[0] == (
        "This event names nobody: from a source it would be refused. For the test it belongs to the unknown visitor "
        "test_nobody."
    )


def test_an_example_with_a_person_stays_as_it_is() -> None:
    row = Connector.objects.create(name="To", vendor="webhook", settings={"url": "https://example.com/hook"})
    data = {"sample": "paste", "pasted": '{"type": "track", "event": "A", "userId": "u1"}'}
    result = person("operator").post(f"/connectors/{row.pk}/preview/", data).context["panel"]["result"]
    assert (result.notes, "test_nobody" in result.request["body"]) == ((), False)


# --- The last five ----------------------------------------------------------------------------------------------------


def practise(client: Any, row: Connector, pasted: str = "") -> Any:
    data = {"sample": "paste", "pasted": pasted} if pasted else {}
    return client.post(reverse("admin:integrations_connector_send_test", args=[row.pk]), data)


def test_the_last_five_tests_are_kept_newest_first() -> None:
    row = Connector.objects.create(name="To", vendor="practice", settings={"script": "works"}, status_at=timezone.now())
    other = Connector.objects.create(name="Other", vendor="practice", settings={"script": "works"})
    client = person("operator")
    practise(client, other)
    for number in range(7):
        practise(client, row, f'{{"type": "track", "event": "Test {number}", "userId": "secret@example.com"}}')
    assert list(trials.last(row).values_list("name", flat=True)) == [f"Test {number}" for number in (6, 5, 4, 3, 2)]
    assert Trial.objects.count() == 6
    page = client.get(f"/connectors/{row.pk}/test/").content.decode()
    assert [f"Test {number}" in page for number in range(7)] == [False, False, True, True, True, True, True]
    assert str(trials.last(row)[0].message_id) in page
    assert trials.last(row)[0].message_id.startswith("test_")


def test_a_kept_test_says_how_it_ended_and_holds_nothing_of_the_event() -> None:
    settings, secrets = {"script": "key"}, {"api_key": "practice-key-old"}
    row = Connector.objects.create(name="To", vendor="practice", settings=settings, secrets=secrets, prefix="shop: ")
    practise(person("operator"), row, '{"event": "Order", "userId": "ann@example.com", "properties": {"a": "private"}}')
    trial = Trial.objects.get()
    assert (trial.name, trial.sent_as, trial.outcome, trial.status) == ("Order", "shop: Order", "failed", 401)
    assert trial.by == "Operator Jones"
    assert trial.headline == "Practice service refused the API key."
    assert "not known, or was replaced" in trial.answer
    assert "ann@example.com" not in str(Trial.objects.values())
    assert "private" not in str(Trial.objects.values())
    assert "practice-key-old" not in str(Trial.objects.values())


def test_a_test_in_the_wizard_stays_in_the_wizard() -> None:
    row = Connector.objects.create(name="To", vendor="practice", settings={"script": "works"}, status="off")
    page = practise(person("editor"), row).content.decode()
    assert "Practice service accepted the event" in page
    assert f"/connectors/{row.pk}/setup/on/" in page
    assert "Continue without a test" not in page
    assert "Last tests" in page
