"""Practice data in the console: offered where nothing is, said on every page, gone without a trace on one press; and
the replay of past identify events from a connector's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from config.roles import Role
from deliveries import health, practice, problems, replay, tally
from deliveries.admin import badges
from deliveries.alarm import Problem
from deliveries.engine.drain import Drain
from deliveries.engine.record import record
from deliveries.engine.send import SendFailed
from deliveries.models import Attempt, Delivery, Event, Lane, Replay
from integrations import history
from integrations.models import Connector, Source
from integrations.types import Cause
from tests.console import attempt_of, delivery_of, event_of, person

pytestmark = pytest.mark.django_db
EDITORS = {"editor", "owner"}
BANNER, LOAD, REMOVE = "All made up; nothing leaves this machine.", "Load practice data", "Remove practice data"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    for name in ("wake", "advance_replay", "practise"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)


def counts() -> dict[str, int]:
    """The rows of every table of ours, but for what people's visits leave."""
    ours = [model for app in ("integrations", "deliveries") for model in apps.get_app_config(app).get_models()]
    return {model._meta.label: model._default_manager.count() for model in ours}


@pytest.mark.parametrize("role", Role.values)
def test_the_empty_overview_offers_it_to_whom_may_load_it(role: str) -> None:
    page = person(role).get("/").content.decode()
    assert (LOAD in page) == (role in EDITORS)
    assert BANNER not in page


@pytest.mark.parametrize("role", Role.values)
def test_every_page_says_that_it_is_there(role: str) -> None:
    practice.load("Ann")
    for address in ("/", "/connectors/", "/deliveries/", "/problems/", "/settings/"):
        page = person(role).get(address).content.decode()
        assert BANNER in page
        assert (REMOVE in page) == (role in EDITORS)
        assert LOAD not in page


def test_sign_in_page_does_not_say_it(client: Any) -> None:
    practice.load("Ann")
    assert BANNER not in client.get("/login/").content.decode()


@pytest.mark.parametrize("role", Role.values)
def test_removed_by_role(role: str) -> None:
    practice.load("Ann")
    before = counts()
    answer = person(role).post(reverse("admin:practice_remove"))
    assert (answer.status_code, practice.loaded()) == ((302, False) if role in EDITORS else (403, True))
    assert role in EDITORS or counts() == before


def test_not_removed_by_get() -> None:
    practice.load("Ann")
    assert person("owner").get(reverse("admin:practice_remove")).status_code == 405
    assert practice.loaded()


def test_a_second_load_changes_nothing() -> None:
    practice.load("Ann")
    before = counts()
    practice.load("Ben")
    assert counts() == before


def test_removal_leaves_no_row_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    mine = Source.objects.create(name="website")
    own = Connector.objects.create(name="Own", vendor="webhook")
    failed = delivery_of(event_of(mine, 900), own, "failed", "key_refused")
    mixed = Replay.objects.create(state="done", total=2)
    delivery_of(event_of(mine, 901), own, "delivered", replay=mixed)
    history.record("Ann", own, "Paused")
    Problem.objects.create(connector=own, kind="key_refused", cause="key_refused", sample=failed)
    problems.rules(store=True)
    before = {**counts(), "deliveries.Tally": 0}

    practice.load("Ann")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    practice.send(8)
    source = Source.objects.get(name=practice.SOURCE)
    connector = Connector.objects.get(name__startswith="Hello Customer")
    assert Delivery.objects.filter(connector=connector).count() == 8
    bad = delivery_of(event_of(source, 1), connector, "failed", "key_refused")
    attempt_of(bad, 401)
    Problem.objects.create(connector=connector, kind="key_refused", cause="key_refused", sample=bad)
    history.record("Ann", connector, "Sent a test event: failed")
    history.record("Ann", source, "Changed name")
    Lane.objects.get_or_create(connector=connector)
    replay.start({"connector": str(connector.pk)}, by="Ann")
    replay.start_past_identifies(connector, by="Ann")
    delivery_of(event_of(source, 2), connector, "failed", replay=Replay.objects.create(state="done"))
    delivery_of(event_of(source, 3), connector, "failed", replay=mixed)
    delivery_of(event_of(source, 4), own, "delivered")  # practice events sent to a connector of one's own
    delivery_of(event_of(mine, 902), connector, "delivered")  # and the other way round
    Delivery.objects.filter(connector=connector).update(created_at=now - tally.HOUR)
    tally.refresh(now)
    source.name = "Renamed by somebody"
    source.save()

    assert person("owner").post(reverse("admin:practice_remove")).status_code == 302
    after = counts()
    assert set(tally.Tally.objects.values_list("count", flat=True)) <= {0}  # hours without any delivery, counted before
    before["deliveries.Event"] += 1  # 902 is an event of one's own
    assert {**after, "deliveries.Tally": 0} == before


def test_what_goes_wrong_is_a_problem_before_the_next_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    practice.load("Ann")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    practice.send(2)
    assert not Problem.objects.exists()
    Drain(seconds=3).run()
    failed = Delivery.objects.get(connector__name__startswith="Hello Customer", status="failed")
    found = Problem.objects.values_list("connector", "kind", "sample")
    assert list(found) == [(failed.connector_id, "key_refused", failed.pk)]


