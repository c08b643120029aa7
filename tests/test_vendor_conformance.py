"""What every vendor must keep, checked for each file in ``integrations/vendors`` by itself: nothing is registered here.

Each rule is a function that yields what is wrong, in words for whoever adds a vendor. The second half proves, on
made-up vendors, that the rules do find what they are for.
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from integrations import registry, verdicts
from integrations.types import (
    BadSignature,
    ConnectorConfig,
    Event,
    EventKind,
    NotSent,
    OutgoingRequest,
    Receive,
    Region,
    Response,
    Setting,
    SourceConfig,
    Unmappable,
    Vendor,
    Verdict,
)
from tests.vendors import cases

# Every sender has a case for each of these, and each must end in a cause that says who acts.
STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 500, 503)
# What a vendor module may import besides the standard library's pure parts.
PURE = re.compile(r"(integrations\.(types|verdicts|vendors\._\w+)|standardwebhooks)$")
STANDARD = frozenset(sys.stdlib_module_names)
IMPURE_STANDARD = frozenset(
    {"socket", "ssl", "http", "urllib.request", "subprocess", "os", "threading", "asyncio", "random"}
)
# Where a secret may stand: the authorization, and the fields in which a service asks for another service's token.
SECRET_HEADERS = frozenset({"authorization"})
SECRET_FIELDS = frozenset({"access_token"})
# Encrypted, or never on a wire at all: the engine answers the practice service's calls itself.
PRIVATE_SCHEMES = ("https://", "practice://")
OWN_ENDPOINT = "https://own.example.com"
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


@dataclass(frozen=True)
class Subject:
    """A vendor under test, with its module's text and its cases."""

    vendor: Vendor
    source: str
    cases: list[cases.Case]

    @property
    def connector(self) -> dict[str, Any]:
        """A connector that is filled in: that of the first case that sends something."""
        found = (case.document.get("connector") for case in self.cases if {"event", "request"} <= set(case.document))
        return next((connector for connector in found if connector), {})

    @property
    def sent(self) -> list[cases.Case]:
        return [case for case in self.cases if {"event", "request"} <= set(case.document)]

    def config(self, **changes: Any) -> ConnectorConfig:
        return cases.config_of(self.vendor, self.connector, **changes)


Rule = Callable[[Subject], Iterator[str]]


def is_documented(subject: Subject) -> Iterator[str]:
    vendor = subject.vendor
    docstring = ast.get_docstring(ast.parse(subject.source)) or ""
    if "https://" not in docstring:
        yield "the module's docstring has no documentation address"
    if not vendor.docs_url.startswith("https://"):
        yield "docs_url is no https address"
    for name in ("label", "summary"):
        if not getattr(vendor, name).strip():
            yield f"{name} is empty"
    if not vendor.prepare:
        yield "prepare does not say what to have ready in the other product"
    if not vendor.sends and not vendor.receives:
        yield "it neither sends nor receives"


