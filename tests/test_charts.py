"""The Overview's chart: which deliveries each bar counts, and how high it stands."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from deliveries.admin import over_time
from deliveries.admin.charts import Bar, stacked
from tests import rows

NOW = datetime(2026, 11, 3, 14, 32, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
PIECE = re.compile(
    r'<rect class="(delivered|retrying|held|failed)" x="(.+?)%" y="(.+?)" width="(.+?)%" height="(.+?)"/>'
)


def shown(name: str) -> list[tuple[str, dict[str, int]]]:
    """The bars with anything in them, as they stand from left to right."""
    return [(bar.label, dict(bar.counts)) for bar in over_time.bars(over_time.RANGES[name], NOW) if bar.counts]


@pytest.mark.django_db
def test_each_range_has_bars_of_its_own_from_the_oldest_to_the_newest() -> None:
    to = rows.connector()
    for ago, status in ((2, "waiting"), (3, "sending"), (4, "retrying"), (9, "held"), (70, "failed")):
        rows.delivery(to, status, created_at=NOW - ago * MINUTES)
    rows.delivery(to, "delivered", created_at=NOW - timedelta(days=6, hours=20))
    now = {"retrying": 3, "held": 1}
    week = [("27 Oct 18:00", {"delivered": 1}), ("03 Nov 12:00", now | {"failed": 1})]
    for _ in range(2):  # what was counted is kept for a while, for each range by itself
        assert shown("1h") == [("14:20", {"held": 1}), ("14:25", {"retrying": 2}), ("14:30", {"retrying": 1})]
        assert shown("24h") == [("13:00", {"failed": 1}), ("14:00", now)]
        assert shown("7d") == week
    assert shown("30d") == [("27 Oct", {"delivered": 1}), ("03 Nov", now | {"failed": 1})]


def test_pieces_stand_on_each_other_and_are_as_high_as_they_are_many() -> None:
    """160 pixels for 40: the end of the axis is the next round number."""
    chart = stacked([Bar("10:00", {"delivered": 20, "held": 3, "failed": 10}), Bar("11:00", {"retrying": 1})], "")
    assert PIECE.findall(chart) == [
        ("delivered", "6.0", "88.0", "38.0", "80.0"),
        ("held", "6.0", "76.0", "38.0", "12.0"),
        ("failed", "6.0", "36.0", "38.0", "40.0"),
        ("retrying", "56.0", "164.0", "38.0", "4.0"),
    ]
    assert re.findall(r">(\d+)</text>", chart) == ["0", "20", "40"]


def test_a_bar_says_its_numbers_and_a_day_its_date_alone() -> None:
    chart = stacked([Bar("03 Nov 00:00", {"delivered": 12345, "retrying": 2}), Bar("03 Nov 06:00", {})], "In words")
    assert re.findall("<title>(.+?)</title>", chart) == [
        "03 Nov 00:00: 12\u00a0345 delivered, 2 under way",
        "03 Nov 06:00: nothing",
    ]
    assert re.findall(r">(03 Nov[^<]*)</text>", chart) == ["03 Nov", "03 Nov 06:00"]
    assert 'aria-label="In words"' in chart


def test_of_many_bars_eight_have_their_time_below_and_on_a_phone_four() -> None:
    chart = stacked([Bar(f"{hour:02}:00", {}) for hour in range(24)], "")
    assert re.findall(r'(<g class="less">)?<text [^>]+>(\d\d:00)</text>', chart) == [
        ("", "00:00"),
        ('<g class="less">', "03:00"),
        ("", "06:00"),
        ('<g class="less">', "09:00"),
        ("", "12:00"),
        ('<g class="less">', "15:00"),
        ("", "18:00"),
        ('<g class="less">', "21:00"),
    ]
