"""The page of one delivery: the result of its replay in place, how many are like it, and how much was sent."""

from __future__ import annotations

import pytest

from deliveries.core.causes import explain
from deliveries.models import Delivery
from tests.console import attempt_of, person
from tests.rows import T0, connector, delivery

pytestmark = pytest.mark.django_db


def test_the_result_of_a_replay_shows_where_it_was_pressed() -> None:
    old = delivery(connector(), "failed")
    client = person("operator")
    answer = client.post(f"/deliveries/{old.pk}/replay/")
    new = Delivery.objects.get(replay_of=old)
    assert (answer.status_code, answer["Location"]) == (302, f"/deliveries/{old.pk}/?replayed={new.pk}")
    live = f"/deliveries/{new.pk}/result/"
    page = client.get(answer["Location"]).content.decode()
    assert f'data-poll="{live}"' in page
    assert "Waiting to be sent." in page
    assert "X-Done" not in client.get(live)
    Delivery.objects.filter(pk=new.pk).update(status="delivered", next_attempt_at=None, finished_at=T0, attempts=1)
    attempt_of(Delivery.objects.get(pk=new.pk), 200)
    ended = client.get(live)
    assert "The address accepted the event." in ended.content.decode()
    assert ended["X-Done"] == "1"
    assert "data-poll" not in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("asked", ["x", "9" * 30, "0"])
def test_only_a_replay_of_this_delivery_is_its_result(asked: str) -> None:
    old, other = delivery(connector(), "failed"), delivery(connector("other"), "failed")
    client = person("operator")
    for number in (asked, str(other.pk)):
        page = client.get(f"/deliveries/{old.pk}/", {"replayed": number})
        assert page.status_code == 200
        assert "result-title" not in page.content.decode()


def test_show_all_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    to = connector()
    rows = [delivery(to, "failed", cause="key_refused") for _ in range(3)]
    delivery(to, "failed", cause="too_large")
    delivery(connector("other"), "failed", cause="key_refused")
    path, client = f"/deliveries/{rows[0].pk}/", person("viewer")
    assert ">Show all 3 like this</a>" in client.get(path).content.decode()
    monkeypatch.setattr("deliveries.admin.detail.ALIKE", 2)
    assert ">Show all 2+ like this</a>" in client.get(path).content.decode()


def test_too_big_says_how_much_was_sent() -> None:
    row = delivery(connector(vendor="segment", settings={}), "failed", cause="too_large")
    attempt_of(row, 413, "", request='{"method": "POST", "url": "https://api.segment.io/v1/batch", "bytes": 41985}')
    page = person("operator").get(f"/deliveries/{row.pk}/").content.decode()
    assert "We sent 42 kB. Segment takes up to 32 kB for one event." in page
    assert "We sent" not in explain("failed", "too_large", http_status=413).explanation


def test_what_a_replay_brought_there_asks_for_nothing_any_more() -> None:
    failed = delivery(connector(), "failed")
    client, address, todo = person("operator"), f"/deliveries/{failed.pk}/", "<strong>What to do:</strong>"
    primary = '<summary class="button primary">Replay this event…'
    page = client.get(address).content.decode()
    assert (todo in page, primary in page, 'class="card verdict failed"' in page) == (True, True, True)
    again = delivery(failed.connector, "failed", event=failed.event, replay_of=failed)
    assert todo in client.get(address).content.decode()
    Delivery.objects.filter(pk=again.pk).update(status="delivered", cause="")
    page = client.get(address).content.decode()
    assert (todo in page, primary in page, 'class="card verdict delivered"' in page) == (False, False, True)
    assert "<strong>Nothing to do any more:</strong>" in page
    assert f'<a href="/deliveries/{again.pk}/">a replay of it</a> was delivered.' in page
