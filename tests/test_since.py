"""Since when, and by whom, what is skipped on purpose is not sent: on the delivery's page, from the history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations import history
from integrations.history import Change
from integrations.models import Connector, RegionEndpoint
from tests.console import connector_form, person
from tests.rows import connector, delivery

pytestmark = pytest.mark.django_db
NOW = timezone.now()
RULE_OFF = "Order Completed is switched off in this connector's events."


@pytest.fixture
def to() -> Connector:
    return connector(
        vendor="segment",
        settings={},
        secrets={"write_key": "wk_secret_1234"},
        region=RegionEndpoint.objects.filter(vendor="segment").first(),
    )


def changed(to: Connector, **data: str) -> None:
    """Somebody saves the connector's page; the change is put back by three days."""
    values = {**connector_form(to.region), "name": to.name, "sources": str(to.sources.get().pk), **data}
    before = set(Change.objects.values_list("id", flat=True))
    answer = person("editor").post(f"/connectors/{to.pk}/", values)
    assert answer.status_code == 302, answer.content.decode()
    backdate(Change.objects.exclude(id__in=before).get(), days=3)


def backdate(change: Change, *, days: float) -> datetime:
    Change.objects.filter(pk=change.pk).update(at=NOW - timedelta(days=days))
    return NOW - timedelta(days=days)


def said(to: Connector, cause: str, detail: str, **fields: Any) -> str:
    """What the page says after the reason."""
    row = delivery(to, "skipped", cause=cause, detail=detail, **{"created_at": NOW, **fields})
    page = " ".join(person("viewer").get(f"/deliveries/{row.pk}/").content.decode().split())
    return page[page.index("Since") :].split("</p>")[0] if "Since " in page else ""


def since(days: float, by: str) -> str:
    at = NOW - timedelta(days=days)
    return f"Since {at.day} {at:%b}{'' if at.year == NOW.year else f' {at.year}'}, by {by}."


LINE = {"rules-TOTAL_FORMS": "1", "rules-0-name": "Order Completed"}
FILTER = {
    "filters-TOTAL_FORMS": "1", "filters-0-condition": "properties.plan = 'free'", "filters-0-action": "drop",
    "filters-0-percent_shown": "100", "filters-0-enabled": "on",
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "cause", "detail"),
    [
        (LINE, "switched_off", RULE_OFF),
        ({"other_events": "skip"}, "switched_off", "Odd is not in the events table, and other events are off."),
        (FILTER, "filtered", "Left out by the filter “drop when properties.plan = 'free'”."),
    ],
)
def test_what_a_person_saved_is_named(to: Connector, data: dict[str, str], cause: str, detail: str) -> None:
    changed(to, **data)
    assert said(to, cause, detail) == since(3, "Editor Jones")
    assert said(to, cause, detail, created_at=NOW - timedelta(days=4)) == ""  # it was skipped before that change


def test_the_switch_of_a_line_counts_and_its_other_changes_do_not(to: Connector) -> None:
    backdate(history.record("Ann", to, "Changed", [("Order Completed – Send it?", "yes", "no")]), days=9)
    backdate(history.record("Bob", to, "Changed", [("Order Completed – Send it under this name", "", "x")]), days=5)
    backdate(history.record("Eve", to, "Changed", [("Order – Send it?", "yes", "no")]), days=4)
    assert said(to, "switched_off", RULE_OFF) == since(9, "Ann")
    backdate(history.record("Bob", to, "Changed", [("Order Completed – Send it?", "no", "yes")]), days=2)
    assert said(to, "switched_off", RULE_OFF) == ""  # whoever switched it off since is not in the history


def test_a_name_switched_off_where_it_was_seen(to: Connector) -> None:
    data = {"connector": str(to.pk), "type": "track", "name": "Order Completed", "send": "0"}
    assert person("editor").post("/names/save/", data).status_code == 302
    backdate(Change.objects.get(), days=1)
    assert said(to, "switched_off", RULE_OFF) == since(1, "Editor Jones")


def test_the_off_switch_of_the_whole_connector(to: Connector) -> None:
    assert person("operator").post(f"/connectors/{to.pk}/off/").status_code == 302
    backdate(Change.objects.get(), days=2)
    assert said(to, "switched_off", "The connector was turned off when this event arrived.") == since(
        2, "Operator Jones"
    )
    backdate(history.record("Ann", to, "Turned on"), days=1)
    assert said(to, "switched_off", "The connector was turned off when this event arrived.") == ""


def test_lines_of_the_wizard_are_from_when_it_was_turned_on(to: Connector) -> None:
    backdate(history.record("Ann", to, "Set up and turned on"), days=7)
    assert said(to, "switched_off", RULE_OFF) == since(7, "Ann")
    backdate(history.record("Bob", to, "Changed by a configuration file", [("events", "…", "…")]), days=6)
    assert said(to, "switched_off", RULE_OFF) == ""


@pytest.mark.parametrize(
    ("cause", "detail"),
    [
        ("not_supported", "Webhook has no use for group events."),
        ("switched_off", "The sender's own “integrations” switch leaves out warehouse for this event."),
        ("switched_off", "SuprSend only gets the events that are switched on for it, and Odd is not."),
        ("paused", "Thrown away by Ann when the connector was resumed."),
    ],
)
def test_what_no_change_caused_names_nobody(to: Connector, cause: str, detail: str) -> None:
    backdate(history.record("Ann", to, "Set up and turned on"), days=7)
    backdate(history.record("Ann", to, "Switched off"), days=6)
    assert said(to, cause, detail) == ""
