"""The console's pages and states that pictures are taken of: a name, the address, and what is done there first."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_otp.oath import TOTP

from config.devices import Authenticator
from config.models import User
from deliveries.admin.catalog import steps_for
from deliveries.models import Delivery, Event, Resumption, Trial
from integrations import history, registry
from integrations.configuration import export_document
from integrations.models import Connector, Source
from tests.console import attempt_of, delivery_of, event_of

Step = Callable[[Any], None]


def opens(summary: str) -> Step:
    """What folds out of this line."""
    return lambda at: at.locator("main summary:visible", has_text=summary).first.click()


def presses(button: str) -> Step:
    def press(at: Any) -> None:
        with at.expect_navigation():
            at.get_by_role("button", name=button).first.click()
        # A test's answers appear one after the other: what is looked at is all of them.
        at.evaluate("document.getAnimations().forEach((one) => one.finish())")

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
    old = delivery_of(event_of(m.source, 6), m.connector, "failed", "gave_up", attempts=9)
    long_ago = timezone.now() - timedelta(days=8)
    Delivery.objects.filter(pk=old.pk).update(created_at=long_ago, finished_at=long_ago)
    Event.objects.filter(pk=old.event_id).update(received_at=long_ago)
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
        "replay-delivered": ("/replays/new/?range=24h&include_delivered=on", None),
        "replay-none": ("/replays/new/?status=failed&q=nobody", None),
        "problems": ("/problems/", None),
        "problems-ended": ("/problems/?view=ended", None),
        "problem": (f"/problems/{m.problem.pk}/", None),
        "events": ("/events/", None),
        "event": (f"/events/{m.failed.event_id}/", None),
        "names": ("/names/", None),
        "name": (f"/names/one/?source={m.source.pk}&type=track&name=Response+Submitted", None),
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
        "connector-secret": (f"/connectors/{m.connector.pk}/", opens("Replace")),
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
    history.record("Ann", m.connector, "Changed the prefix", [("prefix", "", "survey: ")])
    return {
        "alerts": ("/alerts/", None),
        "history": ("/history/", None),
        "people": ("/people/", None),
        "person-add": ("/people/add/", None),
        "person-link": ("/people/", presses("Password link")),
        "invited": (_link_for(m.viewer), None),
        "person-role": (f"/people/{m.viewer.pk}/", None),
        "tokens": ("/tokens/", None),
        "tokens-new": ("/tokens/", _new_token),
        "jobs": ("/jobs/", None),
        "settings": ("/settings/", None),
        "settings-network": ("/settings/?allow=10.0.0.5", None),
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


def _link_for(person: User) -> str:
    return f"/invited/{urlsafe_base64_encode(force_bytes(person.pk))}/{default_token_generator.make_token(person)}/"


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
