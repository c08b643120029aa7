"""Every page of the console, as each role, with little and with much, and what must never stand in one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.models import SetupLink, User
from config.roles import Role
from integrations.models import Connector, EventRule, Source, WriteKey
from tests.console import attempt_of, connector_form, delivery_of, event_of, made, person

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
    "/connectors/{connector}/test/": OPERATOR,
    "/connectors/{connector}/preview/": OPERATOR,
    "/connectors/new/": EDITOR,
    "/connectors/new/segment/": EDITOR,
    "/connectors/{draft}/setup/region/": EDITOR,
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
    "/names/": EVERYBODY,
    "/addresses/": EVERYBODY,
    "/settings/": EVERYBODY,
    "/two-step/": EVERYBODY,
    "/people/": OWNER,
    "/people/add/": OWNER,
    "/tokens/": OWNER,
    "/password_change/": EVERYBODY,
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


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


@pytest.mark.parametrize("slug", ["segment", "suprsend", "webhook"])
def test_a_connectors_page_takes_at_most_25_queries(slug: str) -> None:
    m = made()
    row = Connector.objects.create(name=slug, vendor=slug, status="paused", settings={"url": "https://example.com"})
    row.sources.add(m.source)
    client = person("owner")
    client.get(f"/connectors/{row.pk}/")
    cache.clear()
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/connectors/{row.pk}/").status_code == 200
    assert len(queries) <= 25


def test_a_viewer_sees_no_personal_fields() -> None:
    m = made()
    viewer, operator = person("viewer"), person("operator")
    identify = {"type": "identify", "messageId": "i1", "userId": "u", "traits": {"email": "secret@example.com"}}
    event_of(m.source, 90, type="identify", name="", user_id="u", body=orjson.dumps(identify).decode())
    connector = f"/connectors/{m.connector.pk}/"
    assert "secret@example.com" in person("editor").get(connector).content.decode()
    assert "secret@example.com" not in viewer.get(connector).content.decode()
    for page in ("/deliveries/", f"/deliveries/{m.failed.pk}/", f"/events/{m.failed.event_id}/", "/deliveries/export/"):
        assert "user_1" in operator.get(page).content.decode(), page
        html = viewer.get(page).content.decode()
        assert "user_1" not in html, page
        assert "p1@example.com" not in html, page


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


def test_set_up_link_makes_the_first_owner_and_works_once() -> None:
    token, client = SetupLink.issue(), Client()
    assert client.get(f"/setup/{token}").status_code == 200
    data = {"name": "Ada", "email": "Ada@Example.com", "password": "correct horse staple"}
    weak = client.post(f"/setup/{token}/", {**data, "password": "password"})
    assert (weak.status_code, User.objects.count()) == (200, 0)
    answer = client.post(f"/setup/{token}/", data)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert list(User.objects.values_list("name", "email", "role")) == [("Ada", "ada@example.com", "owner")]
    assert client.get("/").status_code == 200
    assert Client().post(f"/setup/{token}/", {**data, "email": "eve@example.com"}).status_code == 410
    assert Client().get(f"/setup/{SetupLink.issue()}/").status_code == 410
    assert User.objects.count() == 1


def test_unknown_or_old_set_up_link_is_refused() -> None:
    token = SetupLink.issue()
    SetupLink.objects.update(created_at="2020-01-01T00:00:00Z")
    assert Client().get(f"/setup/{token}").status_code == 410
    assert Client().get("/setup/nonsense").status_code == 410


def test_key_is_shown_once_and_stored_nowhere_readable() -> None:
    client = person("editor")
    answer = client.post("/sources/add/?service=segment", {"name": "app"}, follow=True)
    key = WriteKey.objects.get(source__name="app").key
    assert key in answer.content.decode()
    assert key not in client.get(answer.request["PATH_INFO"]).content.decode()


def test_saving_a_connector_keeps_its_secret_and_writes_history() -> None:
    m = made()
    region = m.connector.region
    data = {
        **connector_form(region),
        "name": "Segment EU",
        "rules-TOTAL_FORMS": "1",
        "rules-0-name": "Response Submitted",
        "rules-0-send": "on",
        "rules-0-send_as": "survey_responded",
    }
    client = person("editor")
    assert client.post(f"/connectors/{m.connector.pk}/", data).status_code == 302
    row = Connector.objects.get(pk=m.connector.pk)
    assert (row.name, row.secrets) == ("Segment EU", {"write_key": "wk_very_secret_1234"})
    assert list(EventRule.objects.values_list("name", "send_as")) == [("Response Submitted", "survey_responded")]
    html = client.get(f"/connectors/{m.connector.pk}/").content.decode()
    assert "Segment – production" in html  # before → after, in the history
    client.post(
        f"/connectors/{m.connector.pk}/",
        {**connector_form(region), "name": "Segment EU", "secret_write_key": "fresh_key_987654"},
    )
    assert Connector.objects.get(pk=m.connector.pk).secrets == {"write_key": "fresh_key_987654"}
    assert "fresh_key_987654" not in client.get(f"/connectors/{m.connector.pk}/").content.decode()


def test_wizard_from_card_to_on() -> None:
    source, client = Source.objects.create(name="website"), person("editor")
    answer = client.post("/connectors/new/segment/", {"name": "New one", "secret_write_key": "wk_1234567890ab"})
    row = Connector.objects.get()
    assert (answer["Location"], row.status, row.status_at) == (f"/connectors/{row.pk}/setup/region/", "off", None)
    page = client.get(answer["Location"])
    region = page.context["form"].fields["region"].queryset.last()
    answer = client.post(answer["Location"], {"region": region.pk})
    assert answer["Location"] == f"/connectors/{row.pk}/setup/events/"
    tables = {f"{p}-{n}": "0" for p in ("rules", "filters") for n in ("TOTAL_FORMS", "INITIAL_FORMS")}
    answer = client.post(answer["Location"], {"prefix": "segment : ", "other_events": "send", **tables})
    assert answer["Location"] == f"/connectors/{row.pk}/setup/test/"
    answer = client.post(f"/connectors/{row.pk}/setup/on/", {"sources": [source.pk]})
    row.refresh_from_db()
    assert (answer["Location"], row.status, row.prefix, row.region) == (
        f"/connectors/{row.pk}/",
        "active",
        "segment : ",
        region,
    )
    assert row.secrets == {"write_key": "wk_1234567890ab"}
    assert list(row.sources.all()) == [source]


def test_preview_follows_the_form_and_saves_nothing() -> None:
    m = made()
    data = {
        **connector_form(m.connector.region),
        "name": "Segment – production",
        "rules-TOTAL_FORMS": "1",
        "rules-0-name": "Response Submitted",
        "rules-0-send": "on",
        "rules-0-send_as": "renamed_here",
    }
    html = person("operator").post(f"/connectors/{m.connector.pk}/preview/", data).content.decode()
    assert "renamed_here" in html
    assert EventRule.objects.count() == 0


def test_the_last_owner_stays() -> None:
    client = person("owner")
    owner = User.objects.get()
    answer = client.post(
        f"/people/{owner.pk}/", {"name": "O", "email": owner.email, "role": "viewer", "is_active": "on"}
    )
    assert "last owner" in answer.content.decode()
    assert User.objects.get().role == "owner"
