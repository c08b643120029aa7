"""Beside each mapping: how many of the last identify events have its field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.core.cache import cache
from django.utils import timezone

from config.roles import Role
from deliveries.admin import fields_seen
from integrations.models import ChannelMapping, Connector, PreferenceMapping, Source
from integrations.vendors.suprsend import is_language
from tests.console import event_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> Connector:
    row = Connector.objects.create(name="To", vendor="suprsend", status_at=timezone.now())
    ChannelMapping.objects.create(connector=row, channel="email", field="email")
    ChannelMapping.objects.create(connector=row, channel="sms", field="contact.phone")
    ChannelMapping.objects.create(connector=row, channel="whatsapp", field="whatsapp")
    PreferenceMapping.objects.create(connector=row, preference="preferred_language", field="language")
    return row


def identify(*traits: dict[str, Any]) -> None:
    source = Source.objects.get_or_create(name="website")[0]
    for number, one in enumerate(traits):
        body = orjson.dumps({"type": "identify", "userId": "u", "traits": one}).decode()
        event_of(source, number + 1000, type="identify", name="", body=body)
    cache.clear()


def notes(to: Connector, role: str = "editor") -> list[str]:
    tables = person(role).get(f"/connectors/{to.pk}/").context["tables"]
    return [getattr(line, "seen", "") for name in ("channels", "preferences") for line in tables[name]]


def test_each_mapping_says_how_many_have_its_field(to: Connector) -> None:
    identify(
        {"email": "first@example.com", "language": "english"},
        {"email": "", "contact": {"phone": "+1555"}, "language": "nl"},
        {"email": ["list@example.com", "two@example.com"], "language": "dutch"},
    )
    assert notes(to) == [
        "2 of the last 3 identify events have this field, for example list@example.com.",
        "1 of the last 3 identify events has this field, for example +1555.",
        "No such field in the last 3 identify events.",
        "3 of the last 3 identify events have this field, for example dutch. "
        "Left out in 2 of them, for example “dutch”.",
    ]
    page = person("editor").get(f"/connectors/{to.pk}/setup/mapping/").content.decode()
    assert "1 of the last 3 identify events has this field, for example +1555." in page
    assert '<option value="contact.phone" data-note="1 of the last 3' in page


def test_no_more_than_the_last_hundred_are_looked_at(to: Connector) -> None:
    identify({"whatsapp": "+1"}, *({"email": f"p{number}@example.com"} for number in range(100)))
    assert notes(to)[0] == "100 of the last 100 identify events have this field, for example p99@example.com."
    assert notes(to)[2] == "No such field in the last 100 identify events."


def test_before_the_first_event(to: Connector) -> None:
    assert set(notes(to)) == {"No identify event has come in yet."}


@pytest.mark.parametrize("role", Role.values)
def test_samples_are_shown_to_whom_may_change_the_mapping(to: Connector, role: str) -> None:
    identify({"email": "private@example.com"})
    page = person(role).get(f"/connectors/{to.pk}/").content.decode()
    may = role in ("editor", "owner")
    assert ("The last identify event has this field, for example private@example.com." in page) == may
    assert ("private@example.com" in page) == may


def test_which_languages_are_taken() -> None:
    seen = fields_seen.Seen(looked=2, values={"language": ("EN", "eng")})
    assert fields_seen.note(seen, "language", is_language).endswith("Left out in 1 of them, for example “eng”.")
