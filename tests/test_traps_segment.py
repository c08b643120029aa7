"""The traps in how people have connected survey events and Segment by hand: see test_traps.py."""

from __future__ import annotations

import uuid

import pytest

from integrations.types import BadSignature, Cause, ConnectorConfig, Disposition, Response, SourceConfig
from tests.vendors import cases
from tests.vendors.talk import CART, NOVU, NOW, RESPONSE_SUBMITTED, SEGMENT, SURVEYS, receive, refusal


def test_trap_33_the_eu_has_one_ingestion_address() -> None:
    """A guide lists two as equals; the second is Segment's management API."""
    regions = {region.slug: region for region in SEGMENT.regions}
    assert regions["eu"].base_url == "https://events.eu1.segmentapis.com"
    assert regions["eu_alternate"].base_url == "https://eu1.api.segmentapis.com"
    assert "management API" in regions["eu_alternate"].note
    assert SEGMENT.regions[0].slug == "us"


def test_trap_34_a_write_key_is_checked_by_its_settings_document() -> None:
    """Segment answers 200 to a wrong key and to a wrong region."""
    check = SEGMENT.check_credentials
    assert check is not None
    config = cases.config_of(SEGMENT, {"secrets": {"write_key": "wk"}})
    assert (check.request(config).method, check.request(config).url) == (
        "GET",
        "https://cdn.segment.com/v1/projects/wk/settings",
    )
    assert check.judge(Response(status=404), config).cause is Cause.KEY_REFUSED
    assert check.judge(Response(status=200), config).disposition is Disposition.DELIVERED
    assert "shows nothing" in SEGMENT.regions[0].note


def test_trap_36_identities_and_references_are_always_there() -> None:
    """The guide's sample leaves out what its table calls “Always”."""
    properties = receive(SURVEYS, RESPONSE_SUBMITTED)["properties"]
    assert (properties["identities"], properties["references"]) == ({}, {})
    given = receive(SURVEYS, {**RESPONSE_SUBMITTED, "identities": {"email": "a@example.com"}, "references": None})
    assert given["properties"]["identities"] == {"email": "a@example.com"}
    assert given["properties"]["references"] == {}


def test_trap_37_from_segment_to_segment_under_an_id_of_its_own() -> None:
    """Segment drops repeated ids over all sources and workspaces; elsewhere the id must not be rewritten."""

    def sent_id(config: ConnectorConfig, source_vendor: str) -> str:
        event = {"type": "track", "event": "A", "userId": "u1", "messageId": "m1"}
        return cases.built(SEGMENT, config, event, source_vendor).json["batch"][0]["messageId"]

    one, other = (cases.config_of(SEGMENT, uid=str(uuid.UUID(int=number))) for number in (1, 2))
    assert sent_id(one, "surveys") == sent_id(one, "customerio") == "m1"
    assert sent_id(one, "segment") == sent_id(one, "segment") == str(uuid.uuid5(uuid.UUID(int=1), "m1"))
    assert sent_id(one, "segment") != sent_id(other, "segment")


def test_trap_38_of_a_batch_segment_signs_the_first_event_only() -> None:
    """So a good signature says nothing about the rest: people are told to leave batching off."""
    assert SEGMENT.receive is not None
    assert SEGMENT.receive.verify is not None
    assert any("batching off" in step for step in SEGMENT.receive.paste)
    first = '{"type":"track","event":"Café Ordered","userId":"u1","properties":{"total":9.5}}'
    headers = {"x-signature": "3e8f42a1cef7b9d482093c3db78a15eaad70f4ee"}
    source = SourceConfig(signing_secret="shared-secret")
    SEGMENT.receive.verify(f"[{first},{{}}]".encode(), headers, source, NOW)
    with pytest.raises(BadSignature):
        SEGMENT.receive.verify(f"[{{}},{first}]".encode(), headers, source, NOW)


def test_trap_39_a_filter_that_cannot_be_evaluated_is_shown() -> None:
    """Segment drops the event too, and hides it."""
    found = refusal(NOVU, CART, filters=[{"if": "properties.total > 'much'", "then": "drop"}])
    assert found.cause is Cause.FILTERED
    assert "could not be evaluated" in found.detail
