"""What is too old for its service to recognise it when it is replayed: counted before, and said of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deliveries import replay
from deliveries.models import Delivery
from integrations import registry
from integrations.models import Connector
from tests.api import Api
from tests.console import person
from tests.rows import connector, delivery, event

pytestmark = pytest.mark.django_db
NOW = timezone.now()
PAST = NOW - timedelta(hours=24, seconds=1)
WITHIN = NOW - timedelta(hours=23)


def service(vendor: str, name: str = "") -> Connector:
    return connector(name or vendor, vendor, settings={})


def failed(to: Connector, when: Any, cause: str = "gave_up", **more: Any) -> Delivery:
    return delivery(to, "failed", cause=cause, created_at=when, **more)


def outside(**filters: Any) -> list[tuple[str, str, int, int]]:
    own = {name: filters.pop(name) for name in ("as_sent", "include_delivered") if name in filters}
    rows = replay.preview(filters, now=NOW, **own)["outside_dedupe_window"]
    return [(row["vendor"], row["service"], row["hours"], row["count"]) for row in rows]


def test_how_long_each_service_says_that_it_remembers() -> None:
    said = {slug: vendor.remembers_ids for slug, vendor in registry.vendors().items() if vendor.sends}
    day = timedelta(hours=24)
    assert {slug: window for slug, window in said.items() if window} == {"segment": day, "suprsend": day}
    assert set(said) == {"segment", "suprsend", "novu", "hello_customer", "webhook", "practice"}


def test_of_what_failed_that_counts_which_may_have_arrived_too_long_ago() -> None:
    to = service("segment")
    for cause in ("gave_up", "timeout", "service_error", "unreachable"):
        failed(to, PAST, cause)
    for cause in ("key_refused", "data_refused", "not_found", "mapping_missing", "internal"):
        failed(to, PAST, cause)
    delivery(to, "skipped", cause="switched_off", created_at=PAST)
    failed(to, WITHIN)
    assert replay.preview({}, now=NOW)["total"] == 10
    assert outside() == [("segment", "Segment", 24, 4)]
    assert outside(cause="gave_up,key_refused") == [("segment", "Segment", 24, 1)]
    assert outside(cause="key_refused") == []


def test_the_window_ends_to_the_moment() -> None:
    to = service("segment")
    failed(to, NOW - timedelta(hours=24, microseconds=1))
    failed(to, NOW - timedelta(hours=24))
    assert outside() == [("segment", "Segment", 24, 1)]


def test_a_delivered_event_is_remembered_from_its_delivery() -> None:
    to = service("suprsend")
    delivery(to, "delivered", created_at=PAST, finished_at=PAST)
    delivery(to, "delivered", created_at=PAST, finished_at=WITHIN)  # it was held until then
    failed(to, PAST)
    assert outside(status="delivered") == [("suprsend", "SuprSend", 24, 1)]
    assert outside(include_delivered=True) == [("suprsend", "SuprSend", 24, 2)]
    assert outside() == [("suprsend", "SuprSend", 24, 1)]


def test_connectors_of_one_service_are_counted_together_and_events_once() -> None:
    one, two, other = service("segment", "one"), service("segment", "two"), service("suprsend")
    first = failed(one, PAST)
    failed(one, PAST, event=first.event, replay_of=first)
    failed(two, PAST, event=first.event)
    failed(other, PAST, event=first.event)
    assert replay.preview({}, now=NOW)["total"] == 3
    assert outside() == [("segment", "Segment", 24, 2), ("suprsend", "SuprSend", 24, 1)]
    assert outside(connector="two") == [("segment", "Segment", 24, 1)]


@pytest.mark.parametrize("vendor", ["novu", "hello_customer", "webhook", "practice"])
def test_of_a_service_without_a_window_nothing_is_said(vendor: str) -> None:
    to = service(vendor)
    failed(to, PAST)
    assert outside() == []
    row = delivery(to, "delivered", created_at=PAST)
    assert "older than" not in page(f"/deliveries/{row.pk}/")
    assert "older than" not in page("/replays/new/?status=failed")


def test_what_goes_to_a_removed_connector_is_not_counted() -> None:
    to = service("segment")
    failed(to, PAST)
    Connector.objects.update(archived_at=NOW)
    assert replay.preview({}, now=NOW)["total"] == 1
    assert outside() == []


def test_the_api_gives_the_same() -> None:
    failed(service("segment"), PAST)
    body = Api("operator").post("replays/", {"status": "failed", "preview": True})[1]
    assert body["outside_dedupe_window"] == [{"vendor": "segment", "service": "Segment", "hours": 24, "count": 1}]


def page(path: str) -> str:
    return person("operator").get(path).content.decode()


def test_the_preview_says_it_in_a_line_for_each_service() -> None:
    to, other = service("segment"), service("suprsend")
    for _ in range(2):
        failed(to, PAST)
    failed(other, PAST)
    html = page("/replays/new/?status=failed")
    assert (
        "2 events that may have arrived are older than the 24 hours for which Segment recognises a repeated event: "
        "a person who already got one may get it again." in html
    )
    assert (
        "1 event that may have arrived is older than the 24 hours for which SuprSend recognises a repeated event: "
        "a person who already got it may get it again." in html
    )
    assert html.count("older than the 24 hours") == 2
    assert "older than" not in page("/replays/new/?status=failed&cause=timeout")


def test_of_more_than_were_looked_at_the_older_ones_may_be_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.admin.replays.LOOKED_AT", 1)
    for _ in range(2):
        failed(service("segment", f"s{_}"), WITHIN, event=event("Order"), attempts=1)
    html = page("/replays/new/?event=Order")
    assert "<h1>Replay at least 1 event" in html.replace("\u00a0", " ")
    assert "Only the newest 1 were looked at" in html
    assert '<a href="?event=Order&amp;count=all">Count all of them</a>' in html
    counting = page("/replays/new/?event=Order&count=all")
    assert 'data-poll="/replays/new/count/?event=Order"' in counting
    assert "Count all of them" not in counting
    assert "Replay all of them</button>" in counting
    exact = person("operator").get("/replays/new/count/?event=Order")
    assert exact["X-Done"] == "1"
    assert "All of them: 2 events." in exact.content.decode().replace("\u00a0", " ")
    assert "older than" not in exact.content.decode()  # both are younger, which is known now
    assert "status: " in person("operator").get("/replays/new/count/?status=nope").content.decode().lower()
    assert "Events that may have arrived and are older than the 24 hours for which Segment recognises" in html
    assert "Replay all of them</button>" in html
    assert "older than" not in page("/replays/new/?event=Order&cause=key_refused")
    assert "older than" not in page("/replays/new/?status=failed")
    Delivery.objects.update(cause="key_refused")
    assert "older than" not in page("/replays/new/?event=Order&cause=key_refused")


def test_what_is_a_week_old_is_looked_for_under_its_own_time() -> None:
    words = "Segment keeps the time at which an event happened: look for the oldest under"
    to, other = service("segment"), service("novu")
    old = event("Old", received_at=NOW - timedelta(days=8))
    failed(to, WITHIN, event=event("New", received_at=NOW - timedelta(days=6)))
    failed(other, WITHIN, event=event("Other", received_at=NOW - timedelta(days=8)))
    assert words not in page(f"/replays/new/?connector={to.pk}")
    assert "keeps the time" not in page(f"/replays/new/?connector={other.pk}")
    failed(to, WITHIN, event=old)
    assert words in page(f"/replays/new/?connector={to.pk}")


def test_where_none_of_the_newest_needs_it_the_older_ones_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.admin.replays.LOOKED_AT", 1)
    to = service("segment")
    failed(to, WITHIN, event=event("Order"))
    resent = failed(to, WITHIN, event=event("Order"))
    delivery(to, "delivered", event=resent.event, replay_of=resent)
    assert "Replay all of them</button>" in page("/replays/new/?event=Order")


def test_the_tick_for_delivered_ones_is_there_where_it_changes_something() -> None:
    delivery(service("segment"), "failed", cause="timeout")
    ticks = {query: "include_delivered" in page(f"/replays/new/?{query}") for query in ("", "range=24h", "view=look")}
    assert ticks == {"": True, "range=24h": True, "view=look": False}
    assert "include_delivered" not in page("/replays/new/?cause=timeout")


def test_the_count_takes_no_query_of_its_own() -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as seen:
            replay.preview({}, now=NOW)
        return len(seen)

    to = service("segment")
    failed(to, WITHIN)
    replay.preview({})
    within = queries()
    for _ in range(20):
        failed(to, PAST)
    assert queries() == within


@pytest.mark.parametrize(
    ("status", "created", "finished", "said"),
    [
        ("delivered", PAST, WITHIN, "so Segment drops it if it has it already."),
        ("failed", WITHIN, WITHIN, "so Segment drops it if it has it already."),
        ("delivered", PAST, PAST, None),
        ("failed", PAST, WITHIN, None),
    ],
)
def test_before_a_replay_of_one_the_words_follow_its_age(status: str, created: Any, finished: Any, said: Any) -> None:
    cause = "gave_up" if status == "failed" else ""
    row = delivery(service("segment"), status, cause=cause, created_at=created, finished_at=finished)
    older = (
        "but it is older than the 24 hours for which Segment recognises a repeated event: if Segment has it already, "
        "the person may get it twice."
    )
    html = page(f"/deliveries/{row.pk}/")
    assert f"It keeps its message ID, {said or older}" in html
    assert ("older than" in html) is (said is None)


@pytest.mark.parametrize(("cause", "twice"), [("key_refused", False), ("timeout", True)])
def test_what_was_refused_cannot_reach_anybody_twice(cause: str, twice: bool) -> None:
    to = connector("To")  # a webhook: it does not recognise what it has
    delivery(to, "failed", cause=cause)
    page = person("operator").get(f"/replays/new/?status=failed&cause={cause}").content.decode()
    assert ("To does not recognise repeated events: people may get something twice." in page) is twice
