"""Sending a test event from the console: who may, what is sent, and what is said about the answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.urls import reverse

from deliveries.models import Delivery, Event
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