def test_its_minute_shows_a_badge_of_each_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the one that works goes on working: what is refused for a field is refused by the shaky one."""
    practice.load("Ann")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    practice.send()
    Drain(seconds=20).run()
    connectors = Connector.objects.order_by("name")
    report = health.report(connectors, timezone.now())
    assert [(row.name.split()[0], report[row.pk].health.code) for row in connectors] == [
        ("Hello", "not_working"), ("Novu", "slow"), ("Segment", "working"), ("SuprSend", "paused")
    ]  # fmt: skip
    refused = Delivery.objects.filter(cause="data_refused").values_list("connector__name", "detail")
    assert set(refused) == {("Novu (practice)", "language “english” is not a two-letter code")}


def test_what_comes_in_while_it_is_removed_is_removed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    practice.load("Ann")
    store = practice.accept_now

    def removed_first(request: Any) -> int:
        practice.remove()
        return store(request)

    monkeypatch.setattr("deliveries.practice.accept_now", removed_first)
    practice.send(3)
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)


def test_a_try_under_way_while_it_is_removed_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    practice.load("Ann")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    practice.send(2)

    class Nobody:
        def send(self, request: Any, *, hosts: tuple[str, ...] = ()) -> Any:
            raise SendFailed(Cause.TIMEOUT, "No answer.")

    def removed_first(*args: Any) -> None:
        practice.remove()
        record(*args)

    monkeypatch.setattr("deliveries.engine.drain.record", removed_first)
    Drain(Nobody, 3.0).run()
    assert (Delivery.objects.count(), Attempt.objects.count(), Lane.objects.count()) == (0, 0, 0)


# --- One more event every half a minute, while somebody looks on ------------------------------------------------------


@pytest.mark.parametrize("role", Role.values)
def test_page_asks_for_more_events_by_role(role: str) -> None:
    practice.load("Ann")
    assert ('data-tick="30"' in person(role).get("/settings/").content.decode()) == (role != "viewer")


def test_one_event_for_each_half_minute_however_many_pages_are_open() -> None:
    practice.load("Ann")
    Source.objects.update(created_at=datetime(2026, 1, 1, 11, 58, tzinfo=UTC))
    for second in (0, 1, 29, 30, 31, 59, 60):
        practice.send_one(datetime(2026, 1, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=second))
    assert list(Event.objects.order_by("id").values_list("received_at__minute", "received_at__second")) == [
        (0, 0), (0, 30), (1, 0)
    ]  # fmt: skip
    assert Delivery.objects.count() == 12
    assert Event.objects.filter(refused="").count() == 3


def test_first_minute_has_its_own_events() -> None:
    practice.load("Ann")
    made = Source.objects.get().created_at
    practice.send_one(made + timedelta(seconds=59))
    assert Event.objects.count() == 0
    practice.send_one(made + timedelta(seconds=60))
    assert Event.objects.count() == 1


def test_nothing_comes_where_no_practice_data_is() -> None:
    assert person("owner").post(reverse("admin:practice_tick")).status_code == 204
    assert Event.objects.count() == 0


# --- After a fix ------------------------------------------------------------------------------------------------------


def test_accepted_test_offers_to_replay_what_failed() -> None:
    practice.load("Ann")
    connector = Connector.objects.get(name__startswith="Hello Customer")
    delivery_of(event_of(Source.objects.get(), 1), connector, "failed", "key_refused")
    client, test = person("owner"), reverse("admin:integrations_connector_send_test", args=[connector.pk])
    assert "Replay what failed" not in client.post(test).content.decode()
    assert badges.tested_well([connector]) == set()
    connector.secrets = {"api_key": "practice-key-ok"}
    connector.save()
    page = client.post(test).content.decode()
    assert "One delivery failed before" in page
    address = f"/replays/new/?status=failed&connector={connector.pk}"
    assert address.replace("&", "&amp;") in page
    page = client.get(address).content.decode()
    assert "its last test event was accepted" in page
    assert "Replay anyway" not in page


# --- Past identify events ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vendor", "there"), [("suprsend", True), ("webhook", False)])
@pytest.mark.parametrize("role", Role.values)
def test_button_for_services_with_a_mapping(vendor: str, there: bool, role: str) -> None:
    connector = Connector.objects.create(name="To", vendor=vendor, status_at=timezone.now())
    page = person(role).get(f"/connectors/{connector.pk}/").content.decode()
    assert ("Replay past identify events" in page) == (there and role != "viewer")


def test_button_starts_the_replay_and_shows_it() -> None:
    connector = Connector.objects.create(name="To", vendor="suprsend", status_at=timezone.now())
    source = Source.objects.create(name="website")
    for number in (1, 2):
        delivery_of(event_of(source, number, type="identify", name="", user_id="ann"), connector, "delivered")
    answer = person("operator").post(
        reverse("admin:integrations_connector_identifies", args=[connector.pk]), follow=True
    )
    job = Replay.objects.get()
    assert (job.total, answer.redirect_chain[-1][0]) == (1, f"/replays/{job.pk}/")
    assert "the newest identify event of each person" in answer.content.decode()
    assert "newest identify" in person("operator").get("/replays/").content.decode()


def test_no_problem_is_made_up_where_practice_data_was_loaded_by_nobody() -> None:
    """As `make demo` does: one connector is paused, but none has stopped by itself."""
    practice.load()
    problems.check(timezone.now(), lambda *_: None)
    assert list(Problem.objects.values_list("kind", flat=True)) == []
    assert Connector.objects.get(status="paused").status_by == "the practice data"


def test_a_test_of_the_practice_service_asks_nobody_to_look_there() -> None:
    row = Connector.objects.create(name="To", vendor="practice", settings={"script": "works"})
    html = person("operator").post(f"/connectors/{row.pk}/test/send/").content.decode()
    assert ("Practice service accepted the event." in html, "Do you see it" in html) == (True, False)
