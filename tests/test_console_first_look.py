"""What a newcomer sees first: the set-up page, and an Overview on which nothing happened yet, or one day only."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from config.models import SetupLink
from deliveries.admin import overview
from deliveries.admin.charts import Bar, nice, stacked
from deliveries.alarm import AlertTarget
from deliveries.health import Facts, judge
from deliveries.models import Status
from integrations.models import Connector, Source
from tests.console import delivery_of, event_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def test_three_fields_lead_to_the_overview_which_offers_the_second_step() -> None:
    link, visitor = SetupLink.issue(), Client()
    page = visitor.get(f"/setup/{link}/", follow=True).content.decode()
    assert page.count("data-strength") == 1
    answers = {"name": "Ann <b>", "email": "ann@example.com", "password": "correct horse staple"}
    overview = visitor.post(f"/setup/{link}/", answers, follow=True)
    assert overview.redirect_chain[-1][0] == "/"
    words = overview.content.decode()
    assert "Welcome, Ann &lt;b&gt;. Turn on two-step login?" in words
    assert '<a href="/two-step/">Turn it on</a>' in words
    assert "two-step login?" not in visitor.get("/").content.decode()  # said once


def test_where_nothing_is_connected_practice_data_is_offered_before_the_numbers() -> None:
    page = person("owner").get("/").content.decode()
    assert page.index("Load practice data") < page.index("Need a look")
    assert "Nothing was delivered in this time." in page
    assert "nothing was delivered yet" in page
    assert "Connectors, worst first" not in page


def first_steps(role: str = "owner") -> list[tuple[bool, str, str]]:
    """Each line of the checklist: done, where it leads, its words."""
    cache.clear()
    page = person(role).get("/").content.decode()
    card = re.search(r"<h2>First steps</h2>(.*?)</section>", page, re.DOTALL)
    lines = re.findall(r'<li class="(.*?)">(.*?)</li>', card[1], re.DOTALL) if card else []
    places = [re.findall(r'href="(.*?)"', inner) for _, inner in lines]
    return [
        (done == "good", place[0] if place else "", " ".join(re.sub(r"<[^>]+>", " ", inner).split()))
        for (done, inner), place in zip(lines, places, strict=True)
    ]


def test_the_first_steps_are_four_and_lead_to_what_is_missing() -> None:
    account, alerts = (True, "", "Account"), (False, "/alerts/", "Tell us where to send alerts")
    connect, test = "Connect your first service", "Send a test event"
    nothing = [account, (False, "/connectors/new/", connect), (False, "/connectors/", test), alerts]
    assert first_steps() == nothing
    practised = Connector.objects.create(name="P", vendor="practice", status_at=timezone.now())
    Source.objects.create(name="Practice website", settings={"practice": True})
    assert first_steps() == [*nothing[:2], (False, f"/connectors/{practised.pk}/test/", test), alerts]
    source = Source.objects.create(name="website")
    assert first_steps()[1] == (
        False,
        "/connectors/new/",
        f"{connect} A source is there. Now choose where its events go.",
    )
    source.delete()
    to = Connector.objects.create(name="To", vendor="segment", status_at=timezone.now())
    words = f"{connect} To is set up. Now say where its events come from."
    assert first_steps()[1:3] == [(False, "/sources/add/", words), (False, f"/connectors/{to.pk}/test/", test)]
    Source.objects.create(name="website")
    Connector.objects.update(tested_at=timezone.now())
    assert first_steps() == [account, (True, "", connect), (True, "", test), alerts]
    AlertTarget.objects.create(kind="email", name="ops", address="ops@example.com")
    assert first_steps() == []


def test_who_may_not_connect_anything_has_no_first_steps() -> None:
    assert [len(first_steps(role)) for role in ("viewer", "operator", "editor")] == [0, 0, 4]


def test_the_numbers_are_compared_with_the_day_before() -> None:
    source = Source.objects.create(name="website")
    to = Connector.objects.create(name="To", vendor="segment", status_at=timezone.now())
    yesterday = timezone.now() - timedelta(hours=30)
    for number, (status, at, seconds) in enumerate(
        [("delivered", yesterday, 4), ("failed", yesterday, 1), ("failed", yesterday, 1), ("delivered", None, 2)]
    ):
        row = delivery_of(event_of(source, number, **({"received_at": at} if at else {})), to, status)
        row.finished_at = row.created_at + timedelta(seconds=seconds)
        row.save()
    found = overview.numbers(timezone.now())
    wanted = {"delivered": 1, "ended": 1, "delivered_before": 1, "failed_before": 2, "success": 100.0}
    wanted |= {"success_change": 66.7, "typical": 2000.0, "typical_before": 4000.0, "look": 0}
    assert {name: found[name] for name in wanted} == wanted
    page = person("owner").get("/").content.decode()
    assert "typical 4 s the day before" in page
    assert "2 failed the day before" in page


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        ({"oldest_due": timedelta(minutes=6)}, "Slow"),
        ({"retrying": 1}, "Retrying"),
        ({"delivered": 95, "failed": 5}, "Some fail"),
        ({"delivered": 5}, "Working"),
    ],
)
def test_an_amber_badge_says_what_it_stands_for(facts: dict[str, Any], label: str) -> None:
    now = timezone.now()
    if "oldest_due" in facts:
        facts = {"oldest_due": now - facts["oldest_due"]}
    found = judge(Facts(tested=True, received=9, last=[(Status.DELIVERED, "")], **facts), now)
    assert found.label == label
    assert found.code == ("working" if label == "Working" else "slow")


def test_half_of_an_axis_is_a_whole_number() -> None:
    assert [nice(value) for value in (0, 5, 11, 90, 250)] == [4, 10, 20, 100, 400]
    chart = stacked([Bar("10:00", {"delivered": 3})], "")
    assert ">4</text>" in chart
    assert ">2</text>" in chart
    assert "Nothing was delivered" not in chart


def test_what_was_never_sent_is_promised_no_tries() -> None:
    to = Connector.objects.create(name="To", vendor="segment", status_at=timezone.now())
    row = delivery_of(event_of(Source.objects.create(name="website"), 1), to, "skipped", "switched_off")
    page = person("operator").get(f"/deliveries/{row.pk}/").content.decode()
    assert "<dt>Tries</dt><dd>0</dd>" in page
    row.status, row.cause, row.attempts, row.sent_as = "retrying", "timeout", 1, "Response Submitted"
    row.next_attempt_at, row.finished_at = timezone.now(), None
    row.save()
    page = person("operator").get(f"/deliveries/{row.pk}/").content.decode()
    assert "<dt>Tries</dt><dd>1 of at most 9</dd>" in page
    assert "<dt>Sent as</dt>" not in page  # under its own name
