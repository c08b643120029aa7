"""Replays of many at a speed that a person chose."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from deliveries import pace, queue, replay
from deliveries.admin.figures import speed_of
from deliveries.models import Delivery, Replay
from integrations.models import Connector
from integrations.templatetags.console import per_second
from tests.api import Api, refused
from tests.console import person
from tests.rows import T0, connector, delivery

pytestmark = pytest.mark.django_db
GAP = timedelta(seconds=6)  # of ten a minute


@pytest.fixture
def to() -> Connector:
    return connector()


class Clock:
    """What the replay takes for now; each test moves it by hand."""

    def __init__(self) -> None:
        self.at = timezone.now().replace(microsecond=0)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(replay.timezone, "now", found.now)
    monkeypatch.setattr(queue, "wake", lambda *_: True)
    return found


def moments(job: Replay) -> list[datetime | None]:
    rows = Delivery.objects.filter(replay=job, status="waiting").order_by("id")
    return list(rows.values_list("next_attempt_at", flat=True))


def send(job: Replay, count: int) -> None:
    """Stand in for the workers: the next ones are delivered."""
    ids = Delivery.objects.filter(replay=job, status="waiting").order_by("next_attempt_at").values_list("id", flat=True)
    Delivery.objects.filter(id__in=list(ids[:count])).update(status="delivered", next_attempt_at=None, finished_at=T0)


def advance(job: Replay, at: datetime) -> None:
    replay.advance(job.pk, at, patience=0)


def begun(count: int, to: Connector, clock: Clock, per_minute: int = 10) -> Replay:
    for _ in range(count):
        delivery(to, "failed")
    job = replay.start({}, by="Ann", per_minute=per_minute)
    advance(job, clock.at)
    return job


def test_each_gets_its_moment_and_the_sweep_makes_more(to: Connector, clock: Clock) -> None:
    start = clock.at
    job = begun(50, to, clock)
    assert moments(job) == [start + GAP * index for index in range(20)]  # the first few of every replay
    send(job, 10)
    clock.at = start + timedelta(minutes=1)
    advance(job, clock.at)
    assert moments(job) == [start + GAP * index for index in range(10, 30)]
    assert [replay.progress(job)[name] for name in ("per_minute", "seconds", "made")] == [10, 240.0, 0]


def test_no_more_is_made_than_two_minutes_take(to: Connector, clock: Clock) -> None:
    """However much has come to an end already."""
    job = begun(200, to, clock)
    for _ in range(5):
        send(job, 20)
        advance(job, clock.at)
    job.refresh_from_db()
    assert (job.made, job.next_moment) == (21, clock.at + GAP * 21)


def test_what_could_not_be_sent_at_its_moment_makes_no_burst(to: Connector, clock: Clock) -> None:
    job = begun(20, to, clock)  # all of them are made, so that only the late ones matter
    send(job, 2)
    clock.at += timedelta(minutes=5)
    advance(job, clock.at)
    assert moments(job) == [clock.at + GAP * index for index in range(18)]


def test_it_ends_and_stops_as_any_other(to: Connector, clock: Clock) -> None:
    job = begun(5, to, clock)
    send(job, 5)
    advance(job, clock.at)
    job.refresh_from_db()
    assert (job.state, job.made, replay.progress(job)["seconds"]) == ("done", 5, None)
    other = begun(3, connector("other"), clock)
    replay.stop(other, by="Ann")
    assert (other.state, moments(other)) == ("stopped", [])


def test_without_a_speed_all_are_due_at_once(to: Connector, clock: Clock) -> None:
    for _ in range(3):
        delivery(to, "failed")
    job = replay.start({}, by="Ann")
    advance(job, clock.at)
    assert moments(job) == [clock.at] * 3
    assert (job.per_minute, replay.progress(job)["seconds"]) == (None, None)


@pytest.mark.parametrize("speed", ["0", "1.5", "fast", "60001"])
def test_a_speed_that_is_none_starts_nothing(to: Connector, speed: str) -> None:
    delivery(to, "failed")
    with pytest.raises(ValueError, match=r"^Events a minute: "):
        replay.start({}, by="Ann", per_minute=speed)
    assert not Replay.objects.exists()


def test_no_faster_than_its_connector_allows(to: Connector) -> None:
    Connector.objects.update(rate_limit_per_second=10)
    delivery(to, "failed")
    with pytest.raises(ValueError, match="Events a minute: 601 is more than the 600 that warehouse takes"):
        replay.start({"connector": "warehouse"}, by="Ann", per_minute=601)
    assert replay.start({"connector": str(to.pk)}, by="Ann", per_minute=600).per_minute == 600


def test_the_page_asks_for_it_and_keeps_the_choices_after_a_mistake(to: Connector) -> None:
    for _ in range(2):
        delivery(to, "failed")
    client = person("operator")
    page = client.get("/replays/new/?status=failed").content.decode()
    assert 'name="per_second" min="0.02" max="1000.00"' in page
    assert "1 per second would take about 2 s." in page
    data = {"status": "failed", "as_sent": "1", "per_second": "0", "email": "a@b.example"}
    answer = client.post("/replays/start/", data, follow=True)
    assert answer.redirect_chain == [("/replays/new/?status=failed&email=a%40b.example&as_sent=1", 302)]
    assert (
        "“0” is not a number such as 10 or 0.5, from 0.02 to 1\u00a0000. Nothing was started."
        in answer.content.decode()
    )
    assert not Replay.objects.exists()
    assert "of a@b.example" in answer.content.decode()  # as it was asked for, and no wider
    answer = client.post("/replays/start/", {"status": "failed", "per_second": "0,5"}, follow=True)
    assert Replay.objects.get().per_minute == 30
    assert "· 0.5 per second · about 4 s left" in answer.content.decode()


def test_scripts_choose_it_too(to: Connector) -> None:
    delivery(to, "failed")
    api = Api("operator")
    assert refused(api.post("replays/", {"status": "failed", "per_minute": 0}), 400).startswith("per_minute: ")
    status, body = api.post("replays/", {"status": "failed", "per_minute": 5})
    assert (status, body["per_minute"]) == (201, 5)


@pytest.mark.parametrize(
    ("text", "speed"),
    [("10", 600), ("0.5", 30), ("0,02", 1), ("1000", 60_000), (" 2. ", 120), ("", None), (None, None)],
)
def test_people_choose_it_per_second(text: str | None, speed: int | None) -> None:
    assert pace.typed(text) == speed


@pytest.mark.parametrize("text", ["0", "0.001", "1001", "-1", "1e3", "²", ".", "fast", "9" * 400])
def test_what_is_no_speed_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Events per second: “.* is not a number such as 10 or 0.5, from 0.02"):
        pace.typed(text)


def test_more_than_its_connector_allows_is_refused_in_words() -> None:
    words = "Events per second: 11 is more than the 10 that warehouse takes by its own limit."
    with pytest.raises(ValueError, match=f"^{words}$"):
        pace.typed("11", 600, "warehouse")
    assert pace.typed("0.52", 31, "warehouse") == 31


def test_a_speed_is_said_per_second_and_what_it_means() -> None:
    """It is kept by the minute."""
    assert [per_second(speed) for speed in (1, 30, 90, 600, 60_000)] == ["0.02", "0.5", "1.5", "10", "1\u00a0000"]
    free = {"most": 60_000, "highest": "1000.00", "limited": False}
    assert speed_of(100, None) == {**free, "example": (60, 100.0)}
    assert speed_of(3600, None) == {**free, "example": (600, 360.0)}  # an hour is long: a higher one
    assert speed_of(3600, 90) == {"most": 90, "highest": "1.50", "limited": True, "example": (90, 2400.0)}
