"""Times are told by the reader's clock, which their browser names in a cookie; without it by the installation's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from config.models import ApiToken
from deliveries.admin import over_time
from deliveries.models import Delivery, Event, Replay
from deliveries.tally import Tally
from integrations import clock, installation
from integrations.models import Connector
from integrations.templatetags.console import when
from tests import rows
from tests.console import delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 20, 32, 5, tzinfo=UTC)  # 02:02:05 of the next day in Kolkata
HOUR = timedelta(hours=1)


def reader(zone: str, role: str = "owner") -> Client:
    client = person(role)
    client.cookies["timezone"] = zone
    return client


def page(path: str, zone: str = "", role: str = "owner") -> str:
    return (reader(zone, role) if zone else person(role)).get(path).content.decode()


@pytest.mark.parametrize(
    ("zone", "short", "full"),
    [
        ("Asia/Kolkata", "02:02", "02 Mar 2026 02:02:05 IST"),
        ("America/Sao_Paulo", "17:32", "01 Mar 2026 17:32:05 UTC-03"),
        ("", "20:32 UTC", "01 Mar 2026 20:32:05 UTC"),
        ("Mars/Phobos", "20:32 UTC", "01 Mar 2026 20:32:05 UTC"),
        ("../../etc/passwd", "20:32 UTC", "01 Mar 2026 20:32:05 UTC"),
        ("America", "20:32 UTC", "01 Mar 2026 20:32:05 UTC"),
        ("x" * 4000, "20:32 UTC", "01 Mar 2026 20:32:05 UTC"),
    ],
)
def test_sentences_and_full_times_are_in_the_readers_zone(zone: str, short: str, full: str) -> None:
    m = made()
    event = event_of(m.source, 9, received_at=AT)
    retrying = delivery_of(event, m.connector, "retrying", "service_error", attempts=1)
    Delivery.objects.filter(pk=retrying.pk).update(next_attempt_at=AT)
    html = page(f"/deliveries/{retrying.pk}/", zone)
    assert f"the next one is at {short} on " in html
    assert f'<time datetime="2026-03-01T20:32:05+00:00">{full}</time>' in html


def test_a_database_that_does_not_answer_is_told_of_by_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    client, asked = person("owner"), []

    def fails(*args: object) -> None:
        asked.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr("integrations.installation.Installation.current", fails)
    assert client.get("/deliveries/").status_code == 200
    assert len(asked) == 1


def test_two_readers_of_one_moment_are_told_by_their_own_clocks_and_the_api_in_utc() -> None:
    m = made()
    Connector.objects.filter(pk=m.paused.pk).update(status_by="Ann", status_at=AT)
    path = f"/connectors/{m.paused.pk}/"
    assert "Paused by Ann, 2 Mar 02:02." in page(path, "Asia/Kolkata")
    assert "Paused by Ann, 1 Mar 21:32." in page(path, "Europe/Berlin")
    assert "Paused by Ann, 1 Mar 20:32 UTC." in page(path)
    token = ApiToken.issue("t", "viewer")[1]
    api = Client(headers={"authorization": f"Bearer {token}", "cookie": "timezone=Asia/Kolkata"})
    found = {row["id"]: row["health_reason"] for row in api.get("/api/v1/connectors/").json()["results"]}
    assert found[m.paused.pk] == "Paused by Ann, 1 Mar 20:32 UTC."


def test_the_installations_zone_is_told_where_the_readers_is_not_known_and_is_named() -> None:
    m = made()
    Connector.objects.filter(pk=m.paused.pk).update(status_by="Ann", status_at=AT)
    installation.save(address="", time_zone="Asia/Kolkata")
    html = page(f"/connectors/{m.paused.pk}/")
    assert "Paused by Ann, 2 Mar 02:02 IST." in html
    assert "Resume by itself at <span data-zone>(Asia/Kolkata)</span>" in page(f"/connectors/{m.connector.pk}/")
    assert "Resume by itself at <span class" in page(f"/connectors/{m.connector.pk}/", "Europe/Berlin")
    assert "Times are in Asia/Kolkata" in page("/")
    assert "Times are in" not in page("/", "Europe/Berlin")


def test_between_two_times_of_the_readers_clock() -> None:
    m = made()
    Delivery.objects.filter(pk=m.failed.pk).update(created_at=AT)
    inside, outside = "?since=2026-03-02T02:02&until=2026-03-02T02:03", "?since=2026-03-01T20:32&until=2026-03-01T20:33"
    for path, zone, found in (
        (inside, "Asia/Kolkata", True),
        (outside, "Asia/Kolkata", False),
        (outside, "", True),
        ("?since=2026-03-01T20:32:00Z&until=2026-03-01T20:33Z", "Asia/Kolkata", True),  # as a link may say it
    ):
        html = page(f"/deliveries/{path}", zone)
        assert (f'data-href="/deliveries/{m.failed.pk}/"' in html) is found, (path, zone)
    assert "<summary>Between: 2 Mar 02:02 and 2 Mar 02:03</summary>" in page(f"/deliveries/{inside}", "Asia/Kolkata")
    assert "<summary>Until: 1 Mar 20:33</summary>" in page("/deliveries/?until=2026-03-01T20:33")
    assert "<summary>Between</summary>" in page("/deliveries/")
    html = page("/deliveries/?since=2026-03-01T20:32:00Z", "Asia/Kolkata")
    assert "<summary>From: 2 Mar 02:02</summary>" in html
    assert '<a href="?">Any time</a>' in html
    assert 'name="since" value="2026-03-02T02:02"' in html
    assert '<label for="since">From</label>' in html
    assert '<label for="since">From <span data-zone>(UTC)</span></label>' in page("/deliveries/")
    asked = page(f"/replays/new/{inside}&status=failed", "Asia/Kolkata")
    assert "failed · since 02 Mar 2026 02:02 · until 02 Mar 2026 02:03" in asked
    assert 'name="since" value="2026-03-01T20:32:00+00:00"' in asked  # so a replay means the same to everybody
    row = Replay.objects.create(state="done", filters={"since": "2026-03-01T20:32:00+00:00"})
    assert "<h1>Replay: since 01 Mar 2026 21:32</h1>" in page(f"/replays/{row.pk}/", "Europe/Berlin")
    assert "<h1>Replay: since 01 Mar 2026 20:32 UTC</h1>" in page(f"/replays/{row.pk}/")


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2026-10-25T02:00", "2026-10-25T03:00", {0, 1}),  # 02:30 is there twice
        ("2026-10-25T01:00", "2026-10-25T01:59", set()),
        ("2026-10-25T03:00", "2026-10-25T04:00", {2}),
        ("2026-10-25T02:40", "2026-10-25T03:00", {1}),
        ("2026-10-25T01:00", "2026-10-25T02:00", {0}),  # and so is 02:00: the wider range
    ],
)
def test_between_where_clocks_go_back(since: str, until: str, found: set[int]) -> None:
    m = made()
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, and so an hour later
    made_at = [
        delivery_of(event_of(m.source, 50 + n, received_at=first + HOUR * n), m.connector, "failed") for n in (0, 1, 2)
    ]
    html = page(f"/deliveries/?since={since}&until={until}", "Europe/Berlin")
    assert {n for n, row in enumerate(made_at) if f'data-href="/deliveries/{row.pk}/"' in html} == found


def test_what_is_no_time_is_said_in_words() -> None:
    html = page("/deliveries/?since=yesterday", "Asia/Kolkata")
    assert "Between: “yesterday” is not a date and time such as 2026-11-22 09:10." in html
    for odd in ("0001-01-01T00:00", "9999-12-31T23:59", "²", "2026-13-01"):
        assert person("owner").get("/deliveries/", {"since": odd}).status_code == 200


def test_a_connector_resumes_by_the_clock_of_who_paused_it() -> None:
    m, tomorrow = made(), timezone.now() + timedelta(days=1)
    typed = f"{tomorrow.astimezone(ZoneInfo('Asia/Kolkata')):%Y-%m-%dT%H:%M}"
    reader("Asia/Kolkata").post(f"/connectors/{m.connector.pk}/pause/", {"resume_at": typed})
    m.connector.refresh_from_db()
    assert m.connector.resume_at == tomorrow.replace(second=0, microsecond=0)


def test_exports_are_in_utc() -> None:
    m = made()
    Event.objects.filter(pk=m.failed.event_id).update(received_at=AT)
    answer = reader("Asia/Kolkata").get("/deliveries/export/")
    assert "2026-03-01T20:32:05+00:00" in b"".join(answer).decode()


@pytest.mark.parametrize(
    ("zone", "day", "note"),
    [
        ("UTC", "24 Oct", ""),
        ("Europe/Berlin", "25 Oct", ""),
        ("Asia/Kolkata", "25 Oct", "Counts are kept by the hours of UTC, so here a day begins at 00:30"),
    ],
)
def test_days_of_the_chart_are_the_readers(zone: str, day: str, note: str) -> None:
    """The day of 25 hours and the one before are whole, and no hour is counted twice or lost."""
    now = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
    rows.delivery(rows.connector(), "delivered", created_at=datetime(2026, 10, 24, 22, 10, tzinfo=UTC))
    Tally.objects.bulk_create(
        Tally(hour=datetime(2026, 10, 25, 2, tzinfo=UTC) + HOUR * n, status="failed", count=1) for n in range(48)
    )
    with clock.told_in(ZoneInfo(zone), own=True):
        found = over_time.bars(over_time.RANGES["30d"], now)
        assert over_time.note(over_time.RANGES["30d"], now) == note
    assert len(found) == 30
    assert sum(bar.counts.get("failed", 0) for bar in found) == 48
    Tally.objects.all().delete()
    cache.clear()
    with clock.told_in(ZoneInfo(zone), own=True):
        found = over_time.bars(over_time.RANGES["30d"], now)
    assert [bar.label for bar in found if bar.counts.get("delivered")] == [day]


def test_hours_of_the_chart_are_cut_where_hours_are_counted() -> None:
    now = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
    rows.delivery(rows.connector(), "delivered", created_at=now)
    with clock.told_in(ZoneInfo("Asia/Kolkata"), own=True):
        hours = over_time.bars(over_time.RANGES["24h"], now)
        assert [bar.label for bar in hours if bar.total] == ["19:30"]
    for zone, label in (("Asia/Kolkata", "03 Nov 18:00"), ("America/New_York", "03 Nov 06:00")):
        with clock.told_in(ZoneInfo(zone), own=True):
            assert [bar.label for bar in over_time.bars(over_time.RANGES["7d"], now) if bar.total] == [label]


def test_a_day_is_the_readers() -> None:
    with clock.told_in(ZoneInfo("Asia/Tokyo"), own=True):
        assert ">2 Mar" in when(AT)
    assert ">1 Mar" in when(AT)


def test_short_times_name_another_day() -> None:
    with clock.told_in(ZoneInfo("Asia/Tokyo"), own=True):
        assert clock.short(AT) == "05:32"
        assert clock.short(AT, now=datetime(2026, 3, 2, 1, 0, tzinfo=UTC)) == "05:32"
        assert clock.short(AT, now=datetime(2026, 3, 1, 1, 0, tzinfo=UTC)) == "05:32 on 2 March"
    assert clock.short(AT, now=datetime(2026, 3, 2, 1, 0, tzinfo=UTC)) == "20:32 UTC on 1 March"
    assert clock.short(datetime(2026, 3, 1, 20, 32)) == "20:32 UTC"  # noqa: DTZ001 - a naive time is taken for UTC
