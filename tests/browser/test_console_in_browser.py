"""The console in a real browser under its real Content-Security-Policy: no console error, no axe violation, nothing too
heavy, and the main path by keyboard alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.urls import resolve
from django.utils import timezone

from benchmarks import console_pages
from config.models import SetupLink, User
from deliveries import replay
from deliveries.accept import Accepted, accept_now
from deliveries.core import normalise
from deliveries.engine.drain import Drain
from deliveries.models import Delivery, Resumption
from integrations.models import Connector
from tests.browser.conftest import PASSWORD
from tests.browser.visiting import NARROW_ENDS, Visit
from tests.console import attempt_of, delivery_of, event_of, person

pytestmark = [pytest.mark.process, pytest.mark.django_db(transaction=True)]
# Parts that a script puts into a page; they are looked at there.
PIECES = {
    *("source_first", "integrations_connector_preview", "deliveries_delivery_live", "deliveries_replay_live"),
    *("jobs_live", "integrations_connector_preview_new", "integrations_connector_resuming"),
    *("deliveries_delivery_result", "deliveries_replay_count"),
}
VIEWED = {"type": "track", "event": "Flow Viewed", "userId": "user_1", "messageId": "viewed-1"}


def addresses(m: Any) -> list[str]:
    return [
        "/", "/?range=7d", "/deliveries/", "/deliveries/?view=look", "/deliveries/?view=held&q=nobody",
        f"/deliveries/{m.failed.pk}/", f"/deliveries/{m.held.pk}/", "/events/", f"/events/{m.failed.event_id}/",
        "/replays/", f"/replays/{m.replay.pk}/", "/replays/new/?status=failed", "/find/?q=user_1", "/names/",
        "/problems/", f"/problems/{m.problem.pk}/", "/alerts/", "/connectors/", f"/connectors/{m.connector.pk}/",
        f"/connectors/{m.paused.pk}/", f"/connectors/{m.off.pk}/", f"/connectors/{m.connector.pk}/test/",
        "/connectors/new/", "/connectors/new/suprsend/", f"/connectors/{m.draft.pk}/setup/keys/",
        f"/connectors/{m.draft.pk}/setup/events/", f"/connectors/{m.draft.pk}/setup/test/",
        f"/connectors/{m.draft.pk}/setup/on/", "/sources/", f"/sources/{m.source.pk}/", "/sources/add/",
        "/sources/add/?service=customerio", "/people/", "/people/add/", "/tokens/", "/history/", "/addresses/",
        "/addresses/add/", "/password_change/", "/jobs/", "/django_q/schedule/", "/settings/", "/two-step/",
        "/settings/?allow=10.0.0.5", "/books/", "/find/erase/?q=user_1", f"/people/{m.viewer.pk}/",
        f"/addresses/{m.address.pk}/", "/password_change/done/", "/settings/import/", "/django_q/success/",
        "/django_q/failure/",
    ]  # fmt: skip


def under_way(m: Any) -> list[str]:
    """The pages that show how far something is while it goes on, with it going on."""
    again = delivery_of(m.failed.event, m.connector, "retrying", "service_error", replay_of=m.failed, attempts=1)
    attempt_of(again, 503)
    Resumption.objects.create(connector=m.paused, by="Ann", total=3, per_minute=60, started_at=timezone.now())
    return [f"/deliveries/{m.failed.pk}/?replayed={again.pk}", f"/connectors/{m.paused.pk}/"]


def test_every_page_is_accessible_light_and_fits(page: Any, live_server: Any, rows: Any, axe: str) -> None:
    Connector.objects.filter(pk=rows.paused.pk).update(name="Customer data platform (Frankfurt)")
    visit = Visit(page().context, axe, weighs=True, looks=("dark", "phone"), widths=NARROW_ENDS)
    for address in [*addresses(rows), *under_way(rows)]:
        visit.to(live_server.url + address)
    visit.to(f"{live_server.url}/nowhere/", 404)
    assert visit.wrong == {}


def test_so_is_what_is_seen_before_signing_in(page: Any, live_server: Any, rows: Any, axe: str) -> None:
    context = page(path="/login/", signed_in=False).context
    visit = Visit(context, axe, weighs=True, looks=("dark", "phone"))
    visit.to(f"{live_server.url}/login/?next=/problems/")
    visit.to(f"{live_server.url}/setup/used/", 410)
    User.objects.all().delete()
    visit.to(f"{live_server.url}/setup/{SetupLink.issue()}/")
    assert visit.page.locator("input:not([type=hidden], [type=submit])").count() == 3
    assert visit.wrong == {}


def test_only_the_style_sheet_asks_about_the_window() -> None:
    """Which is why a page need not be opened anew for each look."""
    script = (settings.BASE_DIR / "templates/static/console/console.js").read_text()
    asks = r"matchMedia|(inner|outer|client|offset|scroll)(Width|Height)|BoundingClientRect|\bscreen\b|[rR]esize"
    assert re.findall(asks, script) == []
    templates = [path.read_text() for path in (settings.BASE_DIR / "templates").rglob("*.html")]
    assert [text for text in templates if re.search(r"\b(media|srcset)=", text)] == []


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


# When each line of a test appears, and then what it means, in milliseconds after the page did.
IN_TURN = (
    "[...document.querySelectorAll('.in-turn .checks li, .in-turn > h2')]"
    ".map((one) => parseFloat(getComputedStyle(one).animationDelay) * 1000)"
)


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


def press_on(page: Any, words: str, arrives: str = "") -> None:
    """Tab to what says ``words`` and press Enter; wait for the address, where one is named."""
    tab_to(page, words)
    page.keyboard.press("Enter")
    if arrives:
        page.wait_for_url(arrives)


def test_main_path_by_keyboard(page: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in, add a connector with an old key, test it, turn it on, see a failure, put in the right key, test it,
    replay, and see green. Between the pages, too, by Tab and Enter alone."""
    rows.connector.sources.clear()  # the website's event goes to the new connector alone
    monkeypatch.setattr("deliveries.queue.wake", lambda *args, **kwargs: None)
    at = page("light", "/login/?next=/connectors/", signed_in=False)
    at.keyboard.type("owner@example.com")
    tab_to(at, "Password")
    at.keyboard.type(PASSWORD)
    at.keyboard.press("Enter")
    at.wait_for_url(lambda url: "?" not in url)
    press_on(at, "Add a connector", "**/connectors/new/")
    press_on(at, "Practice service", "**/new/practice/")
    tab_to(at, "How it behaves")
    at.keyboard.type("Wants the right key")
    tab_to(at, "Key")
    at.keyboard.type("practice-key-old")
    press_on(at, "Save and continue", "**/setup/events/")
    press_on(at, "Add an event")
    at.keyboard.type("Flow Viewed")
    press_on(at, "Save and continue", "**/setup/test/")
    press_on(at, "Send a test event")
    at.wait_for_selector("text=Practice service refused the key")
    press_on(at, "Continue", "**/setup/on/")
    tab_to(at, "website")  # the only source, and ticked already
    assert at.evaluate("document.activeElement.checked")
    press_on(at, "Turn on")
    at.wait_for_selector("text=is on.")
    row = Connector.objects.get(name="Practice service – production")
    assert (row.status, [rule.name for rule in row.rules.all()]) == ("active", ["Response Submitted", "Flow Viewed"])

    now = timezone.now()
    accept_now(Accepted(rows.source.pk, now, [normalise.normalise(VIEWED, normalise.envelope(now, {}))]))
    Drain(seconds=5).run()
    failed = Delivery.objects.get(connector=row)
    press_on(at, "Deliveries", "**/deliveries/")
    press_on(at, "Need a look", "**/deliveries/?view=look")
    at.keyboard.press("j")
    at.keyboard.press("Enter")
    at.wait_for_url(f"**/deliveries/{failed.pk}/")
    assert "Practice service refused the API key." in at.inner_text("main")
    press_on(at, "Open connector", f"**/connectors/{row.pk}/")
    press_on(at, "Replace")
    at.wait_for_selector("#id_secret_api_key:focus")
    at.keyboard.type("practice-key-ok")
    press_on(at, "Save changes")
    at.wait_for_selector("text=Saved: Key.")
    press_on(at, "Send a test event", "**/test/")
    press_on(at, "Send a test event")
    at.wait_for_selector("text=Practice service accepted the event")
    assert at.evaluate(IN_TURN) == [0, 350, 700, 1000]

    press_on(at, "Deliveries", "**/deliveries/")
    press_on(at, "Need a look", "**/deliveries/?view=look")
    at.keyboard.press("j")
    at.keyboard.press("Enter")
    at.wait_for_url(f"**/deliveries/{failed.pk}/")
    press_on(at, "Replay this event")
    tab_to(at, "Replay")
    while at.evaluate("document.activeElement.type") != "submit":
        at.keyboard.press("Tab")
    at.keyboard.press("Enter")
    at.wait_for_selector("text=is on its way")
    Drain(seconds=5).run()
    at.wait_for_selector("[aria-labelledby=result-title] .pill:has-text('Delivered')")
    assert failed.replays.get().status == "delivered"


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


def test_all_of_them_are_counted_while_the_page_is_there(page: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliveries.admin.replays.LOOKED_AT", 1)
    at = page("light", "/replays/new/?range=24h&include_delivered=on")
    total = replay.preview({}, include_delivered=True)["total"]
    assert total > 1
    at.click("text=Count all of them")
    at.wait_for_selector(f"[data-poll] >> text=All of them: {total} events.")
    assert at.inner_text("#start [type=submit]") == "Replay all of them"
