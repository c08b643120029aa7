"""Sending what was held: at a chosen speed, without what is too old, and how far it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries import hold, problems, queue, release, upkeep
from deliveries.engine.claim import claim
from deliveries.engine.share import Want
from deliveries.models import Delivery, Resumption
from integrations import history
from integrations.models import Connector
from tests.api import Api, refused
from tests.console import person
from tests.rows import T0, connector, delivery

pytestmark = pytest.mark.django_db
GAP = timedelta(seconds=6)  # of ten a minute


@pytest.fixture
def to() -> Connector:
    return connector(status="paused")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The moment at which everything happens; no queue is there to be woken."""
    moment = timezone.now().replace(microsecond=0)
    monkeypatch.setattr(hold.timezone, "now", lambda: moment)
    monkeypatch.setattr(queue, "wake", lambda *_: True)
    return moment


def held(to: Connector, count: int, **fields: Any) -> list[int]:
    return [delivery(to, "held", cause="paused", **fields).pk for _ in range(count)]


def moments() -> list[tuple[int, datetime | None]]:
    rows = Delivery.objects.filter(status="waiting").order_by("next_attempt_at")
    return list(rows.values_list("id", "next_attempt_at"))


def seen(to: Connector, now: datetime) -> tuple[Any, ...] | None:
    found = release.progress_of(Connector.objects.get(pk=to.pk), now)
    return found and tuple(found[name] for name in ("sent", "total", "held", "seconds", "running"))


def send(count: int) -> None:
    """Stand in for the workers: the next ones are delivered."""
    ids = [row_id for row_id, _ in moments()[:count]]
    Delivery.objects.filter(id__in=ids).update(status="delivered", next_attempt_at=None, finished_at=T0, attempts=1)


def test_each_gets_its_moment_oldest_first_and_the_sweep_gives_out_more(to: Connector, at: datetime) -> None:
    ids = held(to, 50)
    assert hold.resume(to, by="Ann", per_minute=10) == {"released": 50, "discarded": 0}
    assert moments() == [(ids[index], at + GAP * index) for index in range(21)]  # two minutes, both ends
    assert seen(to, at) == (0, 50, 29, 300.0, True)
    upkeep.sweep(at)
    assert len(moments()) == 21
    send(10)
    upkeep.sweep(at + timedelta(minutes=1))
    assert moments() == [(ids[index], at + GAP * index) for index in range(10, 31)]
    assert seen(to, at) == (10, 50, 19, 240.0, True)


def test_only_what_has_its_moment_is_due(to: Connector, at: datetime) -> None:
    ids = held(to, 5)
    hold.resume(to, by="Ann", per_minute=10)
    taken = claim([Want(to.pk, 0, 100)], "drain", at + timedelta(seconds=13))
    assert [row.id for row in taken] == ids[:3]


def test_what_could_not_be_sent_at_its_moment_makes_no_burst(to: Connector, at: datetime) -> None:
    """The service rested for five minutes: what should have gone meanwhile goes at the same speed afterwards."""
    ids = held(to, 40)
    hold.resume(to, by="Ann", per_minute=10)
    send(2)
    later = at + timedelta(minutes=5)
    upkeep.sweep(later)
    assert moments() == [(ids[index + 2], later + GAP * index) for index in range(21)]


def test_it_ends_when_all_are_on_their_way(to: Connector, at: datetime) -> None:
    held(to, 3)
    hold.resume(to, by="Ann", per_minute=60_000)
    assert seen(to, at) == (0, 3, 0, 0.003, True)
    delivery(to, "waiting", created_at=at + timedelta(seconds=1))  # came in afterwards
    send(3)
    Delivery.objects.filter(created_at__gt=at).update(status="waiting", next_attempt_at=at)
    assert seen(to, at) == (3, 3, 0, 0.0, False)
    upkeep.sweep(at)
    assert Resumption.objects.get().ended_at == at
    assert seen(to, at) is None


def test_as_fast_as_it_takes_them_has_a_progress_too(to: Connector, at: datetime) -> None:
    ids = held(to, 4)
    assert hold.resume(to, by="Ann") == {"released": 4, "discarded": 0}
    assert moments() == [(ids[index], at - timedelta(microseconds=4 - index)) for index in range(4)]
    assert seen(to, at) == (0, 4, 0, None, True)
    send(1)
    assert seen(to, at + timedelta(seconds=2)) == (1, 4, 0, 6.0, True)


