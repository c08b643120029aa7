"""A sample event addressed to whoever tries it: every id and address becomes theirs, and nobody else can be reached."""

from __future__ import annotations

from typing import Any

import pytest

from deliveries.core import own

ME = {"email": "me@example.com", "user_id": "me_1"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    (
        "ids and addresses at any depth",
        {
            "userId": "jane",
            "anonymousId": "a1",
            "traits": {"email": "jane@example.com", "emails": ["jane@example.com"], "name": "Jane"},
            "properties": {"user": {"subscriberId": "s1", "id": 7}, "id": 8, "note": "to <jane@example.com>"},
        },
        {
            "userId": "me_1",
            "traits": {"email": "me@example.com", "emails": ["me@example.com"], "name": "Jane"},
            "properties": {
                "user": {"subscriberId": "me_1", "id": "me_1"},
                "id": 8,
                "note": "to <me@example.com>",
            },
        },
        ["anonymousId"],
    ),
    (
        "what else somebody is reached by",
        {"userId": "jane", "traits": {"phone": "+1555", "Whats_App": 1555, "plan": "free"}, "context": {"token": "x"}},
        {"userId": "me_1", "traits": {"plan": "free"}, "context": {}},
        ["phone", "Whats_App", "token"],
    ),
    (
        "an alias merges nobody",
        {"type": "alias", "previousId": "jane", "userId": "jane2"},
        {"type": "alias", "userId": "me_1"},
        ["previousId"],
    ),
    ("no person at all", {"event": "A", "phone": None}, {"event": "A", "phone": None, "userId": "me_1"}, []),
]


@pytest.mark.parametrize(("about", "event", "mine", "gone"), CASES, ids=[case[0] for case in CASES])
def test_addressed(about: str, event: dict[str, Any], mine: dict[str, Any], gone: list[str]) -> None:
    assert own.addressed(event, **ME) == (mine, gone)


def test_an_address_alone_is_the_id_as_well_and_an_id_alone_leaves_addresses_out() -> None:
    event = {"userId": "jane", "traits": {"email": "jane@example.com"}}
    made = {"userId": "me@example.com", "traits": {"email": "me@example.com"}}
    assert own.addressed(event, email="me@example.com", user_id="") == (made, [])
    assert own.addressed(event, email="", user_id="me_1") == ({"userId": "me_1", "traits": {}}, ["email"])


def test_a_field_that_a_channel_comes_from_is_left_out_whatever_it_is_called() -> None:
    event = {"userId": "jane", "traits": {"contact": {"handset": "+1555", "box": "jane@example.com"}}}
    made, gone = own.addressed(event, mapped=["contact.handset"], **ME)
    assert made == {"userId": "me_1", "traits": {"contact": {"box": "me@example.com"}}}
    assert gone == ["handset"]


def test_whom_an_event_reaches() -> None:
    event = {"traits": {"email": ["a@example.com", "b@example.com"], "phone": 1555, "note": "a@example.com", "n": 3}}
    assert own.addresses(event) == ["a@example.com", "b@example.com", "1555"]
    assert own.addresses({"traits": {"handset": "+1"}}, ["handset"]) == ["+1"]


def test_an_endless_event_ends() -> None:
    event: dict[str, Any] = {}
    for _ in range(500):
        event = {"a": event}
    assert own.addressed(event, **ME)[1] == []
    assert own.addresses(event) == []
