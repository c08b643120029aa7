"""Segment's `delete` events: they are passed on, and erase the person here where the source says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deliveries import erase
from deliveries.erasures import Erasure
from deliveries.models import Delivery, Event
from integrations import selectors
from integrations.models import Source
from tests.console import person
from tests.door import assert_taken, post, track

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)


@pytest.fixture
def door(make_source: Any, make_connector: Any) -> Any:
    """Two sources that go to one connector; ``door("source")`` sets what a delete event at the first does."""
    website, key = make_source("website")
    app, app_key = make_source("app")
    make_connector("warehouse", website, app)

    def set_up(erases: str) -> tuple[str, str]:
        website.erases = erases
        website.save()
        selectors.forget()
        return key, app_key

    return set_up


def delete(key: str, user: str = "u1") -> None:
    assert_taken(post("/v1/delete", {"userId": user, "messageId": "the-delete"}, key))


def of_u1() -> list[tuple[str, str]]:
    rows = Event.objects.filter(user_id="u1").order_by("id")
    return list(rows.values_list("source__name", "type"))


def later(minutes: int) -> None:
    erase.advance_all(timezone.now() + timedelta(minutes=minutes))


def test_usually_it_is_only_passed_on(door: Any) -> None:
    key, _ = door("no")
    assert_taken(post("/v1/track", track(), key))
    delete(key)
    assert not Erasure.objects.exists()
    later(5)
    assert of_u1() == [("website", "track"), ("website", "delete")]
    assert Delivery.objects.filter(status="waiting").count() == 2


@pytest.mark.parametrize(
    ("erases", "left", "reached"),
    [("source", [("app", "track"), ("website", "delete")], 1), ("all", [("website", "delete")], 2)],
)
def test_it_erases_what_came_before_here_or_everywhere(
    door: Any, erases: str, left: list[tuple[str, str]], reached: int
) -> None:
    key, app_key = door(erases)
    assert_taken(post("/v1/track", track(), key))
    assert_taken(post("/v1/track", track(), app_key))
    assert_taken(post("/v1/track", track(userId="u2"), key))
    delete(key)
    later(2)
    row = Erasure.objects.get()
    assert (row.state, row.events, row.stopped, row.by) == ("running", reached, reached, "A delete event of website")
    assert of_u1() == left
    assert Event.objects.filter(user_id="u2", erased_at=None).count() == 1


def test_the_delete_event_itself_is_passed_on_first_and_then_erased(door: Any) -> None:
    key, _ = door("all")
    assert_taken(post("/v1/track", track(anonymousId="a1"), key))
    assert_taken(post("/v1/track", {"type": "track", "event": "Seen", "anonymousId": "a1"}, key))
    delete(key)
    later(2)
    asked = Delivery.objects.get(event__message_id="the-delete")
    assert (asked.status, asked.event.user_id) == ("waiting", "u1")
    Delivery.objects.filter(pk=asked.pk).update(status="delivered", next_attempt_at=None, finished_at=timezone.now())
    later(20)
    row = Erasure.objects.get()
    assert (row.state, row.events, row.people) == ("done", 3, {})
    assert not Event.objects.filter(erased_at=None).exists()
    asked.refresh_from_db()
    assert (asked.status, asked.event.user_id, asked.event.message_id) == ("delivered", "", "the-delete")


def test_what_the_person_does_afterwards_is_kept(door: Any) -> None:
    key, _ = door("all")
    delete(key)
    Event.objects.update(received_at=timezone.now() - timedelta(seconds=5))
    Erasure.objects.update(asked_at=timezone.now() - timedelta(seconds=5))
    assert_taken(post("/v1/track", track(), key))
    later(5)
    assert ("website", "track") in of_u1()


def test_a_repeated_or_refused_delete_event_asks_once_or_never(door: Any) -> None:
    key, _ = door("all")
    delete(key)
    delete(key)
    assert_taken(post("/v1/batch", {"batch": [{"type": "delete"}]}, key))
    assert Erasure.objects.count() == 1


def test_only_an_owner_sets_it(make_source: Any) -> None:
    source, _ = make_source("website")
    for role, expected in (("editor", "no"), ("owner", "all")):
        answer = person(role).post(f"/sources/{source.pk}/", {"name": "website", "erases": "all"})
        assert answer.status_code == 302
        assert Source.objects.get(pk=source.pk).erases == expected
