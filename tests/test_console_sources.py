"""A source's page: what to paste where, who can reach it, and where its events go."""

from __future__ import annotations

import re
import shlex
from base64 import b64encode
from html import unescape
from typing import Any

import pytest
from django.test import Client

from deliveries.admin import names
from deliveries.models import Event
from integrations.models import Connector, Source
from tests.console import event_of, person

pytestmark = pytest.mark.django_db


def copied(page: str) -> str:
    """What the button *Copy* beside the address puts on the clipboard."""
    shown = re.search(r'id="address">(.*?)</span>', page)
    assert shown
    return shown[1].replace("<wbr>", "")


def made(client: Client, service: str, name: str) -> tuple[Source, str, str]:
    """A new source, the page that follows, and the key on it."""
    page = client.post(f"/sources/add/?service={service}", {"name": name}, follow=True).content.decode()
    key = re.search(r'id="new-key">([^<]+)<', page)
    assert key
    return Source.objects.get(name=name), page, key[1]


def test_an_address_that_ends_in_the_key_is_copied_with_it_while_it_is_known() -> None:
    client = person("editor")
    source, page, key = made(client, "customerio", "CIO")
    assert copied(page) == f"http://testserver/connector/customerio/{key}"
    assert "or the whole address below, which ends in it" in page
    later = client.get(f"/sources/{source.pk}/").content.decode()
    assert copied(later) == "http://testserver/connector/customerio/"
    assert "<em>‹write key›</em>" in later
    assert "Behind the last / belongs the write key" in later
    assert key not in later
    listed = client.get("/sources/").content.decode()
    assert f'id="address-{source.pk}" hidden>http://testserver/connector/customerio/<' in listed


@pytest.mark.parametrize(("service", "path"), [("segment", ""), ("surveys", "/connector/surveys")])
def test_a_key_that_goes_into_a_header_is_no_part_of_the_address(service: str, path: str) -> None:
    client = person("editor")
    source, page, _ = made(client, service, "one")
    later = client.get(f"/sources/{source.pk}/").content.decode()
    assert copied(page) == copied(later) == f"http://testserver{path}"
    assert "whole address" not in page + later


@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1:8000", True), ("localhost", True), ("10.1.2.3", True), ("[::1]:8000", True), ("8.8.8.8", False),
     ("signalbox.example.com", False)],
)  # fmt: skip
def test_an_address_that_only_this_network_reaches_says_so(settings: Any, host: str, told: bool) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    source = Source.objects.create(name="one")
    page = person("viewer").get(f"/sources/{source.pk}/", headers={"host": host}).content.decode()
    assert (f"Only this computer and its own network can reach {host}." in page) is told


def test_a_source_that_nobody_listens_to_offers_a_connector_to_whoever_may_add_one() -> None:
    source = Source.objects.create(name="one")
    address = f"/sources/{source.pk}/"
    for role, offered in (("viewer", False), ("operator", False), ("editor", True), ("owner", True)):
        page = person(role).get(address).content.decode()
        assert "No connector listens to this source yet: its events are kept, and go nowhere." in page
        assert ('href="/connectors/new/">Add a connector' in page) is offered
    Connector.objects.create(name="Out", vendor="webhook").sources.add(source)
    assert "No connector listens" not in person("owner").get(address).content.decode()


def test_the_example_of_a_name_is_the_services_own() -> None:
    page = {one: person("owner").get(f"/sources/add/?service={one}").content.decode() for one in ("segment", "surveys")}
    assert "for example “website”." in page["segment"]
    assert "for example “Survey events – production”." in page["surveys"]


@pytest.mark.parametrize("service", ["segment", "surveys"])
def test_the_command_that_is_offered_for_a_terminal_brings_an_event_in(service: str) -> None:
    client = person("editor")
    source, page, key = made(client, service, "one")
    found = re.search(r'id="try-it">(.*?)</code>', page)
    assert found
    command = shlex.split(unescape(found[1].replace("<wbr>", "")))
    assert command[0] == "curl"
    address, (sent,) = command[1], command[command.index("-d") + 1 :]
    basic = b64encode(f"{key}:".encode()).decode()
    header = f"Basic {basic}" if "-u" in command else command[command.index("-H") + 1].removeprefix("Authorization: ")
    assert key in " ".join(command)
    answer = Client().post(
        address.removeprefix("http://testserver"),
        sent,
        content_type="application/x-www-form-urlencoded",  # as curl sends what -d gives it
        headers={"authorization": header},
    )
    assert answer.status_code == 200
    assert Event.objects.get(source=source).name == "Response Submitted"
    later = client.get(f"/sources/{source.pk}/").content.decode()
    assert "‹write key›" in re.findall(r'id="try-it">(.*?)</code>', later)[0]


def test_a_first_event_that_was_refused_is_no_event_that_arrives() -> None:
    source = Source.objects.create(name="one")
    piece = f"/sources/{source.pk}/first/"
    assert "Waiting for the first event…" in person("viewer").get(piece).content.decode()
    one = event_of(source, 1, refused="The event has neither userId nor anonymousId.")
    page = person("viewer").get(piece).content.decode()
    assert "The last event was refused</strong>" in page
    assert f': The event has neither userId nor anonymousId. <a href="/events/{one.pk}/">Look at it</a>' in page
    assert "Events arrive" not in page
    event_of(source, 2)
    assert "✓ Events arrive.</strong> The last one: Response Submitted" in person("viewer").get(piece).content.decode()


def test_names_beyond_the_most_frequent_are_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.objects.create(name="website")
    for number, name in enumerate(("Often", "Often", "More", "More", "Rare & odd")):
        event_of(source, number, name=name)
    client, told = person("viewer"), "Only the 2 most frequent names of the last 24 hours are listed."
    assert "most frequent names" not in client.get("/names/").content.decode()
    monkeypatch.setattr(names, "MOST", 2)
    names.cache.clear()
    page = client.get("/names/").content.decode()
    assert f"{told} Search for a rarer one by its name." in page
    assert "Rare &amp; odd" not in page
    page = client.get("/names/?q=Rare %26 odd").content.decode()
    assert "No name of these fits all of these filters." in page
    assert '<a href="/events/?name=Rare%20%26%20odd&amp;range=24h">Events called exactly “Rare &amp; odd”</a>' in page
    listed = client.get("/events/?name=Rare%20%26%20odd&range=24h").content.decode()
    assert listed.count('<tr data-href="/events/') == 1
