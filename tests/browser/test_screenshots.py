"""Pictures of the console for people to look at: SCREENSHOTS=folder pytest tests/browser/test_screenshots.py."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django_otp.oath import TOTP

from config.devices import Authenticator
from config.models import SetupLink, User
from deliveries import practice
from deliveries.admin import books
from deliveries.admin.catalog import steps_for
from deliveries.models import Delivery, Resumption, Trial
from integrations import history, registry, selectors
from integrations.configuration import export_document
from integrations.models import Connector, Source
from integrations.secrets import UnreadableSecret
from tests.console import attempt_of, delivery_of, event_of, person

FOLDER = os.environ.get("SCREENSHOTS", "")
pytestmark = [
    pytest.mark.process,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not FOLDER, reason="SCREENSHOTS names no folder"),
]
LOOKS = pytest.mark.parametrize("look", ["light", "dark", "phone"])
EMPTY = (
    "deliveries",
    "problems",
    "replays",
    "events",
    "names",
    "books",
    "connectors",
    "sources",
    "alerts",
    "history",
    "tokens",
)
HEIGHT = "document.documentElement.scrollHeight"
Step = Callable[[Any], None]


def taken(opened: Any, name: str, look: str) -> None:
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{name}-{look}.png"
    size = opened.viewport_size
    # As high as the page, so that what sticks to an edge of the window stands where the page ends.
    opened.set_viewport_size({**size, "height": max(size["height"], opened.evaluate(HEIGHT))})
    opened.screenshot(path=picture)
    opened.set_viewport_size(size)
    assert picture.stat().st_size > 5000


def opens(summary: str) -> Step:
    """What folds out of this line."""
    return lambda at: at.locator("main summary:visible", has_text=summary).first.click()


def presses(button: str) -> Step:
    def press(at: Any) -> None:
        with at.expect_navigation():
            at.get_by_role("button", name=button).first.click()

    return press


def of_traffic(m: Any) -> dict[str, tuple[str, Step | None]]:
    """What passes through: deliveries in each state, replays, people, problems."""
    retrying = delivery_of(event_of(m.source, 4), m.connector, "retrying", "service_error", attempts=2)
    attempt_of(retrying, 503, '{"message": "try later"}')
    skipped = delivery_of(event_of(m.source, 5, name="Flow Dismissed"), m.connector, "skipped", "switched_off")
    again = delivery_of(m.failed.event, m.connector, "retrying", "service_error", replay_of=m.failed, attempts=1)
    attempt_of(again, 503)
    for one, status in ((skipped, "delivered"), (m.delivered, "delivered"), (retrying, "waiting")):
        delivery_of(one.event, m.connector, status, replay_of=one, replay=m.replay)
    Delivery.objects.filter(pk=m.failed.pk).update(detail="Invalid key")
    m.replay.made, m.replay.up_to_id = 3, 2**40
    m.replay.filters = {"status": "failed", "cause": "key_refused"}
    m.replay.created_by = "Ann"
    m.replay.save()
    return {
        "overview": ("/", None),
        "overview-7d": ("/?range=7d", None),
        "deliveries": ("/deliveries/", None),
        "deliveries-look": ("/deliveries/?view=look", None),
        "deliveries-chip": ("/deliveries/?view=held", lambda at: at.locator(".filters summary").first.click()),
        "deliveries-none": ("/deliveries/?view=held&q=nobody", None),
        "delivery-failed": (f"/deliveries/{m.failed.pk}/", None),
        "delivery-replay": (f"/deliveries/{m.failed.pk}/", opens("Replay this event")),
        "delivery-replayed": (f"/deliveries/{m.failed.pk}/?replayed={again.pk}", None),
        "delivery-retrying": (f"/deliveries/{retrying.pk}/", None),
        "delivery-held": (f"/deliveries/{m.held.pk}/", None),
        "delivery-skipped": (f"/deliveries/{skipped.pk}/", None),
        "delivery-delivered": (f"/deliveries/{m.delivered.pk}/", None),
        "replays": ("/replays/", None),
        "replay": (f"/replays/{m.replay.pk}/", None),
        "replay-new": ("/replays/new/?status=failed", None),
        "replay-none": ("/replays/new/?status=failed&q=nobody", None),
        "problems": ("/problems/", None),
        "problems-ended": ("/problems/?view=ended", None),
        "problem": (f"/problems/{m.problem.pk}/", None),
        "events": ("/events/", None),
        "event": (f"/events/{m.failed.event_id}/", None),
        "names": ("/names/", lambda at: at.locator("main tbody summary").first.click()),
        "find": ("/find/", None),
        "person": ("/find/?q=user_1", None),
        "person-none": ("/find/?q=nobody", None),
        "erase": ("/find/erase/?q=user_1", None),
        "books": ("/books/", None),
    }


def of_connections(m: Any) -> dict[str, tuple[str, Step | None]]:
    """Connectors and sources, and every step of every service's wizard."""
    Trial.objects.update(message_id="test_7f3k", by="Ann")
    Resumption.objects.create(connector=m.off, by="Ann", total=3, per_minute=60, started_at=timezone.now())
    waiting = Source.objects.create(name="Customer.io – production", vendor="customerio")
    services = [vendor for vendor in registry.sending() if vendor.slug != "practice"]
    places: dict[str, tuple[str, Step | None]] = {
        "connectors": ("/connectors/", None),
        "connector": (f"/connectors/{m.connector.pk}/", None),
        "connector-pause": (
            f"/connectors/{m.connector.pk}/#pause",
            lambda at: at.fill("#reason", "We move to the EU."),
        ),
        "connector-paused": (f"/connectors/{m.paused.pk}/", opens("Turn off instead")),
        "connector-off": (f"/connectors/{m.off.pk}/", opens("Remove this connector")),
        "connector-error": (f"/connectors/{m.connector.pk}/", _without_a_name),
        "connector-draft": (f"/connectors/{m.draft.pk}/", None),
        "test": (f"/connectors/{m.connector.pk}/test/", opens("Paste an event")),
        "catalog": ("/connectors/new/", None),
        "sources": ("/sources/", opens("Revoke")),
        "source": (f"/sources/{m.source.pk}/", None),
        "source-waiting": (
            f"/sources/{waiting.pk}/",
            lambda at: at.get_by_text("Waiting for the first event").wait_for(),
        ),
        "source-add": ("/sources/add/", None),
        "source-add-customerio": ("/sources/add/?service=customerio", None),
        "addresses": ("/addresses/", None),
        "address": (f"/addresses/{m.address.pk}/", None),
        "address-add": ("/addresses/add/", None),
    }
    for vendor in services:
        draft = Connector.objects.create(name=f"{vendor.label} – draft", vendor=vendor.slug, status="off")
        places[f"wizard-{vendor.slug}-1-keys"] = (f"/connectors/new/{vendor.slug}/", None)
        for number, step in enumerate(steps_for(vendor)[1:], 2):
            places[f"wizard-{vendor.slug}-{number}-{step.slug}"] = (f"/connectors/{draft.pk}/setup/{step.slug}/", None)
    return places