def overdue(now: datetime) -> list[int | None]:
    problems.check(now, lambda *_: None)
    return list(problems.Problem.objects.filter(kind="overdue", state="open").values_list("connector_id", flat=True))


def test_what_was_held_for_long_is_not_overdue_while_it_is_worked_off(to: Connector, at: datetime) -> None:
    held(to, 4)  # since T0, which is long ago
    hold.resume(to, by="Ann")
    assert overdue(at + timedelta(minutes=1)) == []
    send(1)
    later = at + timedelta(minutes=30)
    Delivery.objects.filter(status="delivered").update(finished_at=later - timedelta(minutes=9))
    assert overdue(later) == []  # it is slow, but it moves
    assert overdue(later + timedelta(minutes=2)) == [to.pk]


def test_pausing_in_between_keeps_the_rest(to: Connector, at: datetime) -> None:
    held(to, 50)
    hold.resume(to, by="Ann", per_minute=10)
    assert hold.pause(to, by="Bob") == 21
    assert Delivery.objects.filter(status="held").count() == 50
    upkeep.sweep(at)
    assert (moments(), seen(to, at)) == ([], None)


def test_stopping_keeps_the_rest_and_a_new_choice_goes_on(to: Connector, at: datetime) -> None:
    held(to, 50)
    hold.resume(to, by="Ann", per_minute=10)
    send(1)
    hold.resume(to, by="Ann", backlog="keep")
    assert (Delivery.objects.filter(status="held").count(), moments(), seen(to, at)) == (49, [], None)
    assert hold.resume(to, by="Ann", per_minute=60) == {"released": 49, "discarded": 0}
    assert seen(to, at) == (0, 49, 0, 49.0, True)


def test_switching_off_in_between_skips_all(to: Connector, at: datetime) -> None:
    held(to, 50)
    hold.resume(to, by="Ann", per_minute=10)
    assert hold.switch_off(to, by="Ann") == 50
    release.advance_all(at)
    assert set(Delivery.objects.values_list("status", flat=True)) == {"skipped"}


def test_what_waits_for_its_moment_is_neither_too_old_nor_a_problem(to: Connector, at: datetime) -> None:
    old, now = held(to, 30, created_at=at - timedelta(days=7.9)), at + timedelta(hours=4)
    hold.resume(to, by="Ann", per_minute=1)
    assert hold.expire_held(now) == 0
    told: list[str] = []
    problems.check(now, lambda problem, _: told.append(problem.kind))
    assert "held" not in told
    hold.pause(to, by="Ann")
    assert hold.expire_held(now) == len(old)


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        ("0", "Events a minute: “0” is not a whole number from 1 to 60\u00a0000."),
        ("2.5", "Events a minute: “2.5” is not a whole number from 1 to 60\u00a0000."),
        ("60001", "Events a minute: “60001” is not a whole number from 1 to 60\u00a0000."),
        ("31", "Events a minute: 31 is more than the 30 that warehouse takes by its own limit."),
    ],
)
def test_a_speed_that_makes_no_sense_changes_nothing(to: Connector, speed: str, words: str) -> None:
    Connector.objects.update(rate_limit_per_second=0.5)
    to.refresh_from_db()
    held(to, 1)
    with pytest.raises(ValueError, match=r"^Events a minute") as refusal:
        hold.resume(to, by="Ann", per_minute=speed)
    assert str(refusal.value) == words
    assert (Connector.objects.get().status, Delivery.objects.get().status) == ("paused", "held")


def test_the_limit_counts_calls_and_a_call_may_carry_many(to: Connector) -> None:
    to.settings["batch_size"] = 20
    to.rate_limit_per_second = 0.5
    to.save()
    assert hold.resume(to, by="Ann", per_minute=600)["released"] == 0
    with pytest.raises(ValueError, match="more than the 600 that"):
        hold.resume(to, by="Ann", per_minute=601)


def test_what_is_too_old_is_thrown_away_with_a_reason(to: Connector, at: datetime) -> None:
    (old,) = held(to, 1, created_at=at - timedelta(hours=72, seconds=1))
    (young,) = held(to, 1, created_at=at - timedelta(hours=72))
    assert hold.resume(to, by="Ann", backlog="older", older_than_hours=72) == {"released": 1, "discarded": 1}
    row = Delivery.objects.get(pk=old)
    assert (row.status, row.cause, row.finished_at) == ("skipped", "paused", at)
    assert row.detail == "Thrown away by Ann when the connector was resumed: it was more than 3 days old."
    assert Delivery.objects.get(pk=young).status == "waiting"


