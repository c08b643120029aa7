"""The traps in how people have connected Customer.io by hand: see test_traps.py."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from integrations.types import BadSignature, Cause, NotSent, SourceConfig, Unmappable
from tests.vendors.talk import CUSTOMERIO, DELIVERED_MAIL, NOW, SEGMENT, VENDORS, receive, send


def test_trap_26_unix_seconds_become_iso_8601() -> None:
    """The sample hands Segment an integer."""
    assert receive(CUSTOMERIO, DELIVERED_MAIL)["timestamp"] == "2015-01-26T16:33:52.000Z"
    assert "timestamp" not in receive(CUSTOMERIO, {**DELIVERED_MAIL, "timestamp": "soon"})


def test_trap_27_what_goes_out_is_json() -> None:
    """The sample's translation has trailing commas."""
    request = send(SEGMENT, receive(CUSTOMERIO, DELIVERED_MAIL), "customerio", secrets={"write_key": "k"})
    assert json.loads(request.content())["batch"][0]["event"] == "customerio:email_delivered"


def test_trap_28_a_repeated_webhook_has_the_same_message_id() -> None:
    """The sample has no messageId, and Customer.io repeats itself for a week."""
    assert receive(CUSTOMERIO, DELIVERED_MAIL)["messageId"] == DELIVERED_MAIL["event_id"]
    nameless = {key: value for key, value in DELIVERED_MAIL.items() if key != "event_id"}
    assert receive(CUSTOMERIO, nameless)["messageId"] == receive(CUSTOMERIO, copy.deepcopy(nameless))["messageId"]
    assert receive(CUSTOMERIO, nameless)["messageId"] != receive(CUSTOMERIO, {**nameless, "timestamp": 1})["messageId"]


@pytest.mark.parametrize(
    ("data", "identity"),
    [
        ({"customer_id": "old", "identifiers": {"id": "42"}}, {"userId": "42"}),
        ({"customer_id": 568, "identifiers": {"id": None}}, {"userId": "568"}),
        ({"identifiers": {"email": "a@example.com", "cio_id": "c1"}}, {"anonymousId": "a@example.com"}),
        ({"identifiers": {"cio_id": "c1"}}, {"anonymousId": "c1"}),
    ],
)
def test_trap_29_people_without_a_customer_id(data: dict[str, Any], identity: dict[str, str]) -> None:
    """The sample dies without customer_id."""
    event = receive(CUSTOMERIO, {**DELIVERED_MAIL, "data": data})
    assert {key: event[key] for key in ("userId", "anonymousId") if key in event} == identity


def test_trap_30_the_signature_is_checked() -> None:
    """The sample's address takes events from anybody."""
    assert CUSTOMERIO.receive is not None
    assert CUSTOMERIO.receive.verify is not None
    assert any("{key}" in step for step in CUSTOMERIO.receive.paste)
    source = SourceConfig(signing_secret="k")
    for headers in ({}, {"x-cio-timestamp": "1778667300", "x-cio-signature": "0" * 64}):
        with pytest.raises(BadSignature):
            CUSTOMERIO.receive.verify(b"{}", headers, source, NOW)


@pytest.mark.parametrize("document", [{}, [], None, 7, "text", {"data": None}, {"event_type": "x", "data": {}}])
def test_trap_31_what_cannot_be_mapped_is_no_error(document: Any) -> None:
    """The sample answers 406, and Customer.io then holds back everything else. Here it is stored with the reason."""
    with pytest.raises(Unmappable) as caught:
        receive(CUSTOMERIO, document)
    assert str(caught.value)


def test_trap_32_nothing_echoes_back_to_customerio() -> None:
    """The sample's events would return where they came from, where Customer.io is a destination as well."""
    event = receive(CUSTOMERIO, DELIVERED_MAIL)
    assert event["integrations"] == {"Customer.io": False}
    assert event["context"] == {"event_id": DELIVERED_MAIL["event_id"], "integration": {"name": "Customer.io"}}
    sent = send(SEGMENT, event, "customerio", secrets={"write_key": "k"}).json["batch"][0]
    assert sent["integrations"] == {"Customer.io": False}
    with pytest.raises(NotSent) as caught:
        send(VENDORS["webhook"], event, "customerio", name="Customer.io", settings={"url": "https://example.com/"})
    assert caught.value.cause is Cause.SWITCHED_OFF