def _without_a_name(at: Any) -> None:
    at.evaluate("document.querySelectorAll('form[data-warn]').forEach(form => { form.noValidate = true; })")
    at.fill("#id_name", "")
    presses("Save changes")(at)


def of_settings(m: Any) -> dict[str, tuple[str, Step | None]]:
    history.record(None, m.connector, "Changed the prefix", [("prefix", "", "survey: ")])
    return {
        "alerts": ("/alerts/", None),
        "history": ("/history/", None),
        "people": ("/people/", None),
        "person-add": ("/people/add/", None),
        "person-role": (f"/people/{m.viewer.pk}/", None),
        "tokens": ("/tokens/", None),
        "tokens-new": ("/tokens/", _new_token),
        "jobs": ("/jobs/", None),
        "schedules": ("/django_q/schedule/", None),
        "jobs-done": ("/django_q/success/", None),
        "settings": ("/settings/", None),
        "import": ("/settings/import/", None),
        "import-preview": ("/settings/import/", _import),
        "password": ("/password_change/", None),
        "password-done": ("/password_change/done/", None),
        "two-step": ("/two-step/", None),
        "two-step-code": ("/two-step/", presses("Turn on")),
        "two-step-wrong": ("/two-step/", _wrong_code),
        "two-step-recovery": ("/two-step/", _right_code),
        "two-step-on": ("/two-step/", None),
    }


def _new_token(at: Any) -> None:
    at.fill("#id_name, [name=name]", "Dashboard")
    presses("Make the token")(at)


def _import(at: Any) -> None:
    document = export_document()
    document["connectors"][0]["prefix"] = "survey: "
    file = {"name": "signalbox.json", "mimeType": "application/json", "buffer": json.dumps(document).encode()}
    at.locator("input[type=file]").set_input_files([file])  # type: ignore[arg-type]
    presses("See what it changes")(at)


def _wrong_code(at: Any) -> None:
    at.fill("[name=token]", "000000")
    with at.expect_navigation():
        at.keyboard.press("Enter")


