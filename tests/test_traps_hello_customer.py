"""The traps in how people have connected Hello Customer by hand: see test_traps.py."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.types import Cause, EventKind
from tests.vendors.talk import ASK, HELLO, JANE, identify, refusal, send, track


@pytest.mark.parametrize("pasted", ["ZGVtbzpwYXNz", "basic ZGVtbzpwYXNz", " Basic  ZGVtbzpwYXNz "])
def test_trap_01_the_token_is_sent_as_it_is(pasted: str) -> None:
    """The sample sends the words "settings.apiKey"; others encode the token a second time."""
    request = send(HELLO, track(**JANE), **{**ASK, "secrets": {"api_key": pasted}})
    assert request.headers["Authorization"] == "basic ZGVtbzpwYXNz"


def test_trap_03_identify_and_group_have_traits_not_properties() -> None:
    """The sample reads event.properties of every call, and retries its own TypeError for hours."""
    assert send(HELLO, identify(**JANE), **ASK).json["email"] == "jane@example.com"
    group = {"type": "group", "groupId": "g1", "userId": "u1", "traits": {}, "context": {"traits": JANE}}
    assert send(HELLO, {**group, "traits": JANE}, **ASK).json["email"] == "jane@example.com"
    assert refusal(HELLO, identify(), **ASK).cause is Cause.MAPPING_MISSING


@pytest.mark.parametrize("first", ["firstName", "firstname", "first_name"])
@pytest.mark.parametrize("last", ["lastName", "lastname", "last_name"])
def test_trap_04_names_in_every_spelling(first: str, last: str) -> None:
    """The sample knows lower case only; Segment's reserved traits are firstName and lastName."""
    body = send(HELLO, track(**{first: "Jane", last: "Doe", "email": "jane@example.com"}), **ASK).json
    assert (body["firstName"], body["lastName"]) == ("Jane", "Doe")


@pytest.mark.parametrize("extra", [{}, {"traits": JANE}, {"properties": JANE}, {"context": {"traits": JANE}}])
def test_trap_05_delete_never_contacts_anyone(extra: dict[str, Any]) -> None:
    """The sample adds a respondent for a deletion: a person who asks to be forgotten gets a survey."""
    assert EventKind.DELETE not in HELLO.builders
    event = {"type": "delete", "userId": "u1", "context": None, "integrations": None, **extra}
    assert refusal(HELLO, event, **ASK, events=[{"type": "delete", "send": True}]).cause is Cause.NOT_SUPPORTED


@pytest.mark.parametrize("kind", ["alias", "page", "screen"])
def test_trap_06_alias_page_and_screen_only_where_chosen_and_with_an_email(kind: str) -> None:
    """The sample adds a respondent for each of them, though they hardly ever have an e-mail address."""
    event = {"type": kind, "name": "Home", "userId": "u1", "previousId": "old"}
    chosen = [{"type": kind, "send": True}]
    assert refusal(HELLO, {**event, "properties": JANE}, **ASK).cause is Cause.SWITCHED_OFF
    assert refusal(HELLO, event, **ASK, events=chosen).cause is Cause.MAPPING_MISSING
    assert send(HELLO, {**event, "properties": JANE}, **ASK, events=chosen).json["email"] == "jane@example.com"


def test_trap_07_every_respondent_has_an_id_of_its_own() -> None:
    """The sample gives everybody 123456789."""
    ids = [
        send(HELLO, {**track(**JANE), "messageId": name}, **ASK).json["custom_UniqueID"] for name in ("m1", "m2", "m1")
    ]
    assert ids == ["m1", "m2", "m1"]


def test_trap_08_language_and_metadata_are_settings() -> None:
    """The sample asks everybody in one language, for one team."""
    settings = {**ASK["settings"], "language_id": "fr-guid", "metadata": {"team": "properties.team", "floor": "2"}}
    body = send(HELLO, track(**JANE, team=9), settings=settings, secrets=ASK["secrets"]).json
    assert body["language_UniqueID"] == "fr-guid"
    assert body["keyValues"] == {"team": "9", "floor": "2"}
    assert send(HELLO, track(**JANE), **ASK).json["keyValues"] == {}


def test_trap_09_one_call_a_second() -> None:
    """The sample calls as fast as events come."""
    assert (HELLO.rate_limit, HELLO.max_concurrency) == (1.0, 1)


@pytest.mark.parametrize("email", [None, "", "  ", {}, False])
def test_trap_10_no_call_without_an_email(email: Any) -> None:
    """The sample sends a respondent without an address."""
    found = refusal(HELLO, track(firstName="Jane", email=email), **ASK)
    assert found.cause is Cause.MAPPING_MISSING
    assert "email" in found.detail
