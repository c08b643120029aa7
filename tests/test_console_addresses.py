"""Addresses that people type: one that would never be called is marked at its field, together with other mistakes."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache

from integrations.models import Connector, RegionEndpoint
from tests.console import connector_form, person

pytestmark = pytest.mark.django_db
INSIDE = "We do not call addresses inside our own network, such as {}. Settings → Network says how to allow it."
NO_KEY = "A write key has no spaces, and at least three characters."


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def mistakes(page: str) -> dict[str, str]:
    """The words in each field's place for mistakes."""
    found = re.findall(r'<div id="errors-([^"]+)" aria-live="polite">(.*?)</div>', page, re.DOTALL)
    words = {field: unescape(re.sub(r"<[^>]+>", "", inner)).strip() for field, inner in found}
    return {field: said for field, said in words.items() if said}


def us() -> RegionEndpoint:
    return RegionEndpoint.objects.filter(vendor="segment")[0]


def test_the_wizard_marks_an_own_address_beside_a_wrong_key() -> None:
    typed = {"name": "To", "region": us().pk, "secret_write_key": "no key", "endpoint": "https://10.0.0.5/"}
    page = person("editor").post("/connectors/new/segment/", typed).content.decode()
    assert mistakes(page) == {"endpoint": INSIDE.format("10.0.0.5"), "secret_write_key": NO_KEY}
    assert not Connector.objects.exists()


def test_it_is_marked_while_somebody_types() -> None:
    typed = {"name": "To", "region": us().pk, "endpoint": "http://localhost/", "touched": ["endpoint"]}
    answer = person("editor").post("/connectors/new/segment/preview/", typed).content.decode()
    assert INSIDE.format("localhost") in answer


def test_a_webhook_s_address_and_a_service_s_are_marked_too() -> None:
    editor = person("editor")
    page = editor.post("/connectors/new/webhook/", {"name": "To", "setting_url": "http://10.0.0.5/in"}).content.decode()
    assert mistakes(page)["setting_url"] == INSIDE.format("10.0.0.5")
    row = {"vendor": "segment", "label": "Proxy", "slug": "proxy", "base_url": "http://example.com"}
    assert mistakes(editor.post("/addresses/add/", row).content.decode()) == {
        "base_url": "It must begin with https://, so that nobody reads the events on their way."
    }
    assert not Connector.objects.exists()


def test_an_allowed_one_is_taken(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_NETWORKS = ["10.0.0.0/8"]
    person("editor").post("/connectors/new/webhook/", {"name": "To", "setting_url": "http://10.0.0.5/in"})
    assert Connector.objects.get().settings["url"] == "http://10.0.0.5/in"


def test_what_is_saved_stays_and_hinders_no_other_change() -> None:
    row = Connector.objects.create(
        name="To", vendor="segment", region=us(), endpoint="https://10.0.0.5", secrets={"write_key": "wk_1234"}
    )
    form = {**connector_form(us()), "name": "Renamed", "endpoint": "https://10.0.0.5"}
    person("editor").post(f"/connectors/{row.pk}/", form)
    row.refresh_from_db()
    assert (row.name, row.endpoint) == ("Renamed", "https://10.0.0.5")
    person("editor").post(f"/connectors/{row.pk}/", {**form, "name": "Again", "endpoint": "https://10.0.0.6"})
    row.refresh_from_db()
    assert (row.name, row.endpoint) == ("Renamed", "https://10.0.0.5")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, ["We could reach My receiver", "My receiver accepted the event"]),
        (500, ["We could reach My receiver", "My receiver did not accept the event"]),
        (
            401,
            ["We could reach My receiver", "My receiver refused the key", "My receiver did not accept the event"],
        ),
    ],
)
def test_an_address_of_ones_own_is_tested_by_the_connectors_name_and_takes_no_key(
    http: Any, status: int, said: list[str]
) -> None:
    http.post("https://example.com/hook", status=status)
    row = Connector.objects.create(name="My receiver", vendor="webhook", settings={"url": "https://example.com/hook"})
    page = person("operator").post(f"/connectors/{row.pk}/test/send/").content.decode()
    checks = page[page.index('<ul class="checks">') :].split("</ul>")[0]
    assert re.findall(r"<span>([^<]+)</span>", checks) == said
