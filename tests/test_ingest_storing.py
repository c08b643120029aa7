"""Few events and many are written in different ways (one statement, many rows each, COPY): the rows are alike."""

from __future__ import annotations

from typing import Any

import pytest

from deliveries.models import Delivery, Event
from tests.conftest import MakeSource
from tests.door import assert_taken, post, track

pytestmark = pytest.mark.django_db
EVENT = ("source__name", "type", "name", "user_id", "anonymous_id", "refused", "email", "erased_at")
DELIVERY = ("connector__name", "status", "cause", "detail", "attempts", "lane", "lease_owner", "sent_as", "notes")


def send(key: str, run: str, number: int) -> list[str]:
    """A batch with an e-mail address, an event of nobody, and one id twice; the ids that are to be stored, in order."""
    events = [track(messageId=f"{run}-{place}", traits={"email": "Ann@Example.com"}) for place in range(number)]
    events[1] = {"type": "track", "event": "Lost", "messageId": f"{run}-1"}
    assert_taken(post("/v1/batch", {"batch": [*events, {**events[0], "event": "Again"}]}, key))
    return [f"{run}-{place}" for place in range(number)]


@pytest.mark.parametrize("number", [111, 255])
def test_few_and_many_make_the_same_rows(make_source: MakeSource, make_connector: Any, number: int) -> None:
    source, key = make_source()
    make_connector("on", source)
    make_connector("held", source, status="paused")
    make_connector("off", source, status="off")
    few, many = send(key, "few", 11), send(key, "many", number)
    assert list(Event.objects.order_by("id").values_list("message_id", flat=True)) == few + many

    for name in ("0", "1", "7"):
        first, second = (Event.objects.filter(message_id=f"{run}-{name}") for run in ("few", "many"))
        assert first.values_list(*EVENT).get() == second.values_list(*EVENT).get()
        made = [
            list(Delivery.objects.filter(event=event.get()).order_by("connector_id").values_list(*DELIVERY))
            for event in (first, second)
        ]
        assert made[0] == made[1]
        assert [row[:2] for row in made[0]] == (
            [] if name == "1" else [("on", "waiting"), ("held", "held"), ("off", "skipped")]
        )
    assert Event.objects.get(message_id="few-0").email == "ann@example.com"
    row = Delivery.objects.get(event__message_id="few-7", connector__name="on")
    assert row.next_attempt_at == row.created_at == Event.objects.get(message_id="few-7").received_at


def test_few_events_go_by_the_configuration_as_it_is_now(make_source: MakeSource, make_connector: Any) -> None:
    """What this process read last may be yesterday's: nothing is stored by it."""
    source, key = make_source()
    connector = make_connector("on", source)
    assert_taken(post("/v1/track", track(messageId="before"), key))
    connector.status = "paused"
    connector.save()
    assert_taken(post("/v1/track", track(messageId="after"), key))
    found = dict(Delivery.objects.values_list("event__message_id", "status"))
    assert found == {"before": "waiting", "after": "held"}
