"""What is left of a replay that was stopped: the words on each delivery, what still needs a look, and the way on."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from deliveries import hold, replay
from deliveries.core.skipped_words import SENDERS_OWN
from deliveries.models import Delivery, Replay
from deliveries.siblings import not_replayed
from integrations import mapping, registry, selectors
from integrations.models import Connector
from integrations.types import NotSent
from tests.console import person
from tests.rows import T0, connector, delivery

pytestmark = pytest.mark.django_db
REST = "Replay the rest…</a>"


@pytest.fixture
def to() -> Connector:
    return connector()


def begun(count: int, **filters: Any) -> Replay:
    for _ in range(count):
        delivery(Connector.objects.get(), "failed")
    job = replay.start(filters, by="Ann")
    replay.advance(job.pk, T0, patience=0)
    job.refresh_from_db()
    return job


def html(path: str, role: str = "operator") -> str:
    return person(role).get(path).content.decode()


def test_what_a_stopped_replay_left_out_says_so(to: Connector) -> None:
    job = begun(3)
    replay.stop(job, by="Bob")
    row = Delivery.objects.filter(replay=job).latest("id")
    page = html(f"/deliveries/{row.pk}/")
    assert "Not sent: its replay was stopped." in page
    assert "The replay was stopped before this was sent. Stopped by Bob." in page
    assert "<strong>Skipped</strong>: Replay stopped" in page
    assert "was held while" not in page
    rows = html(f"/deliveries/?replay={job.pk}")
    assert rows.count("Replay stopped") == 3
    assert "Connector paused</td>" not in rows
    assert html(f"/deliveries/export/?replay={job.pk}").count(",Replay stopped,") == 3


def test_what_was_not_sent_needs_a_look_again(to: Connector) -> None:
    failed = Delivery.objects.filter(status="failed", replay=None)
    job = begun(25)  # 20 of them are under way
    one = Delivery.objects.filter(replay=job).earliest("id")
    Delivery.objects.filter(pk=one.pk).update(status="delivered", finished_at=T0, next_attempt_at=None)
    assert not_replayed(failed).count() == 5
    replay.stop(job, by="Bob")
    assert not_replayed(failed).count() == 24
    assert one.replay_of_id not in not_replayed(failed).values_list("id", flat=True)


def test_a_replay_that_failed_needs_no_look_once_another_has_arrived(to: Connector) -> None:
    failed = Delivery.objects.filter(status="failed")
    first = begun(3)
    Delivery.objects.filter(replay=first).update(status="failed", finished_at=T0, next_attempt_at=None)
    assert set(not_replayed(failed).values_list("replay", flat=True)) == {first.pk}
    rest = begun(0, status="failed", connector=str(to.pk))
    Delivery.objects.filter(replay=rest).update(status="delivered", finished_at=T0, next_attempt_at=None)
    assert (rest.made, not_replayed(failed).count()) == (3, 0)
    assert "Nothing needs a look" in html("/deliveries/?view=look")


def test_a_setting_that_left_a_replay_out_is_its_result(to: Connector) -> None:
    old = delivery(to, "failed")
    delivery(to, "skipped", cause="switched_off", event=old.event, replay_of=old)
    assert not not_replayed(Delivery.objects.filter(status="failed")).exists()


def test_a_replay_that_stopped_by_itself_speaks_as_the_lists_do(to: Connector) -> None:
    job = begun(30)
    Delivery.objects.filter(replay=job).update(
        status="failed", cause="data_refused", finished_at=T0, next_attempt_at=None
    )
    replay.advance(job.pk, T0, patience=0)
    job.refresh_from_db()
    assert job.stop_reason == "Stopped by itself: 20 deliveries in a row failed for the same reason (event refused)."
    page = html(f"/replays/{job.pk}/")
    assert "20 of 30 done" in page
    assert "<strong>10 not sent</strong>" in page
    assert REST in page


def test_the_rest_is_one_press_away(to: Connector) -> None:
    job = begun(25, status="failed", connector=str(to.pk))
    path = f"/replays/{job.pk}/"
    assert REST not in html(path)
    assert "<strong>25 not sent yet</strong>" in html(path)
    one = Delivery.objects.filter(replay=job).earliest("id")
    Delivery.objects.filter(pk=one.pk).update(status="delivered", finished_at=T0, next_attempt_at=None)
    replay.stop(job, by="Bob")
    page = html(path)
    assert "1 of 25 done · 1 delivered · 0 failed · <strong>24 not sent</strong>" in page
    assert '<progress max="25" value="1"' in page
    link = f"/replays/new/?status=failed&amp;connector={to.pk}"
    assert f'<a class="button" href="{link}">{REST}' in page
    assert "Replay 24 events</button>" in html(link.replace("&amp;", "&")).replace("\u00a0", " ")
    assert REST not in html(path, "viewer")


def test_a_replay_that_did_all_has_no_rest(to: Connector) -> None:
    job = begun(2)
    Delivery.objects.filter(replay=job).update(status="delivered", finished_at=T0, next_attempt_at=None)
    replay.advance(job.pk, T0, patience=0)
    assert REST not in html(f"/replays/{job.pk}/")
    assert "not sent" not in html(f"/replays/{job.pk}/")


def test_people_and_past_identifies_are_no_filters_of_the_list(to: Connector) -> None:
    job = replay.start_past_identifies(to, by="Ann")
    replay.stop(job, by="Ann")
    assert REST not in html(f"/replays/{job.pk}/")


SAYS = [
    (
        {"status": "skipped", "cause": "paused", "detail": "Held for more than 7 days while the connector was paused."},
        "Not sent: it was held for too long.",
        "Held too long",
    ),
    (
        {"status": "skipped", "cause": "switched_off", "detail": "The connector was switched off by Ann."},
        "Not sent on purpose: the connector was off.",
        "Switched off",
    ),
    (
        {
            "status": "skipped",
            "cause": "switched_off",
            "detail": "The sender's own “integrations” switch leaves out warehouse for this event.",
        },
        "Not sent on purpose: the sender left out this connector.",
        "Left out by the sender",
    ),
    (
        {"status": "skipped", "cause": "paused", "detail": "Thrown away by Ann when the connector was resumed."},
        "Not sent on purpose: thrown away on resuming.",
        "Thrown away",
    ),
]


@pytest.mark.parametrize(("values", "headline", "reason"), SAYS)
def test_skipped_says_why_and_not_what_another_of_its_cause_would(
    to: Connector, values: dict[str, str], headline: str, reason: str
) -> None:
    row = delivery(to, **values)
    page = html(f"/deliveries/{row.pk}/")
    assert f"<h2>{headline}</h2>" in page
    assert f"<strong>Skipped</strong>: {reason}" in page


def test_the_engines_own_details_are_the_ones_that_are_told_apart(to: Connector, settings: Any) -> None:
    settings.HOLD_DAYS = 7
    old = delivery(to, "held", cause="paused")
    hold.expire_held(timezone.now())
    assert "<h2>Not sent: it was held for too long.</h2>" in html(f"/deliveries/{old.pk}/")
    waits = delivery(to, "waiting")
    hold.switch_off(to, by="Ann")
    assert "<h2>Not sent on purpose: the connector was off.</h2>" in html(f"/deliveries/{waits.pk}/")


def test_the_senders_own_switch_begins_as_it_is_looked_for(to: Connector) -> None:
    payload = {"type": "track", "event": "A", "messageId": "m", "integrations": {"warehouse": False}}
    with pytest.raises(NotSent) as refused:
        mapping.prepare(payload, selectors.connector_config(to), registry.get("webhook"))
    assert refused.value.detail.startswith(SENDERS_OWN)


@pytest.mark.parametrize(
    ("reason", "headline", "todo"),
    [
        ("The key was refused 20 times in a row: no.", "Waiting: Webhook refuses the secret.", "paste a fresh secret"),
        ("Webhook answered 410.", "Waiting: the address is gone for good.", "put its address right"),
    ],
)
def test_held_by_a_connector_that_stopped_says_what_to_put_right(
    to: Connector, reason: str, headline: str, todo: str
) -> None:
    row = delivery(to, "held", cause="paused")
    hold.stop(to, reason=reason, announce=lambda: None)
    page = html(f"/deliveries/{row.pk}/")
    assert f"<h2>{headline}</h2>" in page
    assert todo in page
    Connector.objects.update(status_by="Ann")
    assert "<h2>Waiting: the connector is paused.</h2>" in html(f"/deliveries/{row.pk}/")
