"""Rules about what stands in a vendor's file and beside it: words, addresses, cases. Each is a function that yields
what is wrong, in words for whoever adds a vendor."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import orjson

from tests.vendors import cases
from tests.vendors.subject import STATUSES, Subject, requests_of

# What a vendor module may import besides the standard library's pure parts.
PURE = re.compile(r"(integrations\.(types|verdicts|vendors\._\w+)|standardwebhooks)$")
STANDARD = frozenset(sys.stdlib_module_names)
IMPURE_STANDARD = frozenset(
    {"socket", "ssl", "http", "urllib.request", "subprocess", "os", "threading", "asyncio", "random"}
)
# Encrypted, or never on a wire at all: the engine answers the practice service's calls itself.
PRIVATE_SCHEMES = ("https://", "practice://")
OWN_ENDPOINT = "https://own.example.com"


def is_documented(subject: Subject) -> Iterator[str]:
    vendor = subject.vendor
    docstring = ast.get_docstring(ast.parse(subject.source)) or ""
    if "https://" not in docstring:
        yield "the module's docstring has no documentation address"
    if not vendor.docs_url.startswith("https://") and not vendor.made_up:
        yield "docs_url is no https address"
    for name in ("label", "summary"):
        if not getattr(vendor, name).strip():
            yield f"{name} is empty"
    if not vendor.prepare:
        yield "prepare does not say what to have ready in the other product"
    if not vendor.sends and not vendor.receives:
        yield "it neither sends nor receives"
    if vendor.sends and not vendor.made_up and not (vendor.look_at and vendor.not_there):
        yield "look_at and not_there do not say where a test event shows and what to look at where it does not"
    if (window := vendor.remembers_ids) is not None:
        if not vendor.deduplicates:
            yield "remembers_ids is said of a service that does not deduplicate"
        if window <= timedelta(0) or window % timedelta(hours=1):
            yield "remembers_ids is not a number of whole hours"


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
    for request in requests_of(subject):
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
        for request in requests_of(subject, base_url=OWN_ENDPOINT):
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


def _own(subject: Subject, host: str | None) -> bool:
    return host in {urlsplit(case.document.get("connector", {}).get("endpoint", "")).hostname for case in subject.cases}
