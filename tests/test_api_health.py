"""The rules of the health badge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries.health import Facts, judge, report
from integrations.models import Connector
from tests.rows import T0, connector, delivery

GOOD, BAD = ("delivered", ""), ("failed", "data_refused")
PAUSED = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
LIVE: dict[str, Any] = {"any_delivery": True, "received": 100}


@pytest.mark.parametrize(
    ("facts", "code", "why"),
    [
        ({"delivered": 99, "failed": 1}, "working", "99 of the last 100 deliveries arrived."),
        ({"delivered": 98, "failed": 2}, "slow", "2 of the last 100 deliveries failed."),
        ({"delivered": 90, "failed": 10}, "slow", "10 of the last 100 deliveries failed."),
        ({"delivered": 89, "failed": 11}, "not_working", "11 of the last 100 deliveries failed."),
        ({"delivered": 2, "failed": 2}, "slow", "2 of the last 4 deliveries failed."),
        ({"delivered": 3, "failed": 2}, "not_working", "2 of the last 5 deliveries failed."),
        ({"last": [GOOD] * 50}, "working", "50 of the last 50 deliveries arrived."),
        ({"last": [BAD] + [GOOD] * 49}, "slow", "1 of the last 50 deliveries failed."),
        (
            {"delivered": 995, "failed": 5, "last": [BAD] * 5 + [GOOD] * 45},
            "not_working",
            "The last 5 deliveries failed.",
        ),
        (
            {"delivered": 999, "failed": 1, "last": [BAD] * 4 + [GOOD]},
            "working",
            "999 of the last 1\u00a0000 deliveries arrived.",
        ),
        ({"last": [("failed", "key_refused"), GOOD]}, "not_working", "The key was refused."),
        ({"delivered": 10, "retrying": 3}, "slow", "3 deliveries are retrying."),
        ({"oldest_due": T0 - timedelta(minutes=6)}, "slow", "A delivery has been due for 6 minutes."),
        ({"oldest_due": T0 - timedelta(minutes=5), "delivered": 1}, "working", "The last delivery arrived."),
        ({"received": 0}, "quiet", "Nothing arrived for it in the last 24 hours."),
        ({"status": "paused", "by": "Ann", "reason": "Moving", "failed": 9}, "paused", "Paused by Ann: Moving"),
        ({"status": "paused", "by": "Ann", "since": PAUSED}, "paused", "Paused by Ann, 3 Nov 14:05 UTC."),
        (
            {"status": "off", "by": "Ann", "since": PAUSED, "reason": "Moving"},
            "off",
            "Switched off by Ann, 3 Nov 14:05 UTC: Moving",
        ),
        ({"status": "off", "by": "Ann"}, "off", "Switched off by Ann."),
        ({"status": "off", "draft": True}, "not_set_up", "It has not been turned on yet."),
        ({"any_delivery": False, "received": 0}, "not_set_up", "Nothing was sent yet, not even a test event."),
        (
            {"any_delivery": False, "received": 0, "tested": True},
            "quiet",
            "Nothing arrived for it in the last 24 hours.",
        ),
    ],
)
def test_rules(facts: dict[str, Any], code: str, why: str) -> None:
    found = judge(Facts(**{**LIVE, **facts}), T0)
    assert (found.code, found.why) == (code, why)


def every(gap: timedelta, since: timedelta, count: int = 50) -> list[datetime]:
    return [T0 - since - number * gap for number in range(count)]


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("times", "first", "why"),
    [
        (every(MINUTE / 60, HOUR), 20 * HOUR, ""),  # a floor: an hour is nothing unusual
        (every(MINUTE / 60, 61 * MINUTE), 20 * HOUR, "1 hour 1 minute; usually an event comes within a minute."),
        (every(MINUTE / 60, 61 * MINUTE), 62 * MINUTE, ""),  # an import: all at once says nothing of the usual gap
        (every(MINUTE / 60, 23 * HOUR), 23 * HOUR + MINUTE, "23 hours; usually an event comes within a minute."),
        (every(40 * MINUTE, 200 * MINUTE), 20 * HOUR, ""),
        (every(40 * MINUTE, 201 * MINUTE), 20 * HOUR, "3 hours 21 minutes; usually an event comes every 40 minutes."),
        (every(2 * HOUR, 23 * HOUR), 23 * HOUR, "23 hours; usually an event comes every 2 hours."),
        (every(MINUTE, 5 * HOUR, count=4), 20 * HOUR, ""),  # too few to know what is usual
    ],
)
def test_quiet_by_the_usual_gap(times: list[datetime], first: timedelta, why: str) -> None:
    found = judge(Facts(**{**LIVE, "last": [GOOD] * 50, "times": times, "first": T0 - first}), T0)
    good = ("working", "50 of the last 50 deliveries arrived.")
    assert (found.code, found.why) == (("quiet", f"Nothing arrived for {why}") if why else good)


@pytest.mark.django_db
def test_reports_know_the_usual_gap() -> None:
    now = timezone.now()
    steady, at_once = connector("steady"), connector("at once")
    for number in range(8):
        delivery(steady, "delivered", created_at=now - timedelta(minutes=100 + 10 * (7 - number)))
        delivery(at_once, "delivered", created_at=now - timedelta(minutes=100))
    found = report(Connector.objects.all(), now)
    assert found[steady.pk].health.why == (
        "Nothing arrived for 1 hour 40 minutes; usually an event comes every 10 minutes."
    )
    assert (found[steady.pk].health.code, found[at_once.pk].health.code) == ("quiet", "working")


@pytest.mark.django_db
def test_reports_read_the_right_rows() -> None:
    now = timezone.now()
    rows = {name: connector(name) for name in ("busy", "broken", "late", "old", "fresh")}
    for _ in range(60):
        delivery(rows["busy"], "failed", created_at=now - timedelta(hours=2))
    for _ in range(10):
        delivery(rows["busy"], "delivered", created_at=now - timedelta(minutes=5))
    delivery(rows["broken"], "failed", cause="key_refused", created_at=now - timedelta(days=3))
    delivery(rows["late"], "waiting", created_at=now - timedelta(minutes=10))
    for _ in range(60):
        delivery(rows["old"], "delivered", created_at=now - timedelta(days=3))
    delivery(rows["old"], "held", cause="paused", created_at=now - timedelta(days=2))
    found = report(Connector.objects.all(), now)
    assert {name: found[row.pk].health.code for name, row in rows.items()} == {
        "busy": "working",
        "broken": "not_working",
        "late": "slow",
        "old": "quiet",
        "fresh": "not_set_up",
    }
    assert found[rows["busy"].pk].counts["failed"] == 60
    assert (found[rows["old"].pk].held, found[rows["old"].pk].counts["held"]) == (1, 0)
    assert found[rows["busy"].pk].last_delivered_at == now - timedelta(minutes=5)
    assert report([], now) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [5, 60])  # within the window, or among the last fifty
def test_what_was_replayed_and_has_arrived_is_no_failure_any_more(minutes: int) -> None:
    to, now = connector(), timezone.now()
    at = now - timedelta(minutes=minutes)
    ago: dict[str, Any] = {"created_at": at, "finished_at": at}
    refused = [delivery(to, "failed", cause="key_refused", **ago) for _ in range(20)]
    assert report(Connector.objects.all(), now)[to.pk].health.why == "The key was refused."
    for one in refused[:10]:
        delivery(to, "delivered", event=one.event, replay_of=one, **ago)
    found = report(Connector.objects.all(), now)[to.pk].health
    assert (found.code, found.why) == ("not_working", "10 of the last 20 deliveries failed.")
    again = delivery(to, "failed", cause="key_refused", event=refused[10].event, replay_of=refused[10], **ago)
    for one in [*refused[11:], again]:
        delivery(to, "delivered", event=one.event, replay_of=one, **ago)
    found = report(Connector.objects.all(), now)[to.pk].health
    assert (found.code, found.why) == ("working", "20 of the last 20 deliveries arrived.")
    assert report(Connector.objects.all(), now)[to.pk].counts["failed"] == 21
    delivery(to, "failed", event=refused[0].event, replay_of=refused[0], **ago)  # once more, and in vain
    found = report(Connector.objects.all(), now)[to.pk].health
    assert (found.code, found.why) == ("slow", "1 of the last 21 deliveries failed.")