def _right_code(at: Any) -> None:
    device = Authenticator.objects.get(user__email="owner@example.com")
    Authenticator.objects.filter(pk=device.pk).update(throttling_failure_count=0, throttling_failure_timestamp=None)
    at.fill("[name=token]", f"{TOTP(device.bin_key).token():06}")
    with at.expect_navigation():
        at.keyboard.press("Enter")


@LOOKS
@pytest.mark.parametrize("part", [of_traffic, of_connections, of_settings])
def test_pictures(page: Any, live_server: Any, rows: Any, look: str, part: Any) -> None:
    places = part(rows)
    opened = page(look)
    for name, (address, step) in places.items():
        answer = opened.goto(live_server.url + address)
        assert answer is None or answer.status == 200, name  # none: the same page at another "#"
        if step:
            step(opened)
        taken(opened, name, look)


@LOOKS
def test_pictures_of_tests(page: Any, live_server: Any, rows: Any, look: str) -> None:
    """Sent to the practice service: with the wrong key, then with the right one."""
    practice.load()
    row = Connector.objects.get(name="Hello Customer (practice)")
    opened = page(look)
    for name, secrets in (("refused", row.secrets), ("accepted", {"api_key": "practice-key-ok"})):
        Connector.objects.filter(pk=row.pk).update(secrets=secrets)
        selectors.forget()
        opened.goto(f"{live_server.url}/connectors/{row.pk}/test/")
        presses("Send a test event")(opened)
        taken(opened, f"test-{name}", look)


@LOOKS
@pytest.mark.answers("/people/", "/find/?q=user_1", "/test/")
def test_pictures_for_a_viewer(page: Any, live_server: Any, rows: Any, look: str) -> None:
    opened = page(look)
    viewer = person("viewer").cookies["sessionid"].value
    opened.context.add_cookies([{"name": "sessionid", "value": viewer, "url": live_server.url}])
    places = {
        "overview": "/",
        "deliveries": "/deliveries/",
        "delivery": f"/deliveries/{rows.failed.pk}/",
        "event": f"/events/{rows.failed.event_id}/",
        "person": "/find/?q=user_1",
        "connectors": "/connectors/",
        "connector": f"/connectors/{rows.connector.pk}/",
        "test": f"/connectors/{rows.connector.pk}/test/",
        "problem": f"/problems/{rows.problem.pk}/",
        "replay": f"/replays/{rows.replay.pk}/",
        "names": "/names/",
        "sources": "/sources/",
        "source": f"/sources/{rows.source.pk}/",
        "addresses": "/addresses/",
        "alerts": "/alerts/",
        "history": "/history/",
        "settings": "/settings/",
        "refused": "/people/",
    }
    for name, place in places.items():
        opened.goto(live_server.url + place)
        taken(opened, f"viewer-{name}", look)


@LOOKS
@pytest.mark.answers("/books/")
def test_pictures_of_what_goes_wrong(page: Any, live_server: Any, rows: Any, look: str, monkeypatch: Any) -> None:
    opened = page(look, "/nowhere/")
    taken(opened, "error-404", look)
    for name, error in (("500", ValueError("made up")), ("503", UnreadableSecret("made up"))):
        monkeypatch.setattr(books, "show", raising(error))
        opened.goto(f"{live_server.url}/books/")
        taken(opened, f"error-{name}", look)


def raising(error: Exception) -> Any:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise error

    return fails


@LOOKS
def test_pictures_before_signing_in(page: Any, live_server: Any, rows: Any, look: str) -> None:
    opened = page(look, "/login/", signed_in=False)
    taken(opened, "sign-in", look)
    opened.keyboard.type("owner@example.com")
    opened.fill("[name=password]", "not this one")
    with opened.expect_navigation():
        opened.keyboard.press("Enter")
    taken(opened, "sign-in-wrong", look)
    opened.goto(f"{live_server.url}/setup/used/")
    taken(opened, "set-up-used", look)
    User.objects.all().delete()
    opened.goto(f"{live_server.url}/setup/{SetupLink.issue()}/")
    opened.keyboard.type("Ann")
    opened.fill("[name=password]", "correct horse staple")
    taken(opened, "set-up", look)


@LOOKS
@pytest.mark.parametrize("rows", [None])
def test_pictures_of_nothing_yet(page: Any, live_server: Any, rows: None, look: str) -> None:
    """A new installation: what each page says before there is anything on it."""
    User.objects.create_user("owner@example.com", name="Owner Jones", role="owner")
    opened = page(look)
    taken(opened, "empty-overview", look)
    for name in EMPTY:
        opened.goto(f"{live_server.url}/{name}/")
        taken(opened, f"empty-{name}", look)
