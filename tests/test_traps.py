"""The known traps in how people have connected these services by hand, one test each, named after its number.

What the samples and guides do wrong is said in each docstring. The two that are the ingest's to avoid have their tests
with it: 40 and 41 (what Segment's libraries read and send).
"""

from __future__ import annotations

import copy
import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from deliveries.core.retry import decide
from integrations import registry, verdicts
from integrations.types import (
    BadSignature,
    Cause,
    ConnectorConfig,
    Disposition,
    EventKind,
    NotSent,
    OutgoingRequest,
    Response,
    SourceConfig,
    Unmappable,
    Vendor,
    Verdict,
)
from tests.vendors import cases

NOW = datetime(2026, 5, 13, 10, 15, tzinfo=UTC)
VENDORS = registry.vendors()
HELLO, NOVU, SUPRSEND, SEGMENT = (VENDORS[slug] for slug in ("hello_customer", "novu", "suprsend", "segment"))
CUSTOMERIO, SURVEYS = VENDORS["customerio"], VENDORS["surveys"]
SENDERS = [vendor for vendor in VENDORS.values() if vendor.sends]

ASK = {"settings": {"touchpoint_id": "tp-77", "language_id": "nl-guid"}, "secrets": {"api_key": "ZGVtbzpwYXNz"}}
JANE = {"firstName": "Jane", "lastName": "Doe", "email": "jane@example.com"}
CART = {
    "type": "track",
    "event": "User Abandoned Cart",
    "properties": {
        "name": "abandoned-cart-recovery-workflow",
        "user": {"subscriberId": "63da8ee0c037e013fd790ffd", "email": "hi@hi.com"},
        "environment": "development",
    },
}
DELIVERED_MAIL = {
    "event_type": "email_delivered",
    "event_id": "9420f522-b127-4a74-8b90-bace0edc27ab",
    "timestamp": 1422290032,
    "data": {"customer_id": "568", "email_address": "customer@example.com"},
}
RESPONSE_SUBMITTED = {
    "event": "Response Submitted",
    "event_id": "evt_1",
    "occurred_at": "2026-05-13T10:14:00.000Z",
    "anonymous_id": "anon_abc",
    "app_id": "app_1",
    "organization_id": "org_1",
}


def send(vendor: Vendor, event: dict[str, Any], source_vendor: str = "segment", **connector: Any) -> OutgoingRequest:
    return cases.built(vendor, cases.config_of(vendor, connector), event, source_vendor)


def refusal(vendor: Vendor, event: dict[str, Any], **connector: Any) -> NotSent:
    with pytest.raises(NotSent) as caught:
        send(vendor, event, **connector)
    return caught.value


def judge(vendor: Vendor, status: int, body: Any = "", headers: dict[str, str] | None = None) -> Verdict:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response = Response(status=status, headers=headers or {}, body=content)
    return verdicts.judge(vendor, response, cases.config_of(vendor), NOW)


def receive(vendor: Vendor, document: Any, **settings: Any) -> dict[str, Any]:
    assert vendor.receive is not None
    [event] = vendor.receive.parse(document, cases.source_of(vendor, {"settings": settings}))
    return event


