"""The console in a real browser under its real Content-Security-Policy: no console error, no axe violation, nothing too
heavy, and the main path by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import resolve
from django.utils import timezone

from benchmarks import console_pages
from config.models import User
from deliveries.models import Delivery, Resumption
from integrations.models import Connector
from tests.console import attempt_of, delivery_of, event_of, made, person

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse staple"
LOOKS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "phone": (390, 844, "light")}
# Parts that a script puts into a page; they are looked at there.
PIECES = {
    *("source_first", "integrations_connector_preview", "deliveries_delivery_live", "deliveries_replay_live"),
    *("jobs_live", "integrations_connector_preview_new", "integrations_connector_resuming"),
    "deliveries_delivery_result",
}
KILOBYTES, REQUESTS = 150, 12


@pytest.fixture
def rows() -> Any:
    cache.clear()
    User.objects.create_user("owner@example.com", PASSWORD, name="Owner Jones", role="owner")
    return made()


def addresses(m: Any) -> list[str]:
    return [
        "/", "/?range=7d", "/deliveries/", "/deliveries/?view=look", "/deliveries/?view=held&q=nobody",
        f"/deliveries/{m.failed.pk}/", f"/deliveries/{m.held.pk}/", "/events/", f"/events/{m.failed.event_id}/",
        "/replays/", f"/replays/{m.replay.pk}/", "/replays/new/?status=failed", "/find/?q=user_1", "/names/",
        "/problems/", f"/problems/{m.problem.pk}/", "/alerts/", "/connectors/", f"/connectors/{m.connector.pk}/",
        f"/connectors/{m.paused.pk}/", f"/connectors/{m.off.pk}/", f"/connectors/{m.connector.pk}/test/",
        "/connectors/new/", "/connectors/new/suprsend/", f"/connectors/{m.draft.pk}/setup/region/",
        f"/connectors/{m.draft.pk}/setup/events/", f"/connectors/{m.draft.pk}/setup/test/",
        f"/connectors/{m.draft.pk}/setup/on/", "/sources/", f"/sources/{m.source.pk}/", "/sources/add/",
        "/sources/add/?service=customerio", "/people/", "/people/add/", "/tokens/", "/history/", "/addresses/",
        "/addresses/add/", "/password_change/", "/jobs/", "/django_q/schedule/", "/settings/", "/two-step/",
        "/books/", "/find/erase/?q=user_1", f"/people/{m.viewer.pk}/", f"/addresses/{m.address.pk}/",
        "/password_change/done/", "/settings/import/", "/django_q/success/", "/django_q/failure/",
    ]  # fmt: skip


def under_way(m: Any) -> list[str]:
    """The pages that show how far something is while it goes on, with it going on."""
    again = delivery_of(m.failed.event, m.connector, "retrying", "service_error", replay_of=m.failed, attempts=1)
    attempt_of(again, 503)
    Resumption.objects.create(connector=m.paused, by="Ann", total=3, per_minute=60, started_at=timezone.now())
    return [f"/deliveries/{m.failed.pk}/?replayed={again.pk}", f"/connectors/{m.paused.pk}/"]


@pytest.fixture
def page(browser: Any, live_server: Any, rows: Any) -> Iterator[Callable[..., Any]]:
    """Opens a signed-in page of a certain look; at the end there must have been no error in the browser's console."""
    contexts, errors = [], []

    def open_page(look: str = "light", path: str = "/") -> Any:
        width, height, scheme = LOOKS[look]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: errors.append((page.url, said.text)) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append((page.url, str(error))))
        page.goto(f"{live_server.url}/login/?next={path}")
        page.fill("#id_username", "owner@example.com")
        page.fill("#id_password", PASSWORD)
        page.click("input[type=submit]")
        page.wait_for_load_state()  # a key pressed while the page is still being read would reach no control of it
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_fits(page: Any, live_server: Any, rows: Any, axe: str, look: str) -> None:
    found, opened = {}, page(look)
    for address in [*addresses(rows), *under_way(rows)]:
        answer = opened.goto(live_server.url + address)
        assert answer.status == 200, address
        width = opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{address} is {width} pixels too wide"
        if axe:
            # Run by the debugger, which the page's policy does not bind; the policy stays as it is.
            opened.evaluate(axe)
            result = opened.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
            for violation in result["violations"]:
                found[address, violation["id"]] = [node["html"][:160] for node in violation["nodes"]][:3]
    assert found == {}


def test_accessibility_was_looked_at(axe: str) -> None:
    if not axe:
        pytest.skip("there is no npm to install axe-core with: only widths, statuses and the console were checked")


def test_no_page_is_left_out(rows: Any) -> None:
    """What this file opens are all the pages that the table of addresses has for an owner."""
    made = {**console_pages.make(), "middle": 1}
    console_pages.grow({**made, "connectors": [rows.connector.pk]}, 1)
    client = person("owner")
    pages = {address.partition("?")[0] for address in console_pages.pages(made)}
    answers = {path: client.get(path) for path in pages}
    there = {
        resolve(path).url_name
        for path, answer in answers.items()
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    }
    seen = {resolve(address.partition("?")[0]).url_name for address in addresses(rows)}
    assert there - seen == PIECES


