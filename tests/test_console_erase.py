"""Erasing a person from the console: what the page offers, what the button does, what is seen afterwards."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deliveries import erase
from deliveries.erasures import Erasure
from deliveries.models import Event
from integrations.history import Change
from tests.console import attempt_of, delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db
PAGE, START = "admin:journey_erase", "admin:journey_erase_start"


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.async_task", lambda *_: None)
    monkeypatch.setattr(erase, "PAUSE", 0)


@pytest.fixture
def m() -> SimpleNamespace:
    found = made()
    Event.objects.filter(user_id="user_1").update(anonymous_id="anon-1")
    before = event_of(found.source, 11, user_id="", anonymous_id="anon-1", body="{}")
    delivery_of(before, found.paused, "held", "paused")
    return found


@pytest.fixture
def owner() -> Client:
    return person("owner")


def page(client: Client, view: str = PAGE, *args: Any, **query: Any) -> str:
    answer = client.get(reverse(view, args=args), query)
    assert answer.status_code == 200
    return " ".join(unescape(answer.content.decode()).split())


def press(client: Client, **data: Any) -> Any:
    given = {"q": "user_1", "confirm": "user_1", "user": "user_1", "anonymous": "anon-1", "offered": "anon-1"}
    return client.post(reverse(START), {**given, **data}, follow=True)


def test_only_owners_are_offered_the_button(m: SimpleNamespace, owner: Client) -> None:
    assert "Erase this person…" in page(owner, "admin:journey", q="user_1")
    assert "Erase this person…" not in page(person("editor"), "admin:journey", q="user_1")


def test_the_page_shows_each_id_with_its_count_before_the_button(m: SimpleNamespace, owner: Client) -> None:
    text = page(owner, q="user_1")
    assert '<input type="checkbox" name="user" value="user_1" checked>' in text
    assert '<input type="checkbox" name="anonymous" value="anon-1" checked>' in text
    assert "<strong>2 events</strong> came in under these ids" in text
    assert "1 delivery still waiting, retrying or held will not be sent." in text
    assert not Erasure.objects.exists()


def test_an_id_of_a_shared_device_is_not_ticked(m: SimpleNamespace, owner: Client) -> None:
    Event.objects.filter(user_id="user_2").update(anonymous_id="anon-1")
    text = page(owner, q="user_1")
    assert '<input type="checkbox" name="anonymous" value="anon-1">' in text
    assert "Also seen with another person" in text
    assert 'value="user_2"' not in text


def test_an_address_that_leads_to_several_people_ticks_nobody(m: SimpleNamespace, owner: Client) -> None:
    event_of(m.source, 12, body='{"properties": {"invited_by": "p1@example.com"}}')
    text = page(owner, q="p1@example.com")
    assert '<input type="checkbox" name="user" value="user_1">' in text
    assert '<input type="checkbox" name="user" value="user_12">' in text
    assert "checked" not in text


def test_an_address_of_one_person_ticks_that_one(m: SimpleNamespace, owner: Client) -> None:
    assert '<input type="checkbox" name="user" value="user_1" checked>' in page(owner, q="p1@example.com")


def test_without_the_typed_words_nothing_happens(m: SimpleNamespace, owner: Client) -> None:
    for typed in ("", "user_2", "USER_1"):
        answer = press(owner, confirm=typed)
        assert "nothing was erased" in answer.content.decode()
    assert not Erasure.objects.exists()


def test_without_a_ticked_id_nothing_happens(m: SimpleNamespace, owner: Client) -> None:
    answer = press(owner, user="", anonymous="")
    assert "nobody was erased" in answer.content.decode()
    assert not Erasure.objects.exists()


def test_the_button_erases_and_the_pages_say_so(m: SimpleNamespace, owner: Client) -> None:
    answer = press(owner)
    assert "The erasure has begun" in answer.content.decode()
    erase.advance_all(timezone.now() + timedelta(minutes=2))
    row = Erasure.objects.get()
    assert (row.by, row.state, row.events, row.stopped) == ("Owner Jones", "done", 2, 1)
    listed = page(owner, "admin:journey")
    assert "Owner Jones" in listed
    assert "Done" in listed
    assert "Nobody found" in page(owner, "admin:journey", q="user_1")
    assert "The person was erased" in page(owner, "admin:deliveries_event_change", m.failed.event_id)
    shown = page(owner, "admin:deliveries_delivery_change", m.failed.pk)
    assert "it cannot be replayed" in shown
    assert "Replay this event" not in shown
    assert "p1@example.com" not in shown
    assert list(Change.objects.filter(kind="erasure").values_list("object_name", flat=True)) == [str(row)] * 2


def test_an_unticked_id_is_spared(m: SimpleNamespace, owner: Client) -> None:
    press(owner, anonymous="")
    erase.advance_all(timezone.now() + timedelta(minutes=2))
    assert Erasure.objects.get().events == 1
    assert Event.objects.filter(anonymous_id="anon-1", erased_at=None).count() == 1


def test_a_stopped_delivery_says_why(m: SimpleNamespace, owner: Client) -> None:
    waiting = delivery_of(event_of(m.source, 13, user_id="user_1"), m.connector, "waiting")
    press(owner)
    erase.advance_all(timezone.now() + timedelta(minutes=2))
    shown = page(owner, "admin:deliveries_delivery_change", waiting.pk)
    assert "Not sent on purpose: the person was erased." in shown
    assert "It cannot be replayed, because nothing of it is left." in shown
    assert "Person erased" in page(owner, "admin:deliveries_delivery_changelist", status="skipped")


def test_erased_events_are_no_samples(m: SimpleNamespace, owner: Client) -> None:
    attempt_of(m.delivered, 200)
    press(owner, q="user_2", confirm="user_2", user="user_2")
    erase.advance_all(timezone.now() + timedelta(minutes=2))
    gone = Event.objects.get(pk=m.delivered.event_id)
    assert gone.erased_at is not None
    text = page(owner, "admin:integrations_connector_test", m.connector.pk)
    assert f'value="{gone.pk}"' not in text
    assert f'value="{m.failed.event_id}"' in text
