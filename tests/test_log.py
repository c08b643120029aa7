"""Filters and paging of the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from deliveries import log
from deliveries.models import Delivery
from tests.console import attempt_of
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db


def ids(filters: dict[str, Any]) -> list[int]:
    return [row.pk for row in log.page(log.deliveries(filters))[0]]


def test_no_filter_gives_everything_newest_first() -> None:
    to = connector()
    rows = [delivery(to) for _ in range(3)]
    assert ids({}) == [rows[2].pk, rows[1].pk, rows[0].pk]
    assert ids({"status": "", "cause": None}) == [rows[2].pk, rows[1].pk, rows[0].pk]


def test_statuses_may_be_several() -> None:
    to = connector()
    by_status = {
        status: delivery(to, status).pk
        for status in ("waiting", "sending", "retrying", "delivered", "failed", "held", "skipped")
    }
    for status, row_id in by_status.items():
        assert ids({"status": status}) == [row_id]
    assert ids({"status": "failed, held"}) == [by_status["held"], by_status["failed"]]
    assert ids({"status": ["failed", "delivered"]}) == [by_status["failed"], by_status["delivered"]]
    assert ids({"status": "waiting,sending"}) == [by_status["sending"], by_status["waiting"]]


def test_causes() -> None:
    to = connector()
    refused = delivery(to, "failed", cause="key_refused")
    filtered = delivery(to, "skipped", cause="filtered")
    delivery(to, "failed", cause="too_large")
    assert ids({"cause": "key_refused"}) == [refused.pk]
    assert ids({"cause": "key_refused,filtered"}) == [filtered.pk, refused.pk]
    assert ids({"cause": "key_refused,filtered", "status": "skipped"}) == [filtered.pk]


def test_event_by_id_or_name_and_the_id_wins() -> None:
    to, other = connector("first"), connector("second")
    bought = event("Bought")
    one, two = delivery(to, event=bought), delivery(other, event=bought)
    called = delivery(to, event=event("1234567"))
    delivery(to, event=event(str(bought.pk)))
    assert ids({"event": "Bought"}) == [two.pk, one.pk]
    assert ids({"event": str(bought.pk)}) == [two.pk, one.pk]
    assert ids({"event": bought.pk, "connector": "second"}) == [two.pk]
    assert ids({"event": "1234567"}) == [called.pk]


def test_connector_by_id_or_name_and_the_id_wins() -> None:
    first, second = connector("first"), connector("second")
    one, two = delivery(first), delivery(second)
    assert ids({"connector": "first"}) == [one.pk]
    assert ids({"connector": str(second.pk)}) == [two.pk]
    assert ids({"connector": second.pk}) == [two.pk]
    tricky = connector(str(first.pk))
    delivery(tricky)
    assert ids({"connector": str(first.pk)}) == [one.pk]


def test_event_is_the_name_or_the_type_of_a_nameless_one() -> None:
    to = connector()
    order = delivery(to, event=event("Order Completed"))
    identify = delivery(to, event=event("", "identify"))
    delivery(to, event=event("identify"))
    assert ids({"event": "Order Completed"}) == [order.pk]
    assert ids({"event": "identify"})[-1] == identify.pk
    assert ids({"event": "track"}) == []


def test_a_person_is_a_user_id_or_an_anonymous_id() -> None:
    to = connector()
    known = delivery(to, event=event(user_id="ann", anonymous_id="a-1"))
    unknown = delivery(to, event=event(user_id="", anonymous_id="a-2"))
    delivery(to, event=event(user_id="bob"))
    assert ids({"user_id": "ann"}) == [known.pk]
    assert ids({"user_id": "a-2"}) == [unknown.pk]
    assert ids({"user_id": "a-1"}) == [known.pk]  # the events of before and after somebody signed in
    assert [row.pk for row in log.page(log.events({"user_id": "a-2"}))[0]] == [unknown.event_id]


def test_an_answer_is_one_that_any_try_was_given() -> None:
    to = connector()
    refused, busy, fine, silent = (delivery(to, "failed") for _ in range(4))
    attempt_of(refused, 401)
    attempt_of(busy, 503)
    attempt_of(busy, 401, number=2)
    attempt_of(fine, 200)
    attempt_of(silent, 0, response_status=None)
    assert ids({"answer": "401"}) == [busy.pk, refused.pk]
    assert ids({"answer": "503, 400"}) == [busy.pk]
    assert ids({"answer": "200"}) == [fine.pk]
    assert ids({"answer": "401", "connector": to.name, "status": "delivered"}) == []


def test_message_id() -> None:
    to = connector()
    wanted = delivery(to, event=event(message_id="abc"))
    delivery(to)
    assert ids({"message_id": "abc"}) == [wanted.pk]


def test_since_is_inclusive_and_until_is_not() -> None:
    to = connector()
    rows = [delivery(to, created_at=T0 + timedelta(hours=hour)).pk for hour in range(3)]
    assert ids({"since": "2025-11-22T10:00:00Z"}) == [rows[2], rows[1]]
    assert ids({"until": "2025-11-22T10:00:00Z"}) == [rows[0]]
    assert ids({"since": "2025-11-22T11:00:00+01:00", "until": "2025-11-22T11:00:00"}) == [rows[1]]
    assert ids({"since": "2025-11-22T11:00:00 01:00"}) == [rows[2], rows[1]]  # the plus sign was not escaped
    assert ids({"since": "2025-11-23"}) == []


@pytest.mark.parametrize(
    ("filters", "begins"),
    [
        ({"status": "done"}, "status: “done” is not one of waiting, "),
        ({"status": "failed,done"}, "status: “done”"),
        ({"cause": "bad"}, "cause: “bad”"),
        ({"answer": "no"}, "answer: “no” is not a whole number above 0."),
        ({"answer": "99"}, "answer: “99” is not a number such as 401"),
        ({"connector": "nobody"}, "connector: there is none with the id or name “nobody”."),
        ({"connector": "9" * 40}, "connector: there is none"),
        ({"since": "yesterday"}, "since: “yesterday” is not a time"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until: "),
        ({"user_id": "a\x00b"}, "user_id: "),
        ({"message_id": "\ud800"}, "message_id: "),
        ({"event": {"a": 1}}, "event: a text was expected."),
        ({"status": True}, "status: a text was expected."),
        ({"conector": "x"}, "conector: there is no such filter"),
    ],
)
def test_bad_values_name_the_filter(filters: dict[str, Any], begins: str) -> None:
    with pytest.raises(ValueError, match=":") as caught:
        log.deliveries(filters)
    assert str(caught.value).startswith(begins)


def test_pages_go_by_id_without_counting(django_assert_num_queries: Any) -> None:
    to = connector()
    rows = [delivery(to).pk for _ in range(5)]
    with django_assert_num_queries(2):  # the ids, then the rows with what belongs to them
        first, cursor = log.page(log.deliveries({}), None, 2)
        assert [(row.connector.name, row.event.source.name) for row in first] == [("warehouse", "website")] * 2
    assert ([row.pk for row in first], cursor) == ([rows[4], rows[3]], str(rows[3]))
    second, cursor = log.page(log.deliveries({}), cursor, "2")
    assert ([row.pk for row in second], cursor) == ([rows[2], rows[1]], str(rows[1]))
    third, cursor = log.page(log.deliveries({}), cursor, 2)
    assert ([row.pk for row in third], cursor) == ([rows[0]], None)


def test_a_page_ends_exactly_at_the_end() -> None:
    to = connector()
    rows = [delivery(to).pk for _ in range(2)]
    found, cursor = log.page(log.deliveries({}), "", 2)
    assert ([row.pk for row in found], cursor) == (rows[::-1], None)


def test_limits() -> None:
    assert [log.parse_limit(value) for value in (None, "", 1, "500", 501, 10**6)] == [50, 50, 1, 500, 500, 500]
    for bad in (0, -1, "x", "1.5", "٣", True, 10**30):
        with pytest.raises(ValueError, match=r"^limit: "):
            log.parse_limit(bad)
    for bad in ("x", "-5", "0", "9" * 19):
        with pytest.raises(ValueError, match=r"^cursor: "):
            log.page(Delivery.objects.all(), bad)


def test_events_by_source_type_and_name() -> None:
    shop = source("shop")
    one = event("A", source=shop)
    two = event("B")
    three = event("", "identify")

    def found(**filters: str) -> list[int]:
        return [row.pk for row in log.page(log.events(filters))[0]]

    assert found() == [three.pk, two.pk, one.pk]
    assert found(source="shop") == found(source=str(shop.pk)) == [one.pk]
    assert found(type="track") == [two.pk, one.pk]
    assert found(type="track,identify", name="B") == [two.pk]
    assert found(message_id=three.message_id) == [three.pk]
    assert found(since="2025-11-22T09:00:00Z", until="2025-11-22T09:00:01Z") == [three.pk, two.pk, one.pk]
    with pytest.raises(ValueError, match=r"^type: “hello”"):
        log.events({"type": "hello"})