def test_too_old_needs_an_age(to: Connector) -> None:
    held(to, 1)
    with pytest.raises(ValueError, match=r"^older_than_hours"):
        hold.resume(to, by="Ann", backlog="older")
    assert Connector.objects.get().status == "paused"


# The console


def test_the_form_counts_what_an_age_throws_away_before_asking(to: Connector) -> None:
    now = timezone.now()
    held(to, 2, created_at=now - timedelta(hours=30))
    held(to, 1, created_at=now - timedelta(hours=2))
    page = person("operator").get(f"/connectors/{to.pk}/").content.decode()
    assert '<option value="1">older than 1 hour: 3 events thrown away</option>' in page
    assert '<option value="6">older than 6 hours: 2 events thrown away</option>' in page
    assert '<option value="24">older than 24 hours: 2 events thrown away</option>' in page
    assert 'value="48"' not in page
    assert "1 per second would take about 3 s." in page


def test_what_is_kept_is_said_to_be_kept(to: Connector) -> None:
    held(to, 2)
    client = person("operator")
    said = []
    for backlog in ("keep", "keep", "discard", "send"):
        page = client.post(f"/connectors/{to.pk}/resume/", {"backlog": backlog}, follow=True)
        said.append(str(*page.context["messages"]).removesuffix(". New events are sent as they come in."))
    assert said == [
        "Resumed: what is held stays held",
        "Decided on what is held: what is held stays held",
        "Decided on what is held: 2 were thrown away",
        "Decided on what is held: nothing was held",
    ]
    assert [change.words for change in history.of(to)] == said[::-1]


def test_resume_in_the_console_shows_how_far_it_is(to: Connector) -> None:
    held(to, 40, created_at=timezone.now() - timedelta(hours=7))
    held(to, 60)
    client = person("operator")
    data = {"backlog": "older", "older_than": "24", "per_second": "0.2"}
    page = client.post(f"/connectors/{to.pk}/resume/", data, follow=True).content.decode()
    assert "Resumed: 40 held are being sent, 0.2 per second, 60 were thrown away." in page
    assert "0 of 40 sent · 0.2 per second · about 3 min left · resumed by Operator Jones" in page
    assert "Stop and keep the rest" in page
    live = client.get(f"/connectors/{to.pk}/resuming/")
    assert "0 of 40 sent" in live.content.decode()
    assert "X-Done" not in live
    client.post(f"/connectors/{to.pk}/resume/", {"backlog": "keep"})
    assert Delivery.objects.filter(status="held").count() == 40
    assert client.get(f"/connectors/{to.pk}/resuming/")["X-Done"] == "1"


def test_a_viewer_sees_how_far_it_is_and_stops_nothing(to: Connector) -> None:
    held(to, 40)
    hold.resume(to, by="Ann", per_minute=10)
    client = person("viewer")
    page = client.get(f"/connectors/{to.pk}/").content.decode()
    assert "0 of 40 sent" in page
    assert "Stop and keep the rest" not in page
    assert client.post(f"/connectors/{to.pk}/resume/", {"backlog": "keep"}).status_code == 403
    assert Resumption.objects.get().ended_at is None


def test_a_kept_delivery_does_not_say_that_its_connector_is_paused(to: Connector) -> None:
    (kept,) = held(to, 1)
    client = person("operator")
    assert "Waiting: the connector is paused." in client.get(f"/deliveries/{kept}/").content.decode()
    hold.resume(to, by="Ann", backlog="keep")
    page = client.get(f"/deliveries/{kept}/").content.decode()
    assert "Waiting: it was kept when the connector was resumed." in page
    assert "connector is paused" not in page


def test_the_api_takes_speed_and_age(to: Connector) -> None:
    held(to, 2)
    api = Api("operator")
    path = f"connectors/{to.pk}/resume/"
    assert refused(api.post(path, {"backlog": "older"}), 400).startswith("older_than_hours: ")
    assert refused(api.post(path, {"per_minute": 0}), 400).startswith("per_minute: ")
    status, body = api.post(path, {"backlog": "older", "older_than_hours": 24, "per_minute": 5})
    assert (status, body["released"], body["discarded"]) == (200, 0, 2)
