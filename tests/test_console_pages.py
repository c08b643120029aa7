"""Every page of the console, as each role, with little and with much, and what must never stand in one."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.roles import Role
from deliveries import hold
from deliveries.models import Delivery, Replay
from integrations.models import Connector, Source, WriteKey
from tests.console import attempt_of, delivery_of, event_of, made, person

pytestmark = pytest.mark.django_db
EVERYBODY = set(Role.values)
OPERATOR, EDITOR, OWNER = EVERYBODY - {"viewer"}, {"editor", "owner"}, {"owner"}
PAGES: dict[str, set[str]] = {
    "/": EVERYBODY,
    "/deliveries/": EVERYBODY,
    "/deliveries/?view=look": EVERYBODY,
    "/deliveries/?cause=key_refused&range=24h&q=user_1": EVERYBODY,
    "/deliveries/live/?newest=1": EVERYBODY,
    "/deliveries/export/": EVERYBODY,
    "/deliveries/{failed}/": EVERYBODY,
    "/deliveries/{held}/": EVERYBODY,
    "/events/": EVERYBODY,
    "/events/?view=refused": EVERYBODY,
    "/events/{event}/": EVERYBODY,
    "/replays/": EVERYBODY,
    "/replays/{replay}/": EVERYBODY,
    "/replays/{replay}/live/": EVERYBODY,
    "/replays/new/?status=failed": OPERATOR,
    "/find/": OPERATOR,
    "/find/?q=user_1": OPERATOR,
    "/connectors/": EVERYBODY,
    "/connectors/{connector}/": EVERYBODY,
    "/connectors/{paused}/": EVERYBODY,
    "/connectors/{off}/": EVERYBODY,
    "/connectors/{draft}/": EVERYBODY,
    "/connectors/{connector}/export/": EVERYBODY,
    "/connectors/{connector}/test/": OPERATOR,
    "/connectors/{connector}/preview/": OPERATOR,
    "/connectors/new/": EDITOR,
    "/connectors/new/segment/": EDITOR,
    "/connectors/{draft}/setup/keys/": EDITOR,
    "/connectors/{draft}/setup/events/": EDITOR,
    "/connectors/{draft}/setup/test/": EDITOR,
    "/connectors/{draft}/setup/on/": EDITOR,
    "/sources/": EVERYBODY,
    "/sources/{source}/": EVERYBODY,
    "/sources/add/": EDITOR,
    "/sources/add/?service=customerio": EDITOR,
    "/sources/{source}/first/": EVERYBODY,
    "/problems/": EVERYBODY,
    "/problems/?view=ended": EVERYBODY,
    "/problems/{problem}/": EVERYBODY,
    "/alerts/": EVERYBODY,
    "/history/": EVERYBODY,
    "/history/export/": EVERYBODY,
    "/names/": EVERYBODY,
    "/addresses/": EVERYBODY,
    "/settings/": EVERYBODY,
    "/two-step/": EVERYBODY,
    "/jobs/": OWNER,
    "/jobs/live/": OWNER,
    "/people/": OWNER,
    "/people/add/": OWNER,
    "/tokens/": OWNER,
    "/password_change/": EVERYBODY,
}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)


def address(page: str, m: Any) -> str:
    names = ("failed", "held", "replay", "connector", "paused", "off", "draft", "problem")
    ids = {name: getattr(m, name).pk for name in names}
    return page.format(event=m.failed.event_id, source=m.source.pk, **ids)


@pytest.mark.parametrize("page", PAGES)
def test_page_by_role(page: str) -> None:
    m = made()
    found = {role for role in EVERYBODY if person(role).get(address(page, m)).status_code == 200}
    assert found == PAGES[page]
    assert {person(role).get(address(page, m)).status_code for role in EVERYBODY - found} <= {403}
    answer = Client().get(address(page, m))
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/login/")


@pytest.mark.parametrize("page", PAGES)
def test_no_inline_style_or_script_and_not_too_big(page: str) -> None:
    m = made()
    html = person("owner").get(address(page, m)).content.decode()
    assert "<style" not in html
    assert " style=" not in html
    assert "<script>" not in html
    assert " onclick=" not in html
    assert len(html) < 100_000


def test_secrets_are_in_no_page() -> None:
    m = made()
    client = person("owner")
    for page in PAGES:
        html = client.get(address(page, m)).content.decode()
        assert "wk_very_secret_1234" not in html, page
        assert m.key.key not in html, page


def test_an_answer_with_markup_is_shown_and_not_run() -> None:
    m = made()
    attempt_of(m.failed, 401, "<script>alert(1)</script>", number=2, detail="<img src=x onerror=alert(1)>")
    html = person("owner").get(f"/deliveries/{m.failed.pk}/").content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


LISTS = (
    *("/", "/deliveries/", "/events/", "/connectors/", "/sources/", "/replays/", "/names/", "/problems/", "/history/"),
    "/find/?q=user_9",
)


@pytest.mark.parametrize("page", LISTS)
def test_query_count_does_not_grow(page: str) -> None:
    m = made()

    def fill(count: int) -> None:
        for number in range(count):
            offset = Connector.objects.count() * 1000 + number
            other = Connector.objects.create(name=f"C {offset}", vendor="webhook")
            other.sources.add(m.source)
            WriteKey.issue(Source.objects.create(name=f"S {offset}"))
            event = event_of(m.source, offset, user_id="user_9")
            delivery_of(event, other, "failed", "timeout")
            delivery_of(event, m.connector, "delivered")

    def count() -> int:
        cache.clear()
        client = person("owner")
        client.get(page)
        cache.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(page).status_code == 200
        return len(queries)

    fill(5)
    few = count()
    fill(45)
    assert count() == few
    assert few <= 25


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("slug", ["segment", "suprsend", "webhook"])
def test_a_connectors_page_takes_at_most_25_queries(slug: str, resumed: bool) -> None:
    m = made()
    row = Connector.objects.create(name=slug, vendor=slug, status="paused", settings={"url": "https://example.com"})
    row.sources.add(m.source)
    for number in range(30):
        delivery_of(event_of(m.source, 100 + number), row, "held", "paused")
    if resumed:
        hold.resume(row, by="Ann", per_minute=1)
    client = person("owner")
    client.get(f"/connectors/{row.pk}/")
    cache.clear()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/connectors/{row.pk}/").status_code == 200
    assert len(queries) <= 25


def test_delivery_page_says_what_happened_and_what_to_do() -> None:
    m = made()
    html = person("operator").get(f"/deliveries/{m.failed.pk}/").content.decode()
    assert "Segment refused the write key." in html
    assert "What to do:" in html
    assert "https://api.segment.io/v1/batch" in html
    assert "Invalid key" in html


def test_need_a_look_forgets_what_was_replayed() -> None:
    m = made()
    link = f'href="/deliveries/{m.failed.pk}/"'
    client = person("owner")
    assert link in client.get("/deliveries/?view=look").content.decode()
    delivery_of(m.failed.event, m.connector, "delivered", replay_of=m.failed)
    assert link not in client.get("/deliveries/?view=look").content.decode()


def test_who_replayed_it_stands_on_both_pages_after_it_was_sent() -> None:
    m = made()
    client = person("operator")
    client.post(f"/deliveries/{m.failed.pk}/replay/")
    new = Delivery.objects.get(replay_of=m.failed)
    Delivery.objects.filter(pk=new.pk).update(status="delivered", notes="Left out: x.", next_attempt_at=None)
    many = Replay.objects.create(state="done", created_by="Bob Smith")
    delivery_of(m.failed.event, m.connector, "failed", "timeout", replay_of=m.failed, replay=many)
    assert "by Operator Jones from" in client.get(f"/deliveries/{new.pk}/").content.decode()
    html = client.get(f"/deliveries/{m.failed.pk}/").content.decode()
    assert [name in html for name in ("by Operator Jones", "by Bob Smith")] == [True, True]


def test_the_answers_to_choose_from_are_those_in_the_log() -> None:
    m = made()
    attempt_of(m.failed, 418, number=2)
    attempt_of(m.failed, 599, number=3)
    client = person("viewer")
    page = client.get("/deliveries/?answer=418")
    assert page.context["answers"] == [("401", "401 Unauthorized"), ("418", "418 I'm a Teapot"), ("599", "599")]
    assert [row.pk for row in page.context["page"].rows] == [m.failed.pk]


def test_newer_and_older_meet() -> None:
    m = made()
    event = event_of(m.source, 50)
    rows = [delivery_of(event, m.connector, "delivered") for _ in range(60)]
    ids = [row.pk for row in reversed(rows)] + [m.held.pk, m.delivered.pk, m.failed.pk]
    client = person("owner")

    def page(query: str) -> Any:
        return client.get(f"/deliveries/{query}").context["page"]

    first = page("")
    second = page(f"?before={first.older}")
    third = page(f"?before={second.older}")
    assert [row.pk for part in (first, second, third) for row in part.rows] == ids
    assert (first.newer, third.older) == (None, None)
    assert [row.pk for row in page(f"?after={third.newer}").rows] == [row.pk for row in second.rows]
    assert [row.pk for row in page(f"?after={second.newer}").rows] == [row.pk for row in first.rows]


@pytest.mark.parametrize("query", ["before=x", "connector=nobody", "status=green", "since=never", "q=%00", "cause=x"])
def test_filters_that_make_no_sense_are_said_not_raised(query: str) -> None:
    made()
    answer = person("owner").get(f"/deliveries/?{query}")
    assert answer.status_code == 200
    assert answer.context["error"] or not answer.context["page"].rows


@pytest.mark.parametrize("role", ["viewer", "operator", "editor", "owner"])
def test_no_link_of_the_navigation_leads_to_a_refusal(role: str) -> None:
    client = person(role)
    links = [link for group in client.get("/").context["console_nav"] for link in group["links"]]
    assert {link["label"]: client.get(link["url"]).status_code for link in links} == {
        link["label"]: 200 for link in links
    }
    assert ("Find a person" in {link["label"] for link in links}) == (role != "viewer")


def test_a_refusal_says_so_once_and_what_to_do() -> None:
    answer = person("viewer").get("/people/")
    html = answer.content.decode()
    assert answer.status_code == 403
    assert html.count("Your role does not allow this") == 1
    assert "Nothing was changed. Ask an owner of this Signalbox for another role." in html


def test_an_answer_stands_once_on_the_page_of_its_delivery() -> None:
    """And what is copied for an engineer has the milliseconds."""
    m = made()
    m.failed.log.update(detail="upstream down", response_body="upstream down", duration_ms=7)
    page = person("operator").get(f"/deliveries/{m.failed.pk}/").content.decode()
    assert "<h3>Their answer</h3><p>Answered 401</p>" in page
    assert ">upstream down</pre>" in page
    assert " · 7 ms · answered 401" in page
    m.failed.log.update(detail="phone: not a number", response_body='{"errors": [{"phone": "not a number"}]}')
    page = person("operator").get(f"/deliveries/{m.failed.pk}/").content.decode()
    assert "<h3>Their answer</h3><p>Answered 401: phone: not a number</p>" in page
