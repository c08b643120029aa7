"""A person's way: what its dots say of each event."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deliveries.models import Delivery
from integrations.models import Connector, Source
from tests.console import delivery_of, event_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def to() -> list[Connector]:
    return [Connector.objects.create(name=name, vendor="practice") for name in ("A", "B")]


def dots() -> list[str]:
    page = person("operator").get("/find/?q=user_1").content.decode()
    return re.findall(r'<li class="(\w*)"><strong><a href="/events/', page)


@pytest.mark.parametrize(
    ("statuses", "dot"),
    [
        (("delivered", "delivered"), "good"),
        (("delivered", "skipped"), "good"),
        (("delivered", "failed"), "bad"),
        (("failed", "retrying"), "bad"),
        (("delivered", "retrying"), "wait"),
        (("held", "skipped"), ""),
    ],
)
def test_a_dot_is_as_bad_as_the_worst_delivery(to: Any, statuses: tuple[str, str], dot: str) -> None:
    event = event_of(Source.objects.create(name="website"), 1)
    for connector, status in zip(to, statuses, strict=True):
        delivery_of(event, connector, status)
    assert dots() == [dot]


def test_what_a_replay_put_right_is_good(to: Any) -> None:
    event = event_of(Source.objects.create(name="website"), 1)
    failed = delivery_of(event, to[0], "failed", "key_refused")
    assert dots() == ["bad"]
    delivery_of(event, to[0], "delivered", replay_of=failed)
    assert dots() == ["good"]
    assert Delivery.objects.count() == 2


def test_an_event_that_was_refused_is_bad_and_one_that_went_nowhere_is_neither() -> None:
    source = Source.objects.create(name="website")
    event_of(source, 1)
    event_of(source, 9, user_id="user_1", refused="Too large.")
    assert dots() == ["bad", ""]


def test_a_wrong_address_is_said_once_and_as_a_sentence() -> None:
    page = person("operator").get("/find/?q=user_1&before=abc").content.decode()
    assert 'role="alert">Before: “abc” is not a whole number above 0.</p>' in page
    assert "Nobody found" not in page


def test_a_history_without_changes_says_what_will_be_there_or_that_nothing_fits() -> None:
    assert "Who changed which setting" in person("viewer").get("/history/").content.decode()
    filtered = person("viewer").get("/history/?by=Nobody").content.decode()
    assert "No change fits what is asked for." in filtered
    assert "Who changed which setting" not in filtered
