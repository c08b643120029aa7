"""The page of one delivery: the result of its replay in place, how many are like it, and how much was sent."""

from __future__ import annotations

import pytest

from deliveries.core.causes import explain
from deliveries.models import Delivery, Replay
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


def test_what_was_replayed_says_so_in_the_list_and_has_no_button_any_more() -> None:
    old, other = (delivery(connector(name), "failed") for name in ("to", "other"))
    client, button = person("operator"), 'aria-label="Replay delivery {}"'
    page = client.get("/deliveries/").content.decode()
    assert (">replayed<" in page, button.format(old.pk) in page) == (False, True)
    new = delivery(old.connector, "delivered", event=old.event, replay_of=old)
    page = client.get("/deliveries/").content.decode()
    assert page.count('<span class="tag">replayed</span>') == 1
    assert (button.format(old.pk) in page, button.format(other.pk) in page) == (False, True)
    Delivery.objects.filter(pk=new.pk).update(status="skipped", cause="paused")  # stopped: it sent nothing
    assert button.format(old.pk) in client.get("/deliveries/").content.decode()


def test_the_list_of_a_replays_deliveries_says_that_it_is_one() -> None:
    job = Replay.objects.create()
    page = person("viewer").get(f"/deliveries/?replay={job.pk}&status=failed").content.decode()
    assert f'<a class="tag" href="?status=failed" title="Show those of any replay">of replay {job.pk} ×</a>' in page


@pytest.mark.parametrize(("status", "told"), [("retrying", True), ("waiting", True), ("failed", False)])
def test_how_many_tries_there_are_at_most_is_said_while_there_are_any_left(status: str, told: bool) -> None:
    row = delivery(connector(), status)
    page = person("viewer").get(f"/deliveries/{row.pk}/").content.decode()
    assert (f"<dt>Tries</dt><dd>{row.attempts} of at most " in page) is told
