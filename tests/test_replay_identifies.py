"""Replaying past identify events after a change of the mapping: the newest of each person."""

from __future__ import annotations

import pytest

from deliveries import replay
from deliveries.models import Delivery
from tests.rows import connector, delivery, event

pytestmark = pytest.mark.django_db


def test_the_newest_identify_of_each_person_goes_again_whatever_became_of_it() -> None:
    to = connector()
    delivery(to, event=event(name="", kind="identify", user_id="ann"))
    ann = delivery(to, event=event(name="", kind="identify", user_id="ann"))
    ben = delivery(to, "failed", event=event(name="", kind="identify", user_id="ben"))
    delivery(to, event=event(name="Order Completed", user_id="ann"))
    delivery(connector(name="other"), event=event(name="", kind="identify", user_id="cleo"))
    delivery(to, event=event(name="", kind="identify", user_id=""))
    job = replay.start_past_identifies(to, by="Ann")
    replay.advance(job.pk, job.created_at, patience=0)
    assert job.total == 2
    assert list(Delivery.objects.filter(replay=job).order_by("id").values_list("replay_of_id", flat=True)) == [
        ann.pk,
        ben.pk,
    ]


def test_what_is_still_on_its_way_is_not_sent_twice() -> None:
    to = connector()
    delivery(to, event=event(name="", kind="identify", user_id="ann"))
    delivery(to, "waiting", event=event(name="", kind="identify", user_id="ann"))
    assert replay.start_past_identifies(to, by="Ann").total == 0


def test_a_second_change_replays_the_same_people_again() -> None:
    to = connector()
    delivery(to, event=event(name="", kind="identify", user_id="ann"))
    first = replay.start_past_identifies(to, by="Ann")
    replay.advance(first.pk, first.created_at, patience=0)
    Delivery.objects.filter(replay=first).update(status="delivered", next_attempt_at=None)
    assert replay.start_past_identifies(to, by="Ann").total == 1
