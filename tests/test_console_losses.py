"""What is thrown away on a press says so before, with the number."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from config.models import ApiToken
from deliveries import counting, hold, practice
from deliveries.admin import figures
from deliveries.alarm import AlertRule, AlertTarget
from deliveries.models import Replay
from integrations.history import Change
from integrations.models import Connector, EventRule, Filter, Source, WriteKey
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
    monkeypatch.setattr(counting, "MOST", 3)
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


# --- People, tokens, alerts, addresses, drafts ------------------------------------------------------------------------


def test_deactivating_a_person_says_what_stays_and_what_ends(m: Any) -> None:
    for name in ("a", "b"):
        ApiToken.issue(name, "viewer", created_by="V")
    ApiToken.objects.filter(name="b").update(revoked_at=timezone.now())
    AlertTarget.objects.create(kind="person", name="S", person=m.secured.user)
    said = re.findall(r"Deactivate… (\S+) (.*?) Deactivate", text_of("/people/"))
    ends, stays = "Signed out everywhere, and cannot sign in any more.", "What they set up stays"
    assert dict(said) == {
        "Owner": f"Jones {ends} {stays}.",
        "S": f"{ends} Not told of alerts any more. {stays}.",
        "V": f"{ends} {stays}, and the 1 API token they made goes on working.",
    }


def test_resetting_a_second_step_says_what_ends(m: Any) -> None:
    assert "Their app and all of their recovery codes stop working." in text_of("/people/")


def test_revoking_a_token_says_whether_it_is_used(m: Any) -> None:
    page = text_of("/tokens/")
    assert f"Revoke… {m.token} It was never used. Calls with it are refused from now on." in page
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=3))
    assert f"Revoke… {m.token} Last used 3 min ago. Calls with it are refused" in text_of("/tokens/")


def test_removing_who_is_told_says_which_rules_that_changes(m: Any) -> None:
    m.rule.targets.set([m.target, m.hook])
    AlertRule.objects.create(kind="overdue", limit=10).targets.set([m.target])
    page = text_of("/alerts/")
    again = "where nobody else is named, everybody is told again."
    assert f"Remove… {m.target} No alert goes there any more. 2 rules name it; {again}" in page
    assert f"Remove… {m.hook} No alert goes there any more. 1 rule names it; {again}" in page
    m.hook.delete()
    assert "No alert goes there any more. Nobody else is told. 2 rules name it;" in text_of("/alerts/")


def test_giving_up_an_own_limit_says_which_counts_then(m: Any) -> None:
    AlertRule.objects.create(kind="stopped", connector=m.connector, limit=1)
    AlertRule.objects.create(kind="quiet", connector=m.connector, limit=2)
    page = text_of("/alerts/")
    assert "Its own limit of 9 is gone: the one for all connectors, 5, counts again. Remove" in page
    assert "It is judged as all connectors are again. Remove" in page
    assert "Its own limit of 2 is gone: the one for all connectors, 24, counts again, which is off. Remove" in page
    assert "As for all (5)" in text_of(f"/connectors/{m.connector.pk}/")


def test_an_address_that_is_in_use_says_by_how_many_and_offers_nothing(m: Any) -> None:
    button = f'action="/addresses/{m.address.pk}/remove/"'
    assert "No connector uses it. None can choose it any more. Remove Own" in text_of("/addresses/")
    Connector.objects.filter(pk__in=[m.connector.pk, m.off.pk]).update(region=m.address)
    page = text_of("/addresses/")
    assert "2 connectors use it. Choose another region there first." in page
    assert "Remove Own" not in page
    assert button in person("owner").get("/addresses/").content.decode()
    Connector.objects.filter(region=m.address).update(region=m.paused.region)
    person("editor").post(f"/addresses/{m.address.pk}/remove/")
    assert Change.objects.get(kind="regionendpoint").words == "Removed the address Own (https://a.example)"


def test_throwing_a_draft_away_says_how_much_was_filled_in(m: Any) -> None:
    for name in ("A", "B"):
        EventRule.objects.create(connector=m.draft, name=name)
    Filter.objects.create(connector=m.draft, condition="all")
    assert "Throw away… Draft Its keys and the 3 lines of its tables are lost. It has sent nothing." in text_of(
        "/connectors/new/"
    )


def test_stopping_a_replay_says_how_many_are_left_out(m: Any) -> None:
    Replay.objects.update(up_to_id=2**40)  # there is more to make
    delivery_of(m.failed.event, m.connector, "delivered", replay_of=m.failed, replay=m.replay)
    assert "4 events not sent yet: left out. Stop" in text_of("/replays/")
    page = text_of(f"/replays/{m.replay.pk}/")
    assert "4 not sent yet" in page
    assert "Stop What is not sent by then is left out." in page


def test_removing_practice_data_says_how_much_goes(m: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.queue.practise", lambda *args, **kwargs: None)
    practice.load("Ann")
    fill(m, Connector.objects.filter(vendor="practice")[0], "delivered", 3, 100)
    assert "Remove practice data deletes 4 connectors and 3 deliveries" in text_of("/settings/")
    assert "deletes" not in text_of("/settings/", "viewer")
