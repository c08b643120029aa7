"""Erasing a person: what it reaches, what stays, and what stays shut afterwards."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from deliveries import erase, hold, replay
from deliveries.accept import Accepted, store
from deliveries.core import normalise
from deliveries.erasures import Erasure
from deliveries.models import Attempt, Delivery, Event, Trial
from integrations.history import Change
from integrations.models import Connector
from tests.erasing import ASKED, IDS, LATER, SECRET, attempt, erased, leftovers, of_bob
from tests.rows import T0, connector, delivery, event, source

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)


@pytest.fixture
def to() -> Connector:
    return connector()


# What it reaches


def test_nothing_personal_is_left_anywhere(to: Connector) -> None:
    for status in ("delivered", "failed", "held", "retrying", "waiting", "sending", "skipped"):
        row = delivery(to, status, event=of_bob(), detail=f"{SECRET} is odd", notes=f"left out {SECRET}")
        attempt(row)
    of_bob(refused=f"What {SECRET} sent is odd")
    replay.start({"user_id": "bob-7"}, by="Ann")
    Trial.objects.create(connector=to, at=T0, message_id="test_1", outcome="failed", answer=f"no {SECRET}")
    assert leftovers(SECRET, *IDS)

    row = erased()

    assert leftovers(SECRET, *IDS) == []
    assert (row.state, row.events, row.stopped, row.people, row.finished_at) == ("done", 8, 3, {}, LATER)


def test_how_each_delivery_ended_stays_and_what_waits_is_not_sent(to: Connector) -> None:
    rows = {
        status: delivery(to, status, event=of_bob())
        for status in ("delivered", "failed", "held", "retrying", "waiting", "skipped")
    }
    erased()
    for status, row in rows.items():
        row.refresh_from_db()
        stopped = status in ("held", "retrying", "waiting")
        assert (row.status, row.cause if stopped else "") == (("skipped", "erased") if stopped else (status, "")), (
            status
        )
        assert row.next_attempt_at is None
        assert row.finished_at == (LATER if stopped else T0)


def test_a_try_keeps_its_numbers(to: Connector) -> None:
    one = attempt(delivery(to, "failed", event=of_bob()))
    erased()
    one.refresh_from_db()
    assert (one.number, one.started_at, one.duration_ms, one.response_status, one.outcome, one.cause) == (
        1, T0, 12, 400, "rejected", "data_refused",
    )  # fmt: skip
    assert (one.request_body, one.response_body, one.response, one.detail) == ("", "", "", "")
    assert orjson.loads(one.request) == {"method": "", "url": "", "headers": {}}


def test_an_answer_shared_with_others_goes_from_their_tries_too(to: Connector) -> None:
    bob, eve, far = (delivery(to, "failed", event=of_bob(user_id=who, anonymous_id="")) for who in ("bob-7", "e", "f"))
    attempt(bob, batch_size=2)
    hers, other = attempt(eve, batch_size=2), attempt(far, batch_size=2, started_at=T0 + timedelta(seconds=1))
    erased()
    hers.refresh_from_db()
    other.refresh_from_db()
    assert hers.response_body == "(The answer was also about an event whose person was erased, and is gone with it.)"
    assert hers.request_body == eve.event.body
    assert SECRET in other.response_body


def test_shared_answers_of_many_go_in_small_transactions_before(to: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call carries a hundred events, so they may be a hundred times as many as the person's own; those of a call that
    was stored in two goes stand further apart."""
    monkeypatch.setattr(erase, "BATCH", 4)
    monkeypatch.setattr(erase.erased, "SHARED_ANSWER", "(gone)")
    for number in range(2):
        fields = {"batch_size": 10, "started_at": T0 + timedelta(seconds=number)}
        own = attempt(delivery(to, event=of_bob()), **fields)
        for place in range(9):
            others = {"id": own.pk + 30} if place == 8 and number else {}
            attempt(delivery(to, event=event(user_id="eve")), **fields, **others)
    sizes: list[int] = []
    strip = erase.erased.strip_answers

    def counted(ids: list[int]) -> None:
        sizes.append(len(ids))
        strip(ids)

    monkeypatch.setattr(erase.erased, "strip_answers", counted)
    erased()
    assert sizes == [4, 4, 4, 4, 4, 0]  # and nothing is left for the transaction that erases
    assert Attempt.objects.filter(response_body="(gone)").count() == 18
    assert not Attempt.objects.filter(response_body__contains=SECRET).exists()


def test_others_keep_everything(to: Connector) -> None:
    eve = delivery(to, "waiting", event=event(user_id="eve", anonymous_id="anon-eve"))
    shared = event(user_id="eve", anonymous_id="anon-bob")
    before = list(Event.objects.filter(user_id="eve").values())
    of_bob()
    erased()
    eve.refresh_from_db()
    assert eve.status == "waiting"
    assert list(Event.objects.filter(user_id="eve").values()) == before
    assert shared.pk in {row["id"] for row in before}


