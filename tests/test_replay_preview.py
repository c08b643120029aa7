"""What a person is told before a replay of many."""

from __future__ import annotations

from typing import Any

import pytest

from deliveries import replay
from deliveries.models import Replay
from integrations.models import Connector, EventRule
from tests.rows import T0, connector, delivery, event

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    return connector()


def test_preview_counts_people_and_what_todays_rules_leave_out(to: Connector) -> None:
    Connector.objects.update(rate_limit_per_second=0.5)
    EventRule.objects.create(connector=to, name="Secret", send=False)
    for name, user in (("Order", "ann"), ("Order", "ann"), ("Secret", "bob"), ("Order", "cid")):
        delivery(to, "failed", event=event(name, user_id=user))
    delivery(to, "failed", event=event("Order", user_id="", anonymous_id="x"))
    assert replay.preview({}) == {
        "matching": 5,
        "matches_more": False,
        "total": 5,
        "people": 4,
        "people_is_least": False,
        "already_delivered_since": 0,
        "on_their_way": 0,
        "erased": 0,
        "excluded": 1,
        "excluded_is_estimate": False,
        "oldest": T0,
        "newest": T0,
        "seconds_at_limit": 10,
        "outside_dedupe_window": [],
        "connectors": [{"id": to.pk, "name": "warehouse", "status": "active", "count": 5}],
    }
    assert not Replay.objects.exists()


def test_preview_of_more_than_a_page_waits_for_is_of_the_newest(to: Connector) -> None:
    """All are counted where the index of what failed can do it alone, or nobody waits."""
    for number in range(4):
        delivery(to, "delivered" if number else "failed", event=event("Order", user_id=f"user_{number}"))
    resent = delivery(to, "failed", event=event("Order", user_id="late"))
    delivery(to, "delivered", event=resent.event, replay_of=resent)

    def counted(most: int | None, **how: Any) -> tuple[Any, ...]:
        seen = replay.preview(how.pop("filters", {}), most=most, **how)
        return tuple(seen[name] for name in ("matches_more", "matching", "total", "people", "already_delivered_since"))

    assert counted(None, include_delivered=True) == (False, 6, 5, 5, 1)
    assert counted(6, include_delivered=True) == (False, 6, 5, 5, 1)
    assert counted(3, include_delivered=True) == (True, 3, 2, 2, 1)
    assert counted(1) == (False, 2, 1, 1, 1)
    assert counted(1, as_sent=True) == (True, 1, 0, 0, 1)
    assert counted(1, filters={"event": "Order"}) == (True, 1, 0, 0, 1)
    assert counted(2, filters={"event": "Order"}) == (False, 2, 1, 1, 1)
    assert replay.preview({}, include_delivered=True, most=3)["people_is_least"]


def test_an_event_is_looked_for_among_the_newest_first(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """No index knows an event's name: only where none of the newest has it, all are looked through."""
    monkeypatch.setattr("deliveries.replay_plan.WINDOW", 3)
    for name in ("Rare", "Order", "Order", "Order", "Order"):
        delivery(to, "failed", event=event(name))

    def counted(name: str) -> tuple[Any, ...]:
        seen = replay.preview({"event": name}, most=10)
        return seen["matches_more"], seen["matching"]

    assert counted("Order") == (True, 3)
    assert counted("Rare") == (False, 1)
    assert counted("None") == (False, 0)
    monkeypatch.setattr("deliveries.replay_plan.WINDOW", 5)
    assert counted("Order") == (False, 4)


def test_preview_of_nothing() -> None:
    seen = replay.preview({})
    assert (seen["total"], seen["people"], seen["excluded"], seen["seconds_at_limit"]) == (0, 0, 0, None)
