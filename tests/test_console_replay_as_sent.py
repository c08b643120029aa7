"""Replaying with today's settings or exactly as it was sent: one or the other is chosen, for one and for many."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache

from deliveries.models import Delivery, Replay
from tests.console import made, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def m(monkeypatch: pytest.MonkeyPatch) -> Any:
    cache.clear()
    for name in ("wake", "advance_replay"):
        monkeypatch.setattr(f"deliveries.queue.{name}", lambda *args, **kwargs: None)
    return made()


def page(path: str) -> str:
    return person("operator").get(path).content.decode()


def radios(html: str) -> list[tuple[str, bool, str]]:
    """(value, chosen, words) of each."""
    found = re.findall(r'<input type="radio" name="as_sent" value="(\d?)"( checked)?> <span>([^<]+)</span>', html)
    return [(value, bool(checked), words) for value, checked, words in found]


def test_one_is_replayed_with_todays_settings_unless_told_otherwise(m: Any) -> None:
    path = f"/deliveries/{m.failed.pk}/"
    assert radios(page(path)) == [("", True, "with today's settings"), ("1", False, "exactly as it was sent")]
    client = person("operator")
    client.post(f"{path}replay/", {"as_sent": ""})
    client.post(f"{path}replay/", {"as_sent": "1"})
    assert list(Delivery.objects.filter(replay_of=m.failed).order_by("id").values_list("as_sent", flat=True)) == [
        False,
        True,
    ]


def test_what_was_never_sent_cannot_be_sent_as_it_was(m: Any) -> None:
    Delivery.objects.filter(pk=m.failed.pk).update(attempts=0)
    assert radios(page(f"/deliveries/{m.failed.pk}/")) == []


@pytest.mark.parametrize(("query", "chosen"), [("", ""), ("&as_sent=", ""), ("&as_sent=1", "1")])
def test_many_are_replayed_as_was_chosen_and_counted(m: Any, query: str, chosen: str) -> None:
    html = page(f"/replays/new/?status=failed{query}")
    assert radios(html) == [
        ("", not chosen, "with today's settings"),
        ("1", bool(chosen), "exactly as they were sent"),
    ]
    words = "exactly as they were sent" if chosen else "with today's settings"
    assert f"Sent {words}, oldest first, behind live traffic." in html
    start = html[html.index('id="start"') :]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', start))
    assert hidden.get("as_sent", "") == chosen
    person("operator").post("/replays/start/", {"status": "failed", "as_sent": chosen})
    assert Replay.objects.latest("id").as_sent is bool(chosen)


def test_the_choice_can_be_taken_back_where_it_leaves_nothing(m: Any) -> None:
    Delivery.objects.filter(pk=m.failed.pk).update(attempts=0)
    html = page("/replays/new/?status=failed&as_sent=1")
    assert "There is nothing to replay here." in html
    assert [chosen for _, chosen, _ in radios(html)] == [False, True]