def test_anonymous_ids_seen_with_the_person_go_along_unless_spared(to: Connector) -> None:
    of_bob()
    of_bob(anonymous_id="anon-shared")
    before = event(user_id="", anonymous_id="anon-bob")
    kept = event(user_id="", anonymous_id="anon-shared")
    row = erased(spared=("anon-shared",))
    assert row.events == 3
    before.refresh_from_db()
    kept.refresh_from_db()
    assert (before.anonymous_id, before.erased_at) == ("", LATER)
    assert (kept.anonymous_id, kept.erased_at) == ("anon-shared", None)


def test_an_alias_names_the_id_the_person_had_before(to: Connector) -> None:
    body = orjson.dumps({"type": "alias", "userId": "bob-7", "previousId": "anon-old"}).decode()
    event(kind="alias", name="", user_id="bob-7", body=body)
    old = event(user_id="", anonymous_id="anon-old")
    assert erased().events == 2
    old.refresh_from_db()
    assert old.erased_at == LATER


def test_a_page_s_name_may_be_a_person_s() -> None:
    page = of_bob(name="Bob's orders", kind="page")
    track = of_bob()
    erased()
    page.refresh_from_db()
    track.refresh_from_db()
    assert (page.name, track.name) == ("", "Order Completed")


def test_history_says_who_asked_and_how_much_but_not_who_it_was(to: Connector) -> None:
    delivery(to, "waiting", event=of_bob())
    row = erased()
    lines = Change.objects.filter(kind="erasure").order_by("id").values_list("by", "object_id", "words")
    assert list(lines) == [
        ("Ann", row.pk, "Asked for the erasure of a person"),
        ("Ann", row.pk, "Erased a person: 1 events, 1 deliveries not sent any more"),
    ]


def test_nobody_cannot_be_erased() -> None:
    event(user_id="", anonymous_id="")
    with pytest.raises(ValueError, match="nobody to erase"):
        erase.ask(["", ""], [""], by="Ann", now=ASKED)
    assert not Erasure.objects.exists()


def test_the_preview_counts_what_it_would_reach(to: Connector) -> None:
    for status in ("waiting", "held", "delivered"):
        delivery(to, status, event=of_bob())
    delivery(to, "retrying", event=event(user_id="", anonymous_id="anon-bob"))
    delivery(to, "waiting", event=event(user_id="eve", anonymous_id="anon-bob"))
    assert erase.preview(["bob-7"], ["anon-bob"]) == {
        "ids": [("user", "bob-7", 3), ("anonymous", "anon-bob", 1)],
        "events": 4,
        "deliveries": 3,
    }


# What stays shut afterwards


def test_the_same_message_is_not_taken_in_again(to: Connector) -> None:
    of_bob(message_id="m-bob")
    erased()
    document = {"type": "track", "event": "Order Completed", "userId": "bob-7", "messageId": "m-bob"}
    shared = normalise.envelope(LATER, {})
    assert store([Accepted(source().pk, LATER, [normalise.normalise(document, shared)])]) == 0
    assert leftovers("bob-7") == []


def test_a_replay_of_one_is_refused_and_says_why(to: Connector) -> None:
    row = delivery(to, "failed", event=of_bob())
    erased()
    row.refresh_from_db()
    with pytest.raises(replay.NotReplayable, match="was erased"):
        replay.replay_one(Delivery.objects.get(pk=row.pk), by="Ann")
    assert Delivery.objects.count() == 1


def test_a_replay_of_many_leaves_them_out_and_counts_them(to: Connector) -> None:
    delivery(to, "failed", event=of_bob())
    other = delivery(to, "failed", event=event(user_id="eve"))
    erased()
    counts = replay.preview({"status": "failed"})
    assert (counts["matching"], counts["total"], counts["erased"]) == (2, 1, 1)
    job = replay.start({"status": "failed"}, by="Ann")
    replay.advance(job.pk, LATER, patience=0)
    assert list(Delivery.objects.filter(replay=job).values_list("replay_of_id", flat=True)) == [other.pk]


def test_a_replay_made_before_is_skipped_when_its_turn_comes(to: Connector) -> None:
    """Held while the connector is paused: the erasure ends it, and resuming sends nothing."""
    old = delivery(to, "failed", event=of_bob())
    Connector.objects.update(status="paused")
    new = replay.replay_one(old, by="Ann")
    erased()
    Connector.objects.update(status="active")
    hold.resume(Connector.objects.get(), by="Ann")
    new.refresh_from_db()
    assert (new.status, new.cause) == ("skipped", "erased")
