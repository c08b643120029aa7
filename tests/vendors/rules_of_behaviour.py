"""Rules about what a vendor does with events, answers and secrets, odd ones too. Each is a function that yields what is
wrong, in words for whoever adds a vendor."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson

from integrations import verdicts
from integrations.types import BadSignature, Event, NotSent, Response, SourceConfig, Unmappable, Verdict
from tests.vendors import cases
from tests.vendors.subject import STATUSES, Subject, requests_of

# Where a secret may stand: the authorization, and the fields in which a service asks for another service's token.
SECRET_HEADERS = frozenset({"authorization"})
SECRET_FIELDS = frozenset({"access_token"})
JUNK_BODIES = (
    b"",
    b"null",
    b"[]",
    b'"no"',
    b"7",
    b"<html>",
    b"\xff\xfe",
    b'{"data":[null,7]}',
    b'{"errors":[1],"data":{"status":3}}',
)
JUNK = (None, 7, True, "text", [], {}, ["x", {"a": None}], {"a": {"b": []}})


def every_failure_has_a_cause(subject: Subject) -> Iterator[str]:
    if not subject.vendor.sends:
        return
    for status in STATUSES:
        for body in JUNK_BODIES:
            verdict = verdicts.judge(subject.vendor, Response(status=status, body=body), subject.config(), cases.NOW)
            if verdict.cause is None:
                yield f"the answer {status} {body!r} has no cause"


def answers_never_raise(subject: Subject) -> Iterator[str]:
    vendor, config = subject.vendor, subject.config()
    if not vendor.sends:
        return
    for status in (200, 201, 204, 302, *STATUSES):
        for body in JUNK_BODIES:
            response = Response(status=status, body=body)
            try:
                verdicts.judge(vendor, response, config, cases.NOW)
                if vendor.check_credentials:
                    vendor.check_credentials.judge(response, config)
                if vendor.batch and vendor.batch.classify_each:
                    each = vendor.batch.classify_each(response, config, 3)
                    if len(each) != 3 or not all(isinstance(one, Verdict) for one in each):
                        yield f"classify_each gives no verdict for each event of {status} {body!r}"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                yield f"the answer {status} {body!r} raises {error!r}"


def secrets_stay_in_their_place(subject: Subject) -> Iterator[str]:
    names = [setting.name for setting in subject.vendor.settings if setting.secret]
    marks = {name: f"sentinel-{name}" for name in names}
    for request in requests_of(subject, secrets=marks):
        for name, mark in marks.items():
            others = [value for key, value in request.headers.items() if key.lower() not in SECRET_HEADERS]
            if mark in request.url or any(mark in text for text in (*others, *request.notes)):
                yield f"the secret {name} is in the address, a header or a note"
            content = request.content()
            if content and any(mark in text for text in _texts(orjson.loads(content))):
                yield f"the secret {name} is in the body"


def the_test_event_builds(subject: Subject) -> Iterator[str]:
    vendor = subject.vendor
    if not vendor.sends:
        return
    if not vendor.test_event:
        yield "there is no test event"
        return
    try:
        cases.built(vendor, subject.config(rules=(), other_events="send"), vendor.test_event)
    except NotSent as refusal:
        yield f"the test event is not sent: {refusal.detail}"


def nothing_is_changed(subject: Subject) -> Iterator[str]:
    vendor = subject.vendor
    for case in subject.sent:
        config = cases.config_of(vendor, case.document.get("connector"))
        event = cases.prepared(vendor, config, case.document["event"])
        before = copy.deepcopy(event.payload)
        vendor.builders[event.kind](event, config)
        if event.payload != before:
            yield f"{case.name}: the event was changed"
    for case in subject.cases:
        if case.document.get("becomes") and vendor.receive:
            received = copy.deepcopy(case.document["received"])
            vendor.receive.parse(received["document"], cases.source_of(vendor, received))
            if received != case.document["received"]:
                yield f"{case.name}: the document was changed"


def only_words_for_odd_events(subject: Subject) -> Iterator[str]:
    """Whatever a client may have put into an event, a builder builds or says why not."""
    vendor, config = subject.vendor, subject.config()
    for kind, build in vendor.builders.items():
        for odd in JUNK:
            payload = {
                **cases.ADDED,
                "type": kind.value,
                "event": "Odd",
                "name": "Odd",
                "previousId": odd,
                "groupId": odd,
            }
            payload |= {"properties": odd, "traits": odd, "context": odd, "integrations": odd}
            for nested in (payload, {**payload, "context": {"traits": odd}}, {**payload, "properties": _shaped(odd)}):
                event = Event(
                    kind=kind, name="Odd", message_id="m", user_id="u", anonymous_id="", timestamp="", received_at="",
                    payload=nested,
                )  # fmt: skip
                try:
                    build(event, config).content()
                except NotSent as refusal:
                    if not refusal.detail.strip():
                        yield f"{kind}: a refusal without words"
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                    yield f"{kind}: {odd!r} raises {error!r}"


def only_words_for_odd_documents(subject: Subject) -> Iterator[str]:
    receive = subject.vendor.receive
    if receive is None:
        return
    source = SourceConfig(signing_secret="secret")
    keys = {key for case in subject.cases for key in _keys(case.document.get("received", {}).get("document"))}
    for odd in JUNK:
        for document in (dict.fromkeys(keys, odd), *({**_good(subject), key: odd} for key in keys)):
            try:
                receive.parse(document, source)
            except Unmappable as refusal:
                if not str(refusal).strip():
                    yield "a refusal without words"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                yield f"{document!r} raises {error!r}"
    if receive.verify:
        for raw in JUNK_BODIES:
            for value in ("", "é", "v1,", "v1", "9" * 400, "-1"):
                headers = dict.fromkeys(_signature_headers(subject), value)
                try:
                    receive.verify(raw, headers, source, cases.NOW + timedelta(days=1))
                    yield f"the signature {value!r} was accepted"
                except BadSignature:
                    pass
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                    yield f"the signature {value!r} raises {error!r}"


def _texts(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield name
            yield from _texts(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child, key)
    elif isinstance(value, str) and key not in SECRET_FIELDS:
        yield value


def _keys(document: Any) -> set[str]:
    return set(document) if isinstance(document, dict) else set()


def _good(subject: Subject) -> dict[str, Any]:
    found = (case.document["received"]["document"] for case in subject.cases if case.document.get("becomes"))
    return next(found, {})


def _signature_headers(subject: Subject) -> set[str]:
    return {name for case in subject.cases for name in case.document.get("received", {}).get("headers", {})}


def _shaped(odd: Any) -> dict[str, Any]:
    return dict.fromkeys(("name", "user", "email", "environment", "firstName"), odd)
