"""The counts of closed hours: right, kept, and counted again when something of the hour has moved on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deliveries import tally
from deliveries.admin import over_time
from deliveries.admin.over_time import RANGES
from deliveries.models import Delivery
from integrations.models import Connector
from tests import rows

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 11, 22, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def connector() -> Connector:
    return rows.connector()


def made(connector: Connector, hours_ago: int, status: str = "delivered") -> Delivery:
    return rows.delivery(connector, status, created_at=NOW.replace(minute=10) - HOUR * hours_ago)


def test_kept_and_live_hours_make_the_same_counts_as_live_alone(connector: Connector) -> None:
    for hours, status in ((0, "delivered"), (1, "failed"), (1, "delivered"), (5, "delivered"), (30, "failed")):
        made(connector, hours, status)
    start = NOW.replace(minute=0) - HOUR * 48
    live = sorted(tally.counted(start, None))
    assert tally.refresh(NOW) == 32 * 24
    assert sorted(tally.since(start)) == live
    assert [(at.hour, status, count) for at, status, count in live] == [
        (3, "failed", 1),
        (4, "delivered", 1),
        (8, "delivered", 1),
        (8, "failed", 1),
        (9, "delivered", 1),
    ]


def test_an_hour_is_counted_again_when_something_of_it_has_moved_on(connector: Connector) -> None:
    made(connector, 3)
    moving = made(connector, 4, "retrying")
    made(connector, 4, "held")
    made(connector, 5, "held")
    tally.refresh(NOW)
    assert tally.refresh(NOW) == 0
    for status in ("sending", "held", "waiting", "delivered"):
        Delivery.objects.filter(pk=moving.pk).update(
            status=status, next_attempt_at=NOW if status in ("sending", "waiting") else None
        )
        assert (tally.refresh(NOW), tally.refresh(NOW)) == (1, 0)
        counts = {kept for hour, kept, _ in tally.since(NOW - HOUR * 9) if hour == NOW.replace(minute=0) - HOUR * 4}
        assert counts == {status, "held"}
    assert [count for _, status, count in tally.since(NOW - HOUR * 9) if status == "delivered"] == [1, 1]


def test_an_hour_is_closed_when_all_of_it_is_surely_stored(connector: Connector) -> None:
    tally.refresh(NOW)
    over = NOW.replace(minute=0) + HOUR
    assert tally.refresh(over + timedelta(minutes=9)) == 0
    assert tally.refresh(over + timedelta(minutes=10)) == 1


def test_hours_are_counted_a_day_at_a_time(connector: Connector, django_assert_max_num_queries: Any) -> None:
    made(connector, 3)
    with django_assert_max_num_queries(200):  # not some for each of 768 hours
        assert tally.refresh(NOW) == 32 * 24


@pytest.mark.parametrize(("name", "bars"), [("1h", 12), ("24h", 24), ("7d", 28), ("30d", 30)])
def test_the_chart_counts_what_is_in_its_range(connector: Connector, name: str, bars: int) -> None:
    made(connector, 0)
    made(connector, 10, "failed")
    made(connector, 100)
    made(connector, 24 * 40)
    tally.refresh(NOW)
    chart = over_time.bars(RANGES[name], NOW)
    assert len(chart) == bars
    expected = {"1h": 1, "24h": 2, "7d": 3, "30d": 3}[name]
    assert sum(bar.total for bar in chart) == expected
