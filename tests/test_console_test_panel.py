"""Sending a test event from the console: who may, what is sent, and what is said about the answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.urls import reverse

from deliveries.models import Delivery, Event
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