def test_first_visit_is_light(page: Any, live_server: Any, rows: Any, browser: Any) -> None:
    cookies = page().context.cookies()
    for address in addresses(rows):
        context = browser.new_context()
        context.add_cookies(cookies)
        fresh, seen = context.new_page(), []
        fresh.on("response", lambda answer, seen=seen: seen.append(len(answer.body())))
        fresh.goto(live_server.url + address, wait_until="networkidle")
        context.close()
        assert sum(seen) <= KILOBYTES * 1000, f"{address} weighs {sum(seen)} bytes"
        assert len(seen) <= REQUESTS, f"{address} makes {len(seen)} requests"


def tab_to(page: Any, words: str, most: int = 120) -> None:
    """Press Tab until the focused control says ``words``, as a person without a mouse would."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(  # with the focus nowhere the active element is the body, which contains every word
            "(() => { const e = document.activeElement; const label = e.labels && e.labels[0];"
            " if (e === document.body) return '';"
            " return e.getAttribute('aria-label') || label?.textContent || e.textContent || e.value || ''; })()"
        )
        if words in said:
            return
    raise AssertionError(f"“{words}” cannot be reached with Tab on {page.url}")


def test_main_path_by_keyboard(page: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a connector, turn it on, see a failure, put in a new key, replay."""
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)
    at = page("light", "/connectors/")
    tab_to(at, "Add a connector")
    at.keyboard.press("Enter")
    at.wait_for_url("**/connectors/new/")
    tab_to(at, "Webhook")
    at.keyboard.press("Enter")
    at.wait_for_url("**/new/webhook/")
    tab_to(at, "Address")
    at.keyboard.type("https://hooks.example.com/in")
    tab_to(at, "Save and continue")
    at.keyboard.press("Enter")
    at.wait_for_url("**/setup/events/")
    tab_to(at, "Add an event")
    at.keyboard.press("Enter")
    at.keyboard.type("Flow Viewed")
    tab_to(at, "Save and continue")
    at.keyboard.press("Enter")
    at.wait_for_url("**/setup/test/")
    tab_to(at, "Continue without a test")
    at.keyboard.press("Enter")
    at.wait_for_url("**/setup/on/")
    tab_to(at, "website")
    at.keyboard.press("Space")
    tab_to(at, "Turn on")
    at.keyboard.press("Enter")
    at.wait_for_selector("text=is on.")
    row = Connector.objects.get(name="Webhook – production")
    assert (row.status, [rule.name for rule in row.rules.all()]) == ("active", ["Flow Viewed"])

    at.goto(at.url.split("/connectors")[0] + "/deliveries/?view=look")
    at.keyboard.press("j")
    at.keyboard.press("Enter")
    at.wait_for_url(f"**/deliveries/{rows.failed.pk}/")
    assert "refused the write key" in at.inner_text("main")
    tab_to(at, "Open connector")
    at.keyboard.press("Enter")
    at.wait_for_url(f"**/connectors/{rows.connector.pk}/")
    tab_to(at, "Write key")
    at.keyboard.type("fresh_key_12345678")
    tab_to(at, "Save changes")
    at.keyboard.press("Enter")
    at.wait_for_selector("text=Saved")
    assert Connector.objects.get(pk=rows.connector.pk).secrets == {"write_key": "fresh_key_12345678"}

    at.goto(at.url.split("/connectors")[0] + f"/deliveries/{rows.failed.pk}/")
    tab_to(at, "Replay this event")
    at.keyboard.press("Enter")
    tab_to(at, "Replay")
    while at.evaluate("document.activeElement.type") != "submit":
        at.keyboard.press("Tab")
    at.keyboard.press("Enter")
    at.wait_for_selector("text=is on its way")
    assert rows.failed.replays.count() == 1


def test_preview_follows_what_is_typed(page: Any, rows: Any) -> None:
    at = page("light", f"/connectors/{rows.connector.pk}/")
    at.fill("#id_prefix", "demo: ")
    at.wait_for_selector("#panel >> text=demo: Response Submitted")
    assert Connector.objects.get(pk=rows.connector.pk).prefix == ""


def test_live_list_leaves_the_control_in_focus_alone(page: Any, rows: Any) -> None:
    at = page("light", "/deliveries/")
    at.clock.install()
    at.reload()

    def next_round() -> None:
        delivery_of(event_of(rows.source, Delivery.objects.count() + 100), rows.connector, "delivered")
        with at.expect_response("**/deliveries/live/**"):
            at.clock.fast_forward(5_000)

    next_round()
    show = at.get_by_role("link", name="Show", exact=True)
    show.focus()
    assert at.get_by_text("1 new").count() == 1
    next_round()
    at.evaluate("new Promise(done => requestAnimationFrame(done))")
    assert at.evaluate("document.activeElement.textContent") == "Show"
    show.blur()
    next_round()
    at.get_by_text("3 new").wait_for()
    show.click()
    at.wait_for_url("**/deliveries/?")
    assert at.locator("tbody tr").count() == 6


def test_nothing_clickable_is_for_the_mouse_only(page: Any, live_server: Any, rows: Any) -> None:
    at = page()
    for address in addresses(rows):
        at.goto(live_server.url + address)
        lost = at.evaluate(
            "[...document.querySelectorAll('[onclick], [role=button]')]"
            ".filter(e => e.tabIndex < 0).map(e => e.outerHTML)"
        )
        assert lost == [], address
        rows_without_link = at.evaluate(
            "[...document.querySelectorAll('tr[data-href]')].filter(r => !r.querySelector('a[href]')).length"
        )
        assert rows_without_link == 0, address
