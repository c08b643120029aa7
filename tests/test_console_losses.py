"""What is thrown away on a press says so before, with the number."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from deliveries import hold
from deliveries.admin import figures
from integrations.history import Change
from integrations.models import Connector, Source, WriteKey
from tests.console import delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def m(monkeypatch: pytest.MonkeyPatch) -> Any:
    cache.clear()
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)
    return made()


def text_of(path: str, role: str = "owner") -> str:
    """The page as it is read: tags and breaks are spaces, and so are the ones that do not break."""
    html = re.sub(r"<[^>]+>", " ", person(role).get(path).content.decode())
    return re.sub(r"\s+", " ", html.replace("\u00a0", " ")).replace(" .", ".").replace(" ,", ",")


def fill(m: Any, connector: Connector, status: str, count: int, first: int, **more: Any) -> None:
    cause = "paused" if status == "held" else ""
    for number in range(first, first + count):
        delivery_of(event_of(m.source, number, **more), connector, status, cause)


def test_removing_a_connector_says_what_goes_and_what_stays(m: Any) -> None:
    fill(m, m.paused, "held", 3, 100)
    fill(m, m.paused, "waiting", 2, 200, received_at=timezone.now() - timedelta(hours=30))
    page = text_of(f"/connectors/{m.paused.pk}/")
    assert "6 events held or waiting now: thrown away, and never sent." in page
    assert "4 events came in for it in the last 24 hours. From now on none goes to Segment." in page
    assert "6 deliveries stay in the log." in page
    client = person("owner")
    answer = client.post(f"/connectors/{m.paused.pk}/remove/", {"name": m.paused.name}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert said == ["Removed: 6 events thrown away, its keys erased. What it delivered stays in the log."]
    assert Change.objects.first().words == "Removed: 6 events thrown away, its keys erased; its log stays"


def test_a_connector_with_nothing_to_lose_says_so(m: Any) -> None:
    page = text_of(f"/connectors/{m.draft.pk}/")
    assert "thrown away" not in page
    assert "No event came in for it in the last 24 hours, and from now on none goes to Segment." in page
    assert "0 deliveries stay in the log." in page


def test_counting_ends_where_it_would_take_long(m: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 3)
    monkeypatch.setattr(figures, "MOST_OF_PEOPLE", 3)
    fill(m, m.paused, "held", 4, 100)
    page = text_of(f"/connectors/{m.paused.pk}/")
    assert "More than 3 events held or waiting now" in page
    assert "More than 3 deliveries stay in the log." in page
    assert "Send only the newest of each person, throw the others away Throw them away (5 events" in page


def test_turning_off_counts_what_waits_and_what_is_held_however_old(m: Any) -> None:
    fill(m, m.connector, "waiting", 2, 100, received_at=timezone.now() - timedelta(days=3))
    assert "also the 2 events waiting now. You can replay them" in text_of(f"/connectors/{m.connector.pk}/")
    fill(m, m.connector, "held", 1, 200)
    assert "also the 3 events waiting or held now. You can replay them" in text_of(f"/connectors/{m.connector.pk}/")
    assert hold.switch_off(m.connector, by="Ann") == 3
    assert "Events are not kept any more, and the 1 event held now is" in text_of(f"/connectors/{m.paused.pk}/")


def test_sending_only_the_newest_says_how_many_go(m: Any) -> None:
    for number, (user, anonymous) in enumerate((("ann", "x"), ("ann", ""), ("", "x"), ("", "x"), ("", ""), ("", ""))):
        event = event_of(m.source, 100 + number, user_id=user, anonymous_id=anonymous)
        delivery_of(event, m.paused, "held", "paused")
    page = text_of(f"/connectors/{m.paused.pk}/")
    assert "Send only the newest of each person, throw the others away (2 events)" in page
    assert hold.resume(m.paused, by="Ann", backlog="newest") == {"released": 5, "discarded": 2}


# --- Sources and their keys -------------------------------------------------------------------------------------------


def used(key: WriteKey, hours: int) -> WriteKey:
    key.last_used_at = timezone.now() - timedelta(hours=hours)
    key.save()
    return key


def revoking(m: Any) -> list[str]:
    cache.clear()
    return re.findall(
        r"Revoke… main \S+ (.*?) Events sent with it are refused within a second.", text_of(f"/sources/{m.source.pk}/")
    )


def test_revoking_a_key_says_what_came_with_it(m: Any) -> None:
    assert revoking(m) == ["Nothing came with it yet."]
    used(m.key, 30)
    assert revoking(m) == ["Nothing came with it in the last 24 hours."]
    used(m.key, 2)
    assert revoking(m) == ["It brought 3 events in the last 24 hours."]
    page = text_of("/sources/")
    assert f"{m.key}: It brought 3 events in the last 24 hours. Revoke {m.key}" in page


def test_where_several_keys_were_used_their_number_is_said_for_all_of_them(m: Any) -> None:
    """One that was revoked since counts as well: some of the events came with it."""
    used(m.key, 1)
    used(WriteKey.issue(m.source), 2).revoke()
    assert revoking(m) == ["3 events came in the last 24 hours, with it or with 1 other key."]
    used(WriteKey.issue(m.source), 3)
    assert revoking(m) == ["3 events came in the last 24 hours, with it or with 2 other keys."] * 2


def test_switching_a_source_off_says_what_comes_in(m: Any) -> None:
    page = text_of(f"/sources/{m.source.pk}/")
    assert "3 events came in here in the last 24 hours. From then on such are refused, and most senders" in page
    other = Source.objects.create(name="app", signing_secret="whsec_of_the_app")
    page = text_of(f"/sources/{other.pk}/")
    assert "No event came in here in the last 24 hours. From then on all are refused, and most senders" in page
    assert "Remove the saved signing secret Calls without a signature are taken then." in page
