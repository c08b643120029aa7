"""The catalog of services: its search, and what it says of a service that is made up."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from integrations.models import Connector
from tests.console import made, person

pytestmark = pytest.mark.django_db


def found(search: str) -> tuple[list[str], list[str], str]:
    """The headings over the cards, the services of the cards, and the page."""
    page = person("editor").get("/connectors/new/", {"q": search}).content.decode()
    return re.findall(r'class="over-cards">([^<]+)', page), re.findall(r"<h3>([^<]+)</h3>", page), page


def test_what_is_searched_for_is_shown_and_no_empty_heading() -> None:
    both, other = ["Send events to", "Receive events from"], "Something else → Webhook"
    assert found("segment")[:2] == (both, ["Segment", other, "Segment"])
    assert found("novu")[:2] == (both[:1], ["Novu", other])
    headings, services, page = found("<b>")
    assert (headings, services) == (both[:1], [other])
    assert "No service here is called “&lt;b&gt;”. Any service with an https address for events" in page
    assert "No service here is called" not in found("novu")[2]


def test_each_service_has_one_card_which_counts_what_is_connected() -> None:
    made()
    page = person("editor").get("/connectors/new/").content.decode()
    cards = dict(re.findall(r'<a class="card[^"]*" href="/connectors/new/(\w+)/">.*?class="tag">([^<]+)', page))
    assert len(cards) == page.count('href="/connectors/new/') == 6
    assert (cards["webhook"], cards["novu"]) == ("Sends to", "Sends to")
    Connector.objects.create(name="Mine", vendor="webhook", status_at=timezone.now())
    page = person("editor").get("/connectors/new/").content.decode()
    assert re.search(r'Something else → Webhook</h3><span class="tag">1 connected<', page)


def test_what_comes_in_from_segment_is_not_described_as_what_goes_there() -> None:
    page = person("editor").get("/sources/add/").content.decode()
    assert "Take in events from your website, app or own systems, through Segment or with its libraries." in page
    assert "into Segment" not in page


def test_a_made_up_service_has_no_documentation_and_notifies_nobody() -> None:
    client, m = person("editor"), made()
    m.connector.vendor = "practice"
    m.connector.save()
    docs = "Their documentation"
    pages = {one: client.get(f"/connectors/new/{one}/").content.decode() for one in ("practice", "novu")}
    assert (docs in pages["practice"], docs in pages["novu"]) == (False, True)
    page = client.get(f"/connectors/{m.connector.pk}/test/").content.decode()
    assert "marked as a test, to a made-up service: nothing leaves this machine." in page
    assert "may act on it" not in page


def test_of_a_service_the_key_is_asked_for_first() -> None:
    page = person("editor").get("/connectors/new/novu/").content.decode()
    fields = re.findall(r'id="field-(?:setting|secret)_(\w+)"', page)
    assert fields == ["api_key", "environment", "workflow_from", "payload_style"]