def is_pure(subject: Subject) -> Iterator[str]:
    for node in ast.walk(ast.parse(subject.source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name in IMPURE_STANDARD or not (name.partition(".")[0] in STANDARD or PURE.match(name)):
                yield f"it imports {name}"


def settings_explain_themselves(subject: Subject) -> Iterator[str]:
    settings = (*subject.vendor.settings, *(subject.vendor.receive.settings if subject.vendor.receive else ()))
    names = [setting.name for setting in settings]
    if len(names) != len(set(names)):
        yield "two settings have one name"
    for setting in settings:
        if not setting.help.strip():
            yield f"setting {setting.name} has no help text"
        if not setting.label.strip():
            yield f"setting {setting.name} has no label"
        if setting.secret and setting.required and not setting.where_to_find.strip():
            yield f"setting {setting.name} does not say where to find the secret"
        if setting.kind == "choice" and setting.default not in {value for value, _ in setting.choices}:
            yield f"setting {setting.name}: the default is none of the choices"
        if setting.pattern and not (setting.pattern_hint and re.compile(setting.pattern)):
            yield f"setting {setting.name}: the pattern is not put into words"


def addresses_are_named_and_bounded(subject: Subject) -> Iterator[str]:
    vendor = subject.vendor
    for region in vendor.regions:
        if not region.base_url.startswith(PRIVATE_SCHEMES) or region.base_url.endswith(("/", "/v1")):
            yield f"region {region.slug}: the address is not https, or ends in / or /v1"
        if urlsplit(region.base_url).hostname not in vendor.allowed_hosts:
            yield f"region {region.slug}: the host is not in allowed_hosts"
    for request in _requests(subject):
        address = urlsplit(request.url)
        if not request.url.startswith(PRIVATE_SCHEMES):
            yield f"{request.url} is not https"
        if (
            vendor.allowed_hosts
            and address.hostname not in vendor.allowed_hosts
            and not _own(subject, address.hostname)
        ):
            yield f"{request.url} is outside of allowed_hosts"
    if vendor.regions:
        for request in _requests(subject, base_url=OWN_ENDPOINT):
            if not request.url.startswith(OWN_ENDPOINT + "/"):
                yield f"{request.url} passes by the connector's own endpoint"


def has_cases(subject: Subject) -> Iterator[str]:
    vendor, documents = subject.vendor, [case.document for case in subject.cases]
    if not documents:
        yield f"there is no case in tests/vendors/{vendor.slug}/"
    if vendor.sends:
        if not any(document.get("verdict", {}).get("disposition") == "delivered" for document in documents):
            yield "no case shows a success"
        for kind in set(vendor.builders) - set(cases.kinds_built(subject.cases)):
            yield f"no case shows the request of {kind}"
        if vendor.batch and not any("batch" in document for document in documents):
            yield "no case shows a batch"
        if vendor.sign and not any("webhook-signature" in document.get("signed", {}) for document in documents):
            yield "no case shows a signature"
        answered = {
            document["answer"]["status"] for document in documents if "verdict" in document and "answer" in document
        }
        for status in STATUSES:
            if status not in answered:
                yield f"no case shows the answer {status}"
    if vendor.receive:
        if not any(document.get("becomes") for document in documents):
            yield "no case shows what comes in"
        signatures = {document["signature"] == "good" for document in documents if "signature" in document}
        if vendor.receive.verify and signatures != {True, False}:
            yield "no cases show a good and a bad signature"


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
    for request in _requests(subject, secrets=marks):
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


def the_way_in_is_explained(subject: Subject) -> Iterator[str]:
    receive = subject.vendor.receive
    if receive is None:
        return
    if not receive.path.startswith("/connector/"):
        yield "the route is not below /connector/"
    steps = " ".join(receive.paste)
    if not {"{address}", "{key}"} <= set(re.findall(r"\{\w+\}", steps)):
        yield "paste does not say where address and key go"
    if receive.verify and not receive.signing_secret_help:
        yield "signing_secret_help is empty"
    try:
        steps.format(address="A", key="K")
    except (KeyError, ValueError, IndexError):
        yield "paste holds something other than {address} and {key}"


def the_batch_is_one_json_document(subject: Subject) -> Iterator[str]:
    batch = subject.vendor.batch
    if batch is None:
        return
    if not batch.kinds & set(subject.vendor.builders) or batch.max_events < 2 or batch.max_bytes < 10_000:
        yield "the batch is empty"
    for items in (b"", b"1", b"1,2"):
        try:
            orjson.loads(batch.prefix + items + batch.suffix)
        except ValueError:
            yield f"{batch.prefix!r} and {batch.suffix!r} do not make JSON"


RULES: tuple[Rule, ...] = (
    is_documented,
    is_pure,
    settings_explain_themselves,
    addresses_are_named_and_bounded,
    has_cases,
    every_failure_has_a_cause,
    answers_never_raise,
    secrets_stay_in_their_place,
    the_test_event_builds,
    nothing_is_changed,
    only_words_for_odd_events,
    only_words_for_odd_documents,
    the_way_in_is_explained,
    the_batch_is_one_json_document,
)


def subject_of(vendor: Vendor, source: str, root: Path = cases.ROOT) -> Subject:
    return Subject(vendor, source, cases.load(root, vendor.slug))


def _requests(subject: Subject, **changes: Any) -> Iterator[OutgoingRequest]:
    """What the cases' events become, each at the connector of its own case."""
    for case in subject.sent:
        config = cases.config_of(subject.vendor, case.document.get("connector"), **changes)
        yield cases.built(subject.vendor, config, case.document["event"])


def _own(subject: Subject, host: str | None) -> bool:
    return host in {urlsplit(case.document.get("connector", {}).get("endpoint", "")).hostname for case in subject.cases}


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


VENDORS = registry.vendors()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("slug", VENDORS)
def test_every_vendor_keeps_every_rule(slug: str, rule: Rule) -> None:
    source = inspect.getsource(import_module(f"integrations.vendors.{slug}"))  # the file has the vendor's full name
    assert list(rule(subject_of(VENDORS[slug], source))) == []


def test_every_folder_of_cases_belongs_to_a_vendor() -> None:
    assert {path.name for path in cases.ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(VENDORS)


# The rules find what they are for.

GOOD_SOURCE = '"""Acme: https://acme.example.com/docs"""\nimport json\nfrom integrations.types import Vendor\n'


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    headers = {"Authorization": f"Bearer {config.secret('key')}"}
    return OutgoingRequest(url=f"{config.base_url}/events", headers=headers, json={"event": event.name})


ACME = Vendor(
    slug="acme",
    label="Acme",
    summary="Made up.",
    docs_url="https://acme.example.com/docs",
    prepare=("Have a key.",),
    settings=(Setting(name="key", label="Key", secret=True, help="Opens.", where_to_find="In Acme: Settings."),),
    regions=(Region(slug="global", label="Acme", base_url="https://api.acme.example.com"),),
    allowed_hosts=("api.acme.example.com",),
    builders={EventKind.TRACK: build},
    test_event={"type": "track", "event": "A", "userId": "u1"},
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Cases that a vendor like Acme needs."""
    folder = tmp_path / "acme"
    folder.mkdir()
    event = {"type": "track", "event": "A", "userId": "u1"}
    _write(folder, "track", {"connector": {"secrets": {"key": "k"}}, "event": event, "request": {}})
    _write(folder, "answer_200", {"answer": {"status": 200}, "verdict": {"disposition": "delivered"}})
    for status in STATUSES:
        _write(folder, f"answer_{status}", {"answer": {"status": status}, "verdict": {"disposition": "rejected"}})
    return tmp_path


def _write(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_bytes(orjson.dumps({"about": "Made up.", **document}))


def _problems(vendor: Vendor, root: Path, source: str = GOOD_SOURCE) -> list[str]:
    subject = subject_of(vendor, source, root)
    return [problem for rule in RULES for problem in rule(subject)]


def test_a_vendor_that_keeps_the_rules_has_no_problems(root: Path) -> None:
    assert _problems(ACME, root) == []


def test_a_vendor_without_cases_is_found(tmp_path: Path) -> None:
    problems = _problems(ACME, tmp_path)
    assert "there is no case in tests/vendors/acme/" in problems
    assert "no case shows a success" in problems
    assert "no case shows the request of track" in problems


def test_a_documented_answer_without_a_case_is_found(root: Path) -> None:
    (root / "acme" / "answer_422.json").unlink()
    assert _problems(ACME, root) == ["no case shows the answer 422"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"help": " "}, "setting key has no help text"),
        ({"where_to_find": ""}, "setting key does not say where to find the secret"),
        ({"pattern": r"\d+"}, "setting key: the pattern is not put into words"),
        ({"kind": "choice", "default": "x"}, "setting key: the default is none of the choices"),
    ],
)
def test_a_setting_that_explains_nothing_is_found(root: Path, change: dict[str, Any], problem: str) -> None:
    vendor = replace(ACME, settings=(replace(ACME.settings[0], **change),))
    assert _problems(vendor, root) == [problem]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (GOOD_SOURCE + "import requests\n", "it imports requests"),
        (GOOD_SOURCE + "from django.conf import settings\n", "it imports django.conf"),
        (GOOD_SOURCE + "from integrations.models import Connector\n", "it imports integrations.models"),
        (GOOD_SOURCE + "def f():\n    import urllib.request\n", "it imports urllib.request"),
        ('"""Acme."""\n', "the module's docstring has no documentation address"),
    ],
)
def test_an_impure_or_undocumented_module_is_found(root: Path, source: str, problem: str) -> None:
    assert _problems(ACME, root, source) == [problem]


def _bad(**parts: Any) -> Any:
    """A builder that differs from Acme's in one thing."""
    return lambda event, config: replace(build(event, config), **{k: v(event, config) for k, v in parts.items()})


@pytest.mark.parametrize(
    ("builder", "problem"),
    [
        (_bad(json=lambda e, c: {"key": c.secret("key")}), "the secret key is in the body"),
        (
            _bad(url=lambda e, c: f"{c.base_url}/{c.secret('key')}"),
            "the secret key is in the address, a header or a note",
        ),
        (_bad(url=lambda e, c: "https://evil.example.com/"), "https://evil.example.com/ is outside of allowed_hosts"),
        (_bad(url=lambda e, c: "http://api.acme.example.com/"), "http://api.acme.example.com/ is not https"),
        (_bad(notes=lambda e, c: (e.payload.pop("userId", ""),)), "track: the event was changed"),
        (
            _bad(notes=lambda e, c: (e.payload["properties"]["x"],)),
            "track: None raises TypeError(\"'NoneType' object is not subscriptable\")",
        ),
    ],
)
def test_a_careless_builder_is_found(root: Path, builder: Any, problem: str) -> None:
    if "payload[" in problem or "TypeError" in problem:
        (root / "acme" / "track.json").unlink()
        _write(
            root / "acme", "track", {"event": {"type": "track", "event": "A", "properties": {"x": "y"}}, "request": {}}
        )
    assert problem in _problems(replace(ACME, builders={EventKind.TRACK: builder}, test_event={}), root)


def test_a_classify_that_trusts_the_body_is_found(root: Path) -> None:
    vendor = replace(ACME, classify=lambda response, config: response.json()["x"])
    assert any("raises" in problem for rule in [answers_never_raise] for problem in rule(subject_of(vendor, "", root)))


def test_a_failure_without_a_cause_is_found(root: Path) -> None:
    vendor = replace(ACME, classify=lambda response, config: Verdict(disposition="delivered"))  # type: ignore[arg-type]
    assert "the answer 500 b'' has no cause" in _problems(vendor, root)


def test_a_receiver_that_explains_nothing_is_found(root: Path) -> None:
    receive = Receive(path="/acme", parse=lambda document, source: [document["type"]], paste=("Paste it.",))
    problems = _problems(replace(ACME, receive=receive), root)
    assert "the route is not below /connector/" in problems
    assert "paste does not say where address and key go" in problems
    assert "no case shows what comes in" in problems
