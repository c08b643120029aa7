"""Testing a connector by the API: what would be sent, and what the service answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deliveries import preview
from deliveries.engine.send import SendFailed
from deliveries.models import Delivery
from integrations import registry, selectors
from integrations.models import Connector, EventRule, Filter
from integrations.types import Cause, OutgoingRequest, Response
from tests.api import Api, refused
from tests.rows import connector

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    return connector()


class Fake:
    """Stands in for the network."""

    def __init__(self, status: int = 200, body: bytes = b'{"ok": true}', failure: SendFailed | None = None) -> None:
        self.sent: list[OutgoingRequest] = []
        self.answer = Response(status=status, headers={"x-token": "hushhush1234"}, body=body, elapsed_ms=12)
        self.failure = failure

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        self.sent.append(request)
        if self.failure:
            raise self.failure
        return self.answer

    def close(self) -> None:
        pass


def network(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> Fake:
    monkeypatch.setattr(preview, "Sender", lambda: fake)
    return fake


@pytest.fixture
def segment() -> Connector:
    secrets = {"write_key": "wk_very_secret_0001"}
    return connector("to segment", "segment", settings={}, secrets=secrets, prefix="x: ")


def test_a_preview_sends_nothing_and_hides_the_key(segment: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = network(monkeypatch, Fake())
    EventRule.objects.create(connector=segment, name="Order", send_as="Purchase")
    Filter.objects.create(connector=segment, action="drop_properties", fields={"properties": ["card"]})
    body = {"event": {"type": "track", "event": "Order", "userId": "u", "properties": {"card": 1, "sum": 2}}}
    status, found = Api("operator").post(f"connectors/{segment.pk}/test/", body)
    assert status == 200
    assert (found["would_send"], found["sent"], found["response"], fake.sent) == (True, False, None, [])
    assert found["sent_as"] == "x: Purchase"
    assert found["request"]["method"] == "POST"
    assert found["request"]["url"] == "https://api.segment.io/v1/batch"
    [item] = json.loads(found["request"]["body"])["batch"]
    assert (item["event"], item["properties"], item["context"]) == ("x: Purchase", {"sum": 2}, {"test": True})
    assert found["request"]["headers"]["Authorization"].startswith("Basic ••••")
    assert "very_secret" not in json.dumps(found)
    assert [(change["kind"], change["field"], change["before"], change["after"]) for change in found["changes"]] == [
        ("renamed", "name", "Order", "x: Purchase"),
        ("removed", "properties.card", 1, None),
    ]
    assert Connector.objects.get().tested_at is None


def test_without_an_event_the_services_example_is_used(to: Connector) -> None:
    status, found = Api("operator").post(f"connectors/{to.pk}/test/")
    sent = json.loads(found["request"]["body"])
    assert (status, sent["event"], sent["context"]["test"]) == (200, "Response Submitted", True)
    assert sent["messageId"].startswith("test_")


def test_a_preview_says_why_nothing_would_be_sent(to: Connector) -> None:
    EventRule.objects.create(connector=to, name="Secret", send=False)
    api = Api("operator")
    path = f"connectors/{to.pk}/test/"
    _, found = api.post(path, {"event": {"type": "track", "event": "Secret", "userId": "u"}})
    assert (found["would_send"], found["request"], found["cause"]) == (False, None, "switched_off")
    assert (found["outcome"], found["detail"]) == ("skipped", "Secret is switched off in this connector's events.")
    _, found = api.post(path, {"event": {"type": "track", "userId": "u"}, "send": True})
    assert (found["would_send"], found["sent"], found["outcome"], found["cause"]) == (
        False,
        False,
        "failed",
        "data_refused",
    )
    assert "no event name" in found["detail"]


def test_sending_a_test_event(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = network(monkeypatch, Fake())
    body = {"event": {"type": "track", "event": "Order", "userId": "u", "messageId": "real"}, "send": True}
    status, found = Api("operator").post(f"connectors/{to.pk}/test/", body)
    assert (status, found["sent"], found["outcome"], found["cause"]) == (200, True, "delivered", None)
    assert found["response"]["status"] == 200
    assert found["response"]["body"] == '{"ok": true}'
    assert "hushhush" not in json.dumps(found)
    assert found["headline"]
    [request] = fake.sent
    sent = json.loads(request.content())
    assert sent["messageId"].startswith("test_")
    assert sent["context"] == {"test": True}
    assert sent["event"] == "Order"
    assert request.headers["webhook-id"] == sent["messageId"]
    assert Connector.objects.get().tested_at is not None
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("fake", "outcome", "cause", "answered"),
    [
        (Fake(401, b'{"message": "bad key"}'), "failed", "key_refused", 401),
        (Fake(503), "retrying", "service_error", 503),
        (Fake(failure=SendFailed(Cause.UNREACHABLE, "example.com refused it.")), "retrying", "unreachable", None),
    ],
)
def test_a_failed_test_says_why(
    to: Connector, monkeypatch: pytest.MonkeyPatch, fake: Fake, outcome: str, cause: str, answered: int | None
) -> None:
    network(monkeypatch, fake)
    _, found = Api("operator").post(f"connectors/{to.pk}/test/", {"send": True})
    assert (found["outcome"], found["cause"]) == (outcome, cause)
    assert (found["response"]["status"] if found["response"] else None) == answered
    assert found["headline"]
    assert found["what_to_do"]
    assert Connector.objects.get().tested_at is None


@pytest.mark.parametrize("body", [{"event": "text"}, {"event": []}, {"send": "perhaps"}])
def test_bad_tests_are_400(to: Connector, body: Any) -> None:
    refused(Api("operator").post(f"connectors/{to.pk}/test/", body), 400)


@pytest.mark.parametrize(
    "odd",
    [{}, {"type": 5}, {"type": "x"}, {"type": ["track"]}, {"context": "x"}, {"userId": {"a": 1}}, {"n": 10**40}],
)
def test_odd_events_never_break_the_preview(to: Connector, odd: dict[str, Any]) -> None:
    assert Api("operator").post(f"connectors/{to.pk}/test/", {"event": odd})[0] == 200


def test_check_credentials(segment: Connector, to: Connector) -> None:
    config = selectors.connector_config(segment)
    fake = Fake()
    good = preview.check_credentials(config, caller=fake)
    assert good is not None
    assert good.disposition == "delivered"
    assert fake.sent[0].method == "GET"
    bad = preview.check_credentials(config, caller=Fake(404))
    assert bad is not None
    assert bad.cause == "key_refused"
    silent = preview.check_credentials(config, caller=Fake(failure=SendFailed(Cause.TIMEOUT, "No answer.")))
    assert silent is not None
    assert (silent.disposition, silent.cause) == ("retry", "timeout")
    assert preview.check_credentials(selectors.connector_config(to), caller=fake) is None


def test_segment_gets_the_id_that_a_test_is_looked_for_by(segment: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that came from Segment get an id of their own there; a test comes from us."""
    fake = network(monkeypatch, Fake())
    config, vendor = selectors.connector_config(segment), registry.get("segment")
    assert vendor is not None
    tested = preview.send_test(config, {"type": "track", "event": "A", "userId": "u"}, vendor)
    [item] = json.loads(fake.sent[-1].content())["batch"]
    assert tested.message_id.startswith("test_")
    assert item["messageId"] == tested.message_id
