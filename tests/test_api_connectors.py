"""Sources, connectors, pause, resume, test and books in the management API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries.models import Delivery
from integrations.models import Connector, WriteKey
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
    waiting.refresh_from_db()
    to.refresh_from_db()
    when = f"{to.status_at:%-d %b %H:%M} UTC"
    assert (body["health"], body["health_reason"]) == ("paused", f"Paused by API token “tests”, {when}: Moving")
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
