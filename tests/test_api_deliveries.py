"""Events, deliveries and replays in the management API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Attempt, Delivery, Replay
from integrations.models import Connector
from tests.api import Api, refused
from tests.console import person
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    return connector()


def test_the_page_of_tokens_says_that_a_viewers_reads_whose_events_these_are(to: Connector) -> None:
    delivery(to, "delivered", event=event(user_id="ann.lee"))
    assert Api("viewer").get("deliveries/")[1]["results"][0]["event"]["user_id"] == "ann.lee"
    page = person("owner").get("/tokens/").content.decode()
    assert "Viewer: reads everything, personal fields too" in page
    assert "Viewer: sees everything but personal fields" in person("owner").get("/people/add/").content.decode()


def test_a_delivery_in_the_list(to: Connector) -> None:
    one = event(user_id="ann", anonymous_id="", message_id="m-abc")
    row = delivery(to, "failed", event=one, cause="key_refused", attempts=2, sent_as="x: Order Completed")
    assert Api().get("deliveries/") == (
        200,
        {
            "results": [
                {
                    "id": row.pk,
                    "status": "failed",
                    "cause": "key_refused",
                    "connector": {"id": to.pk, "name": "warehouse", "vendor": "webhook"},
                    "event": {
                        "id": one.pk,
                        "type": "track",
                        "name": "Order Completed",
                        "sent_as": "x: Order Completed",
                        "message_id": "m-abc",
                        "user_id": "ann",
                        "anonymous_id": None,
                        "source": "website",
                        "received_at": "2025-11-22T09:00:00Z",
                    },
                    "attempts": 2,
                    "next_attempt_at": None,
                    "finished_at": "2025-11-22T09:00:00Z",
                }
            ],
            "next": None,
        },
    )


def test_next_attempt_is_when_it_is_sent_by_itself(to: Connector) -> None:
    for status in ("delivered", "waiting", "retrying", "sending", "held"):
        delivery(to, status)
    found = {row["status"]: row["next_attempt_at"] for row in Api().get("deliveries/")[1]["results"]}
    assert found == {
        "delivered": None,
        "waiting": "2025-11-22T09:00:00Z",
        "retrying": "2025-11-22T09:00:00Z",
        "sending": None,
        "held": None,
    }


def test_filters_and_pages(to: Connector) -> None:
    other = connector("other")
    rows = [delivery(to, "failed").pk for _ in range(3)]
    delivery(other, "failed")
    delivery(to, "delivered")
    api = Api()

    def ids(**query: Any) -> tuple[list[int], str | None]:
        status, body = api.get("deliveries/", **query)
        assert status == 200, body
        return [row["id"] for row in body["results"]], body["next"]

    first, cursor = ids(status="failed", connector="warehouse", limit=2)
    assert first == [rows[2], rows[1]]
    assert ids(status="failed", connector=str(to.pk), limit=2, cursor=cursor) == ([rows[0]], None)
    assert ids(event="nothing") == ([], None)
    assert ids(user_id="user_1", cause="data_refused", connector="warehouse")[0] == rows[::-1]


def test_rows_that_come_in_between_do_not_move_the_pages(to: Connector) -> None:
    rows = [delivery(to).pk for _ in range(3)]
    api = Api()
    cursor = api.get("deliveries/", limit=1)[1]["next"]
    delivery(to)
    assert [row["id"] for row in api.get("deliveries/", cursor=cursor)[1]["results"]] == [rows[1], rows[0]]


@pytest.mark.parametrize("path", ["deliveries/", "events/"])
def test_lists_take_the_same_queries_for_5_and_50(to: Connector, path: str) -> None:
    api = Api()
    counts = []
    for number in range(50):
        delivery(connector(f"c{number}"))
        if number in (4, 49):
            api.get(path)
            with CaptureQueriesContext(connection) as seen:
                assert len(api.get(path)[1]["results"]) == number + 1
            counts.append(len(seen))
    assert counts == [3, 3]  # the token, the ids, the rows


def test_events(to: Connector) -> None:
    one = event(message_id="m-1", user_id="ann")
    refused_one = event("", "track", refused="The track event has no event name.", user_id="")
    status, body = Api().get("events/")
    assert (status, [row["id"] for row in body["results"]]) == (200, [refused_one.pk, one.pk])
    assert body["results"][0]["refused"] == "The track event has no event name."
    row = body["results"][1]
    assert row.pop("payload")["messageId"] == "m-1"
    assert row == {
        "id": one.pk,
        "type": "track",
        "name": "Order Completed",
        "message_id": "m-1",
        "user_id": "ann",
        "anonymous_id": None,
        "source": "website",
        "received_at": "2025-11-22T09:00:00Z",
        "refused": None,
    }
    found = Api().get(
        "events/", source="website", type="track", name="Order Completed", user_id="ann", message_id="m-1"
    )
    assert [row["id"] for row in found[1]["results"]] == [one.pk]


def attempt(row: Delivery, number: int, **fields: Any) -> Attempt:
    request = {"method": "POST", "url": "https://example.com/hook", "headers": {"Authorization": "Basic ••••4f2a"}}
    fields.setdefault("response", json.dumps({"status": 503, "headers": {"x-id": "7"}}))
    fields.setdefault("response_status", 503)
    return Attempt.objects.create(
        delivery=row,
        number=number,
        started_at=T0 + timedelta(minutes=number),
        duration_ms=120,
        request=json.dumps(request),
        request_body='{"event": 1}',
        response_body="busy",
        outcome="retry",
        cause="service_error",
        detail="busy",
        **fields,
    )


def test_a_delivery_with_its_attempts(to: Connector) -> None:
    row = delivery(to, "retrying", cause="service_error", detail="busy", attempts=2, notes="Left out: x.")
    attempt(row, 2, response="", response_status=None)
    attempt(row, 1)
    status, body = Api().get(f"deliveries/{row.pk}/")
    assert status == 200
    first, second = body["attempts"]
    assert first == {
        "number": 1,
        "started_at": "2025-11-22T09:01:00Z",
        "duration_ms": 120,
        "request": {
            "method": "POST",
            "url": "https://example.com/hook",
            "headers": {"Authorization": "Basic ••••4f2a"},
            "body": '{"event": 1}',
        },
        "response": {"status": 503, "headers": {"x-id": "7"}, "body": "busy"},
        "outcome": "retry",
        "cause": "service_error",
        "detail": "busy",
        "batch_size": 1,
    }
    assert (second["number"], second["response"]) == (2, None)
    assert body["next_attempt_at"] == "2025-11-22T09:00:00Z"
    assert (body["replay_of"], body["replays"], body["detail"], body["notes"]) == (None, [], "busy", "Left out: x.")
    assert "Webhook" in body["headline"] or "webhook" in body["headline"]
    assert body["explanation"]
    assert body["what_to_do"]


def test_a_delivery_takes_the_same_queries_with_5_and_50_attempts(to: Connector) -> None:
    row = delivery(to, "failed")
    api, counts = Api(), []
    for number in range(1, 51):
        attempt(row, number)
        if number in (5, 50):
            api.get(f"deliveries/{row.pk}/")
            with CaptureQueriesContext(connection) as seen:
                assert len(api.get(f"deliveries/{row.pk}/")[1]["attempts"]) == number
            counts.append(len(seen))
    assert counts[0] == counts[1]


# Replays


def test_replaying_one(to: Connector) -> None:
    old = delivery(to, "failed")
    status, body = Api("operator").post(f"deliveries/{old.pk}/replay/", {"as_sent": False})
    new = Delivery.objects.get(replay_of=old)
    assert (status, body["id"], body["replay_of"], body["status"], body["attempts"]) == (
        201,
        new.pk,
        old.pk,
        "waiting",
        [],
    )
    assert body["event"]["message_id"] == old.event.message_id
    assert not new.as_sent
    assert Api().get(f"deliveries/{old.pk}/")[1]["replays"] == [new.pk]


def test_replaying_one_as_it_was_sent(to: Connector) -> None:
    old = delivery(to, "failed")
    assert Api("operator").post(f"deliveries/{old.pk}/replay/", {"as_sent": True})[1]["as_sent"] is True
    never = delivery(to, "skipped", cause="filtered")
    assert "Nothing was sent" in refused(Api("operator").post(f"deliveries/{never.pk}/replay/", {"as_sent": True}), 409)


def test_what_waits_is_not_replayed(to: Connector) -> None:
    waiting = delivery(to, "held", cause="paused")
    assert "is held" in refused(Api("operator").post(f"deliveries/{waiting.pk}/replay/"), 409)
    assert Delivery.objects.count() == 1


def test_previewing_many_makes_nothing(to: Connector) -> None:
    delivery(to, "failed")
    status, body = Api("operator").post("replays/", {"status": "failed", "connector": "warehouse", "preview": True})
    assert (status, body["total"], body["people"], body["seconds_at_limit"]) == (200, 1, 1, None)
    assert body["connectors"] == [{"id": to.pk, "name": "warehouse", "status": "active", "count": 1}]
    assert body["oldest"] == "2025-11-22T09:00:00Z"
    assert not Replay.objects.exists()


def test_a_preview_says_where_it_did_not_look_at_all_people(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.replay_plan.PEOPLE", 2)
    seen = []
    for _ in range(3):
        delivery(to, "failed")
        body = Api("operator").post("replays/", {"status": "failed", "preview": True})[1]
        seen.append((body["total"], body["people_is_least"]))
    assert seen == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize("nested", [False, True])
def test_replaying_many(to: Connector, nested: bool) -> None:
    delivery(to, "failed", cause="key_refused")
    delivery(to, "failed", cause="too_large")
    filters = {"connector": to.pk, "cause": "key_refused"}
    status, body = Api("operator").post("replays/", {"filters": filters} if nested else filters)
    assert status == 201
    job = Replay.objects.get()
    assert {key: body[key] for key in ("id", "state", "total", "made", "waiting", "filters", "created_by")} == {
        "id": job.pk,
        "state": "preparing",
        "total": 1,
        "made": 0,
        "waiting": 0,
        "filters": {"connector": str(to.pk), "cause": "key_refused"},
        "created_by": "API token “tests”",
    }
    assert Api().get(f"replays/{job.pk}/") == (200, body)
    status, body = Api("operator").post(f"replays/{job.pk}/stop/")
    assert (status, body["state"], body["stop_reason"]) == (200, "stopped", "Stopped by API token “tests”.")
    assert Api("operator").post(f"replays/{job.pk}/stop/")[1]["state"] == "stopped"


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        ({"status": "held"}, "status: "),
        ({"status": "great", "preview": True}, "status: "),
        ({"conector": "warehouse"}, "conector: there is no such filter"),
        ({"filters": "all"}, "filters: "),
        ({"filters": {"since": "x"}}, "since: "),
        ({"connector": {"id": 1}}, "connector: "),
        ({"preview": "perhaps"}, "preview: "),
        ({"include_delivered": []}, "include_delivered: "),
    ],
)
def test_bad_replays_are_400_and_start_nothing(to: Connector, body: dict[str, Any], begins: str) -> None:
    delivery(to, "failed")
    assert refused(Api("operator").post("replays/", body), 400).startswith(begins)
    assert not Replay.objects.exists()