def track(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Order Delivered", "userId": "u1", "properties": properties}


def identify(**traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": "u1", "traits": traits}


# Hello Customer


@pytest.mark.parametrize("pasted", ["ZGVtbzpwYXNz", "basic ZGVtbzpwYXNz", " Basic  ZGVtbzpwYXNz "])
def test_trap_01_the_token_is_sent_as_it_is(pasted: str) -> None:
    """The sample sends the words "settings.apiKey"; others encode the token a second time."""
    request = send(HELLO, track(**JANE), **{**ASK, "secrets": {"api_key": pasted}})
    assert request.headers["Authorization"] == "basic ZGVtbzpwYXNz"


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_02_a_refused_key_is_a_failure(vendor: Vendor) -> None:
    """The sample takes 401 and 403 for a success."""
    for status in (401, 403):
        verdict = judge(vendor, status, "no")
        assert (verdict.disposition, verdict.cause) == (Disposition.REAUTH, Cause.KEY_REFUSED)


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


# Answers


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_11_time_outs_and_waits_are_retried(vendor: Vendor) -> None:
    """The samples retry 5xx and 429 only, and read no Retry-After."""
    for status, cause in (
        (408, Cause.TIMEOUT),
        (429, Cause.SLOW_DOWN),
        (500, Cause.SERVICE_ERROR),
        (503, Cause.SERVICE_ERROR),
    ):
        verdict = judge(vendor, status, "later", {"retry-after": "120"})
        assert (verdict.disposition, verdict.cause, verdict.retry_after) == (Disposition.RETRY, cause, 120.0)


# Novu


def test_trap_12_a_missing_subscriber_is_named() -> None:
    """The sample dies on an event without a user."""
    found = refusal(NOVU, {"type": "track", "event": "A", "anonymousId": "a1", "properties": {"name": "w"}})
    assert (found.cause, "properties.user.subscriberId" in found.detail) == (Cause.MAPPING_MISSING, True)
    assert send(NOVU, {"type": "track", "event": "A", "userId": "u1", "properties": {"name": "w"}}).json["to"] == {
        "subscriberId": "u1"
    }


def test_trap_13_another_environment_is_skipped_with_the_reason() -> None:
    """The sample ends silently, which looks like a delivery."""
    found = refusal(NOVU, CART, settings={"environment": "production"})
    assert found.cause is Cause.FILTERED
    assert found.detail == "The event's environment is “development”; only “production” is sent here."


def test_trap_14_workflows_can_be_chosen_by_us() -> None:
    """The sample lets whoever can send an event trigger any workflow."""
    settings = {"workflow_from": "events"}
    assert refusal(NOVU, CART, settings=settings).cause is Cause.MAPPING_MISSING
    events = [{"event": "User Abandoned Cart", "send_as": "cart-reminder"}]
    assert send(NOVU, CART, settings=settings, events=events).json["name"] == "cart-reminder"


@pytest.mark.parametrize(
    ("style", "wanted"), [("nested", {"eventProperties": CART["properties"]}), ("flat", CART["properties"])]
)
def test_trap_15_the_payload_is_nested_or_flat(style: str, wanted: dict[str, Any]) -> None:
    """The sample puts the properties one level deeper than its readers expect."""
    assert send(NOVU, CART, settings={"payload_style": style}).json["payload"] == wanted


def test_trap_16_a_second_send_carries_the_same_transaction_id() -> None:
    """The sample has none: a retry after a time-out notifies twice."""
    first, again, other = (send(NOVU, {**CART, "messageId": name}).json["transactionId"] for name in ("m1", "m1", "m2"))
    assert first == again == str(uuid.uuid5(uuid.UUID(cases.UID), "m1"))
    assert first != other


@pytest.mark.parametrize("status", ["trigger_not_active", "no_workflow_steps_defined", "invalid_recipients", "error"])
def test_trap_17_a_201_may_say_no(status: str) -> None:
    """The sample judges the status code alone; a bulk call has one result per event."""
    verdict = judge(NOVU, 201, {"data": {"acknowledged": True, "status": status}})
    assert (verdict.disposition, verdict.cause) == (Disposition.REFUSED, Cause.REFUSED_BY_SERVICE)
    assert status in verdict.detail
    assert NOVU.batch is not None
    assert NOVU.batch.classify_each is not None
    body = json.dumps({"data": [{"status": "processed"}, {"status": status}]}).encode()
    each = NOVU.batch.classify_each(Response(status=201, body=body), cases.config_of(NOVU), 2)
    assert [one.disposition for one in each] == [Disposition.DELIVERED, Disposition.REFUSED]


def test_trap_18_no_idempotency_key_that_keeps_errors() -> None:
    """Novu replays an error for a day under the same Idempotency-Key."""
    assert NOVU.batch is not None
    for request in (send(NOVU, CART), NOVU.batch.request(cases.config_of(NOVU), b"{}")):
        assert "idempotency-key" not in {name.lower() for name in request.headers}


def test_trap_19_addresses_are_named_regions() -> None:
    """The sample posts to whatever address is pasted, http:// included."""
    assert {region.slug: region.base_url for region in NOVU.regions} == {
        "us": "https://api.novu.co",
        "eu": "https://eu.api.novu.co",
    }
    for vendor in SENDERS:
        for region in vendor.regions:
            # The practice service's calls never leave the machine: the engine answers them itself.
            assert urlsplit(region.base_url).scheme == ("practice" if vendor.slug == "practice" else "https")
            assert urlsplit(region.base_url).hostname in vendor.allowed_hosts


@pytest.mark.parametrize("vendor", SENDERS, ids=lambda vendor: vendor.slug)
def test_trap_20_no_failure_is_a_success(vendor: Vendor) -> None:
    """A sample function ignores the answer altogether."""
    for status in (301, 400, 404, 409, 413, 422, 429, 500, 501, 502, 503):
        verdict = judge(vendor, status, "no")
        assert verdict.disposition is not Disposition.DELIVERED
        assert verdict.cause is not None


# SuprSend


def operations(event: dict[str, Any], **connector: Any) -> list[dict[str, Any]]:
    return send(SUPRSEND, event, **connector).json["operations"]


def test_trap_21_channels_are_mapped_by_hand() -> None:
    """The guide's example says slack_email, its table slackEmail: neither works unless it is mapped."""
    event = identify(slack_email="a@example.com")
    secrets = {"api_key": "k", "slack_access_token": "xoxb-1"}
    assert operations(event, secrets=secrets) == [{"$set": {"slack_email": "a@example.com"}}]
    assert operations(event, secrets=secrets, channels={"slack_email": "slack_email"})[1:] == [
        {"$append": {"$slack": {"email": "a@example.com", "access_token": "xoxb-1"}}}
    ]
    assert SUPRSEND.default_channels == ("email", "sms")
    assert {slug: trait for slug, _, trait in SUPRSEND.channels} == {
        "email": "email",
        "sms": "phone",
        "whatsapp": "whatsapp",
        "slack_email": "slackEmail",
        "slack_user_id": "slackUserID",
        "androidpush_fcm": "fcmAndroidpush",
        "androidpush_xiaomi": "xiaomiAndroidpush",
        "iospush_apns": "apnsIospush",
    }


def test_trap_22_the_prefix_keeps_its_space() -> None:
    """Running text and form fields lose the space after the colon."""
    assert SUPRSEND.offered_prefix == "segment : "
    event = {"type": "track", "event": "User Registered", "userId": "u1"}
    assert send(SUPRSEND, event, prefix=SUPRSEND.offered_prefix).json["event"] == "segment : User Registered"
    assert send(SUPRSEND, event).json["event"] == "User Registered"


def test_trap_23_channels_are_appended_and_we_say_so() -> None:
    """An old address keeps getting messages: nobody may be surprised by that."""
    assert {"$append": {"$email": "new@example.com"}} in operations(identify(email="new@example.com"))
    assert any("notifies the person at both" in step for step in SUPRSEND.prepare)


@pytest.mark.parametrize(("given", "sent"), [("hi", "hi"), ("HI", "hi"), ("english", ""), ("hi-IN", ""), ("xx", "")])
def test_trap_24_only_a_language_code_is_a_language(given: str, sent: str) -> None:
    """Anything else is ignored silently there; here that key alone is left out, with a note."""
    request = send(SUPRSEND, identify(language=given, plan="pro"), preferences={"preferred_language": "language"})
    expected = [{"$set": {"language": given, "plan": "pro"}}]
    expected += [{"$set": {"$preferred_language": sent}}] if sent else []
    assert request.json["operations"] == expected
    assert [given in note for note in request.notes] == ([] if sent else [True])


def test_trap_25_traits_are_no_operators() -> None:
    """A trait named $unset or $email would act as SuprSend's own."""
    request = send(SUPRSEND, identify(**{"$unset": ["plan"], "$email": "x@example.com", "plan": "pro"}))
    assert request.json == {"operations": [{"$set": {"plan": "pro"}}]}
    assert request.notes == ("Left out: $unset, $email. Traits that begin with $ are SuprSend's own.",)


# Customer.io


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


# Survey events and Segment


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


def test_trap_35_eight_attempts_are_eight_retries() -> None:
    """A guide gives seven delays, "then a final attempt", and calls that eight: the first try is not counted."""
    verdict = judge(SEGMENT, 503)
    decisions = [decide(verdict, tries_made, NOW, "standard") for tries_made in range(9)]
    waits = [(one.next_attempt_at - NOW).total_seconds() / 60 for one in decisions if one.next_attempt_at]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 360]
    assert (decisions[8].status, decisions[8].cause) == ("failed", Cause.GAVE_UP)


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
