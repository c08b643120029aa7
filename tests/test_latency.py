"""How long events take, by connector: exact where all are looked at, from a sample where there are too many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from deliveries.admin import latency
from deliveries.models import Delivery
from integrations.models import Connector
from tests import rows
from tests.console import person

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = NOW - timedelta(hours=24)


def delivered(to: Connector, milliseconds: list[int], ago: timedelta = timedelta(hours=1), **more: object) -> None:
    event = rows.event(received_at=NOW - ago)
    made = NOW - ago
    Delivery.objects.bulk_create(
        Delivery(
            event=event,
            connector=to,
            status="delivered",
            created_at=made,
            finished_at=made + timedelta(milliseconds=spent),
            **more,
        )
        for spent in milliseconds
    )


def test_half_and_95_of_100() -> None:
    assert (latency.rank([4, 1, 3, 2], 0.5), latency.rank([7], 0.95), latency.rank(range(1, 101), 0.95)) == (2, 7, 95)


def test_the_newest_of_all_shortest_first() -> None:
    connector = rows.connector("quick")
    for hours, spent in ((1, 30), (2, 10), (3, 20), (25, 5)):
        delivered(connector, [spent], ago=timedelta(hours=hours))
    delivered(connector, [80_000], ago=timedelta(minutes=1), replay_of_id=1)
    assert [round(spent) for spent in latency.of_newest(2, DAY, NOW)] == [10, 30]
    assert [round(spent) for spent in latency.of_newest(9, DAY, NOW)] == [10, 20, 30]


def test_each_connector_has_its_own_times_of_the_range() -> None:
    quick, slow, idle = rows.connector("quick"), rows.connector("slow"), rows.connector("idle")
    delivered(quick, [10, 20, 30])
    delivered(slow, [1000, 2000, 3000])
    delivered(slow, [90_000], ago=timedelta(hours=25))
    delivered(slow, [80_000], replay_of_id=1)
    rows.delivery(idle, "failed", created_at=NOW)
    found = latency.by_connector(DAY)
    assert {key: (round(one.half), round(one.most), one.sample) for key, one in found.items()} == {
        quick.pk: (20, 30, False),
        slow.pk: (2000, 3000, False),
    }


def test_busy_and_rare_connectors_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SPREAD", 100)
    busy, rare = rows.connector("busy"), rows.connector("rare")
    delivered(rare, [7])
    delivered(busy, [100] * 300)
    delivered(busy, [900] * 300)  # the newest alone would say 900
    found = latency.by_connector(DAY)
    assert (found[rare.pk].sample, round(found[rare.pk].half)) == (False, 7)
    assert (found[busy.pk].sample, round(found[busy.pk].half), round(found[busy.pk].most)) == (True, 100, 900)


def test_where_the_sample_has_too_few_the_newest_stand_for_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SPREAD", 10)
    to = rows.connector()
    delivered(to, [100] * 150)
    delivered(to, [900] * 150)
    found = latency.by_connector(DAY)[to.pk]
    assert (found.sample, round(found.half)) == (True, 900)


def test_nothing_delivered_is_nothing() -> None:
    rows.connector()
    assert latency.by_connector(DAY) == {}


def test_the_overview_shows_them_for_its_range() -> None:
    cache.clear()
    delivered(rows.connector(), [20, 1800])
    delivered(rows.connector("old"), [40], ago=timedelta(days=3))
    client = person("viewer")
    page = client.get("/").content.decode()
    assert "20 ms / 2 s" in page
    assert "40 ms" not in page
    assert "in the last 24 hours; half take less" in page
    assert "40 ms / 40 ms" in client.get("/?range=7d").content.decode()


@pytest.mark.parametrize(("chosen", "words"), [("1h", "the last hour"), ("7d", "the last 7 days")])
def test_the_overview_says_of_which_time_it_speaks(chosen: str, words: str) -> None:
    rows.connector()
    page = person("viewer").get(f"/?range={chosen}").content.decode()
    assert f"in {words}; half take less" in page
    assert f"Deliveries of {words}: 0 delivered" in page
