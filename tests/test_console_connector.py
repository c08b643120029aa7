"""The connector's page: what is offered after a change, and the alerts that cover it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone

from deliveries.alarm import AlertRule, AlertTarget
from deliveries.models import Delivery
from integrations import history
from integrations.models import Connector, Source
from tests.console import connector_form, delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def m() -> Any:
    cache.clear()
    return made()  # two deliveries of the last 24 hours


def save(m: Any, role: str = "editor", **changes: str) -> str:
    """What the page says after it was saved."""
    data = {**connector_form(m.connector.region), "name": m.connector.name, **changes}
    answer = person(role).post(f"/connectors/{m.connector.pk}/", data, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


RENAME = {"rules-TOTAL_FORMS": "1", "rules-0-name": "A", "rules-0-send": "on", "rules-0-send_as": "B"}


def test_the_answer_and_the_history_name_the_sources(m: Any) -> None:
    shop = Source.objects.create(name="shop")
    assert save(m, sources=str(shop.pk)).startswith("Saved: Sources. It counts from now on")
    assert history.of(m.connector)[0].words == "Changed Sources"


def test_a_change_of_what_is_sent_offers_the_last_day_with_its_count(m: Any) -> None:
    old = event_of(m.source, 80, received_at=timezone.now() - timedelta(hours=25))
    delivery_of(old, m.connector, "delivered")
    said = save(m, **RENAME)
    assert "1 event now has a new name. It counts from now on; nothing already sent is changed." in said
    address = f"/replays/new/?connector={m.connector.pk}&amp;range=24h&amp;include_delivered=on"
    assert f'<a class="button tiny" href="{address}">Replay the last 24 h (2)…</a>' in said
    failed = f"/replays/new/?connector={m.connector.pk}&amp;status=failed"
    assert f'<a class="button tiny" href="{failed}">Replay what failed (1)…</a> <a' in said
    delivery_of(m.failed.event, m.connector, "delivered", replay_of=m.failed)
    said = save(m, prefix="z: ")
    assert ("Replay what failed" in said, "Replay the last 24 h (3)…" in said) == (False, True)
    Delivery.objects.filter(replay_of=m.failed).delete()
    page = person("editor").get(address.replace("&amp;", "&"))
    assert page.context["preview"]["total"] == 2


@pytest.mark.parametrize("changes", [{"name": "Another"}, {"notes": "Ask Ann."}, {"rate_limit_per_second": "5"}])
def test_a_change_that_alters_nothing_sent_offers_nothing(m: Any, changes: dict[str, str]) -> None:
    said = save(m, **changes)
    assert "It counts from now on" in said
    assert "Replay" not in said


def test_nothing_is_offered_where_nothing_would_go_out(m: Any) -> None:
    Connector.objects.filter(pk=m.connector.pk).update(status="paused", status_at=timezone.now())
    assert "Replay" not in save(m, prefix="x: ")
    Connector.objects.filter(pk=m.connector.pk).update(status="active")
    assert "Replay the last 24 h (2)" in save(m, prefix="y: ")


def test_markup_in_a_name_stays_text(m: Any) -> None:
    said = save(m, **{**RENAME, "name": "<b>x</b>"})
    assert "<b>x" not in person("editor").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "<b>" not in said


# --- Alerts -----------------------------------------------------------------------------------------------------------


def covered(m: Any) -> dict[str, tuple[int, bool, bool]]:
    page = person("viewer").get(f"/connectors/{m.connector.pk}/")
    return {rule.kind: (rule.limit, rule.on, rule.own is not None) for rule in page.context["own_alerts"]}


def test_the_page_says_which_rules_cover_it(m: Any) -> None:
    AlertRule.objects.create(kind="overdue", limit=20, enabled=False)
    AlertRule.objects.create(kind="held", limit=50, connector=m.paused)
    assert covered(m) == {
        "key_refused": (1, True, False),
        "failing": (9, True, True),
        "overdue": (20, False, False),
        "held": (80, True, False),
        "quiet": (24, False, False),
        "stopping": (1, True, False),
        "stopped": (1, True, False),
        "books": (1, True, False),
    }
    html = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert '<a href="#alerts">Alerts</a>' in html
    assert 'name="limit"' not in html
    assert 'name="limit"' in person("editor").get(f"/connectors/{m.connector.pk}/").content.decode()


def test_its_own_limit_is_set_and_given_up_on_its_page_and_keeps_who_is_told(m: Any) -> None:
    m.rule.targets.set([m.target])
    client, back = person("editor"), f"/connectors/{m.connector.pk}/#alerts"
    data = {"kind": "failing", "limit": "30", "connector": str(m.connector.pk), "back": "connector"}
    assert client.post("/alerts/rules/own/", data)["Location"] == back
    assert covered(m)["failing"] == (30, False, True)
    assert list(AlertRule.objects.get(pk=m.rule.pk).targets.all()) == [m.target]
    assert client.post(f"/alerts/rules/own/{m.rule.pk}/remove/", {"back": "connector"})["Location"] == back
    assert covered(m)["failing"] == (5, True, False)
    assert history.of(m.connector)[0].words == "Removed its own alert rule"
    del data["back"]
    assert client.post("/alerts/rules/own/", data)["Location"] == "/alerts/"


def told(m: Any, kind: str = "failing") -> list[str]:
    page = person("viewer").get(f"/connectors/{m.connector.pk}/")
    return next(rule.told for rule in page.context["own_alerts"] if rule.kind == kind)


def test_the_page_says_who_is_told_as_an_alert_would_be(m: Any) -> None:
    """Whom its own rule names, else whom the usual one does, else everybody; not who is switched off."""
    boss = AlertTarget.objects.create(kind="email", name="boss", address="boss@example.com")
    assert (told(m), told(m, "held")) == (["ops", "boss"], ["ops", "boss"])
    usual = AlertRule.objects.create(kind="failing", limit=5)
    usual.targets.set([m.target])
    assert told(m) == ["ops"]
    m.rule.targets.set([boss, m.hook])
    assert told(m) == ["boss"]
    boss.enabled = False
    boss.save()
    assert told(m) == ["ops"]
    AlertTarget.objects.all().delete()
    page = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert page.count('<td class="wrap" data-label="Who is told">nobody yet</td>') == len(covered(m))


def test_a_test_alert_of_its_own_rule_goes_to_whom_that_names(m: Any) -> None:
    boss = AlertTarget.objects.create(kind="email", name="boss", address="boss@example.com")
    m.rule.targets.set([boss])
    client, data = person("operator"), {"connector": str(m.connector.pk), "back": "connector"}
    answer = client.post("/alerts/rules/failing/test/", data)
    assert answer["Location"] == f"/connectors/{m.connector.pk}/#alerts"
    assert [message.to for message in mail.outbox] == [["boss@example.com"]]
    assert client.post("/alerts/rules/failing/test/", {"connector": str(m.paused.pk)})["Location"] == "/alerts/"
    assert sorted(message.to[0] for message in mail.outbox[1:]) == ["boss@example.com", "ops@example.com"]
    assert client.post("/alerts/rules/failing/test/", {"connector": "99999"}).status_code == 404
    assert person("viewer").post("/alerts/rules/failing/test/", data).status_code == 403
    assert len(mail.outbox) == 3
    assert "Test alert" not in person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "Test alert" in client.get(f"/connectors/{m.connector.pk}/").content.decode()


# --- What stands at the top, and beside the mapping -------------------------------------------------------------------


def test_the_head_says_when_it_delivered_last(m: Any) -> None:
    head = r'<div class="sub">Segment( · last delivered <time [^>]+>just now</time>)?'
    found = [
        re.search(head, person("viewer").get(f"/connectors/{pk}/").content.decode())
        for pk in (m.connector.pk, m.draft.pk)
    ]
    assert [bool(one and one[1]) for one in found] == [True, False]


def test_one_that_stopped_by_itself_says_so_and_not_that_it_is_paused(m: Any) -> None:
    stopped = {"status": "paused", "status_by": "Signalbox", "status_reason": "The key was refused 20 times in a row."}
    Connector.objects.filter(pk=m.connector.pk).update(**stopped, status_at=timezone.now())
    html = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert '<span class="pill paused">Stopped</span>' in html
    assert "<strong>Stopped by Signalbox, " in html
    assert "The key was refused 20 times in a row." in html
    assert '<span class="pill paused">Stopped</span>' in person("viewer").get("/connectors/").content.decode()
    Connector.objects.filter(pk=m.connector.pk).update(status_by="Ann")
    cache.clear()
    html = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert '<span class="pill paused">Paused</span>' in html
    assert "<strong>Paused by Ann, " in html


def test_why_somebody_paused_it_ends_where_the_next_sentence_begins(m: Any) -> None:
    changes: dict[str, Any] = {"status": "paused", "status_by": "Ann", "status_reason": "Moving house"}
    later = timezone.now() + timedelta(hours=2)
    Connector.objects.filter(pk=m.connector.pk).update(**changes, status_at=timezone.now(), resume_at=later)
    html = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "0 held.</strong> “Moving house” Resumes by itself <time" in html
    Connector.objects.filter(pk=m.connector.pk).update(status="off", resume_at=None)
    html = person("viewer").get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "Events are not kept for it. “Moving house”</span>" in html


def test_beside_the_mapping_stands_that_it_counts_from_now_on(m: Any) -> None:
    to = Connector.objects.create(name="To", vendor="suprsend", status_at=timezone.now())
    note = '<p class="banner warn"><span>Changes count from now on.'
    button = 'form="identifies">Replay past identify events</button>'
    pages = {
        role: person(role).get(f"/connectors/{to.pk}/").content.decode() for role in ("viewer", "operator", "editor")
    }
    assert {role: (note in html, html.count(button)) for role, html in pages.items()} == {
        "viewer": (True, 0),
        "operator": (True, 1),
        "editor": (True, 1),
    }
    operators = pages["operator"]
    assert operators.index(button) > operators.index("</fieldset><aside>")  # what is in the fieldset cannot be pressed
    draft = Connector.objects.create(name="Draft to", vendor="suprsend", status="off")
    html = person("editor").get(f"/connectors/{draft.pk}/setup/mapping/").content.decode()
    assert (note in html, html.count(button)) == (True, 0)


# --- The strip --------------------------------------------------------------------------------------------------------


def test_each_number_of_the_strip_leads_to_as_many_deliveries(m: Any) -> None:
    """Also once what failed was replayed, and while some of what waits is being sent."""
    for number, status in enumerate(("waiting", "waiting", "retrying", "skipped", "failed"), 60):
        cause = "timeout" if status in ("retrying", "failed", "skipped") else ""
        delivery_of(event_of(m.source, number), m.connector, status, cause)
    Delivery.objects.filter(event__message_id="m60").update(status="sending")
    delivery_of(m.failed.event, m.connector, "delivered", replay_of=m.failed)
    client = person("viewer")
    page = client.get(f"/connectors/{m.connector.pk}/").content.decode()
    strip = page[page.index('<nav class="pipeline"') :].split("</nav>")[0]
    numbers = re.findall(r'href="([^"]+)"><b>(\d+)</b>(\w+)</a>', strip)
    assert {name: int(shown) for _, shown, name in numbers} == {
        "Received": 8, "Skipped": 1, "Waiting": 2, "Retrying": 1, "Delivered": 2, "Failed": 2,
    }  # fmt: skip
    for address, shown, _ in numbers:
        assert len(client.get(address.replace("&amp;", "&")).context["page"].rows) == int(shown)


def test_what_failed_leads_from_the_lists_to_as_many_deliveries(m: Any) -> None:
    delivery_of(m.failed.event, m.connector, "delivered", replay_of=m.failed)
    client = person("viewer")
    for page in ("/", "/connectors/"):
        address, shown = re.findall(r'href="([^"]+)">(\d+)</a></td>', client.get(page).content.decode())[0]
        assert len(client.get(address.replace("&amp;", "&")).context["page"].rows) == int(shown) == 1


def test_an_address_that_nothing_is_sent_to_is_not_asked_for(m: Any) -> None:
    """A webhook has its own among its keys; where there is a region, one of your own may take its place."""
    hook = Connector.objects.create(name="Hook", vendor="webhook", settings={"url": "https://a.example"}, status="off")
    client = person("editor")
    assert "Own address" not in client.get(f"/connectors/{hook.pk}/").content.decode()
    assert "Own address" in client.get(f"/connectors/{m.connector.pk}/").content.decode()
