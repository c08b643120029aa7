"""Sources, connectors, pause, resume, test and books in the management API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries import preview
from deliveries.engine.send import SendFailed
from deliveries.models import Delivery
from integrations import selectors
from integrations.models import Connector, EventRule, Filter, WriteKey
from integrations.types import Cause, OutgoingRequest, Response
from tests.api import Api, refused
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    return connector()


def test_connectors_with_health_and_counts(to: Connector) -> None:
    now = timezone.now()
    for status in ("delivered", "delivered", "failed", "held", "skipped"):
        delivery(to, status, created_at=now - timedelta(hours=1))
    delivery(to, "delivered", created_at=now - timedelta(hours=25))
    connector("gone", archived_at=T0)
    status, body = Api().get("connectors/")
    assert status == 200
    assert body["next"] is None
    [row] = body["results"]
    assert {key: row[key] for key in ("id", "name", "vendor", "status", "sources", "held", "health")} == {
        "id": to.pk,
        "name": "warehouse",
        "vendor": "webhook",
        "status": "active",
        "sources": ["website"],
        "held": 1,
        "health": "slow",
    }
    assert row["health_reason"] == "1 of the last 4 deliveries failed."
    assert row["counts_24h"] == {
        "received": 5,
        "delivered": 2,
        "failed": 1,
        "skipped": 1,
        "held": 1,
        "waiting": 0,
        "retrying": 0,
        "sending": 0,
    }
    assert Api().get(f"connectors/{to.pk}/") == (200, row)


def test_sources_with_health_and_counts() -> None:
    now = timezone.now()
    website = source()
    key = WriteKey.issue(website, key="wk_secret_part_9876")
    source("shop", status="off")
    event(received_at=now - timedelta(hours=1))
    last = event(received_at=now, refused="no type")
    event(received_at=now - timedelta(hours=25))
    status, body = Api().get("sources/")
    assert (status, body["next"], [row["name"] for row in body["results"]]) == (200, None, ["shop", "website"])
    shop, row = body["results"]
    assert (shop["status"], shop["health"], shop["counts_24h"]) == ("off", "off", {"received": 0, "refused": 0})
    assert (row["health"], row["counts_24h"]) == ("working", {"received": 2, "refused": 1})
    assert row["last_event_at"] == last.received_at.isoformat().replace("+00:00", "Z")
    assert row["write_keys"] == [
        {"label": "main", "hint": key.hint, "last_used_at": None, "expires_at": None, "revoked_at": None}
    ]
    assert "wk_secret" not in json.dumps(body)


@pytest.mark.parametrize("path", ["connectors/", "sources/"])
def test_lists_take_the_same_queries_for_5_and_50(path: str, django_assert_max_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert api.get(path)[0] == 200
        return len(seen)

    api = Api()
    counts = []
    for number in range(50):
        to = connector(f"c{number}")
        to.sources.add(source(f"s{number}"))
        delivery(to, "failed", created_at=timezone.now())
        if number == 4:
            api.get(path)  # the token's last use is written once a minute
            counts.append(queries())
    counts.append(queries())
    assert counts[0] == counts[1] <= 12


def test_pause_and_resume(to: Connector) -> None:
    api = Api("operator")
    waiting = delivery(to, "waiting")
    status, body = api.post(f"connectors/{to.pk}/pause/", {"reason": "Moving", "resume_at": "2030-01-01T00:00:00Z"})
    assert (status, body["status"], body["status_reason"], body["held"]) == (200, "paused", "Moving", 1)
    assert (body["status_by"], body["resume_at"]) == ("API token “tests”", "2030-01-01T00:00:00Z")
    assert (body["health"], body["health_reason"]) == ("paused", "Paused by API token “tests”: Moving")
    waiting.refresh_from_db()
    assert (waiting.status, waiting.cause) == ("held", "paused")
    status, body = api.post(f"connectors/{to.pk}/resume/", {"backlog": "send"})
    assert (status, body["status"], body["released"], body["discarded"]) == (200, "active", 1, 0)
    waiting.refresh_from_db()
    assert waiting.status == "waiting"


@pytest.mark.parametrize(
    ("backlog", "expected"), [("discard", ("skipped", 0, 1)), ("keep", ("held", 0, 0)), ("send", ("waiting", 1, 0))]
)
def test_the_backlog_choice(to: Connector, backlog: str, expected: tuple[Any, ...]) -> None:
    Connector.objects.update(status="paused")
    delivery(to, "held", cause="paused")
    status, body = Api("operator").post(f"connectors/{to.pk}/resume/", {"backlog": backlog})
    assert (status, body["status"]) == (200, "active")
    assert (Delivery.objects.get().status, body["released"], body["discarded"]) == expected


def test_what_can_not_be_done_is_a_conflict(to: Connector) -> None:
    Connector.objects.update(status="off")
    api = Api("operator")
    assert "nothing to pause" in refused(api.post(f"connectors/{to.pk}/pause/"), 409)
    assert "Switch it on first" in refused(api.post(f"connectors/{to.pk}/resume/"), 409)
    assert refused(api.post(f"connectors/{to.pk}/resume/", {"backlog": "burn"}), 400).startswith("backlog: ")
    assert Connector.objects.get().status == "off"


# Test


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


# Books


def test_the_books_balance_and_count_an_event_once(to: Connector) -> None:
    other = connector("other")
    for status in ("delivered", "delivered", "failed", "held", "skipped", "waiting", "retrying", "sending"):
        delivery(to, status)
    replayed = delivery(to, "failed")
    again = delivery(to, "failed", event=replayed.event, replay_of=replayed, created_at=T0 + timedelta(days=1))
    delivery(to, "delivered", event=replayed.event, replay_of=again, created_at=T0 + timedelta(days=2))
    delivery(to, "failed", created_at=T0 + timedelta(days=1))
    status, body = Api().get("books/", day="2025-11-22")
    assert (status, body["day"]) == (200, "2025-11-22")
    empty, row = body["results"]
    assert empty["connector"] == {"id": other.pk, "name": "other", "vendor": "webhook"}
    assert empty["received"] == 0
    assert row == {
        "connector": {"id": to.pk, "name": "warehouse", "vendor": "webhook"},
        "received": 9,
        "delivered": 3,
        "failed": 1,
        "skipped": 1,
        "held": 1,
        "waiting": 1,
        "retrying": 1,
        "sending": 1,
        "erased": 0,
        "replays": 2,
        "missing": 0,
        "extra": 0,
    }
    assert Api().get("books/", day="2025-11-23")[1]["results"][1]["received"] == 1
    assert Api().get("books/")[1]["day"] == timezone.now().date().isoformat()
