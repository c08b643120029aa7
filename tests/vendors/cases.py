"""The vendors' JSON cases: ``<slug>/<case>.json``, the file name is the case's name. Loaded and run here.

A case holds inputs and what must come of them:

============ ========================================================================================================
``about``    one sentence: why this case is there
``received`` what a sender posts: ``document``, or ``raw`` with ``headers``, ``now``; ``settings``, ``signing_secret``
→            ``becomes`` (the events) or ``unmappable`` (the reason); ``signature``: "good" or the reason
``event``    one Segment-spec event, ``batch`` a list of them; ``connector`` how the sending connector is configured
→            ``request`` (exactly what is sent, ``notes`` included) or ``not_sent``; ``signed``: the signature's headers
``answer``   an answer of the service: ``status``, ``headers``, ``json`` or ``text``; ``count`` for that of a batch call
→            ``verdict``, or ``verdicts`` for a batch; with ``check``: the verdict on the key
============ ========================================================================================================

``received`` with a ``connector`` goes the whole way: in by one vendor, out by the connector's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from integrations import mapping, registry, verdicts
from integrations.types import (
    BadSignature,
    ConnectorConfig,
    Event,
    EventRule,
    FilterRule,
    NotSent,
    OutgoingRequest,
    Response,
    SourceConfig,
    Unmappable,
    Vendor,
    Verdict,
)

ROOT = Path(__file__).parent
NOW = datetime(2026, 5, 13, 10, 15, tzinfo=UTC)
UID = "6f1c0b1e-6a4b-4c8e-9c57-3f6a3d1f0a01"
# What the ingest adds to an event that comes without them.
ADDED = {"messageId": "msg-1", "timestamp": "2026-05-13T10:14:00.000Z"}
INPUTS = frozenset(
    {"about", "received", "connector", "source_vendor", "event", "batch", "answer", "count", "check", "now"}
)
OUTCOMES = frozenset({"becomes", "unmappable", "signature", "request", "not_sent", "signed", "verdict", "verdicts"})


@dataclass(frozen=True)
class Case:
    vendor: str
    name: str
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.vendor}/{self.name}"

    @property
    def expected(self) -> dict[str, Any]:
        return {key: value for key, value in self.document.items() if key in OUTCOMES}


def load(root: Path = ROOT, vendor: str = "*") -> list[Case]:
    paths = sorted(root.glob(f"{vendor}/*.json"))
    return [Case(path.parent.name, path.stem, orjson.loads(path.read_bytes())) for path in paths]


def run(case: Case) -> dict[str, Any]:
    """What really comes of the case's inputs, in the same form as the expected outcomes."""
    document = copy.deepcopy(case.document)
    vendor = registry.vendors()[case.vendor]
    outcome: dict[str, Any] = {}
    if "received" in document:
        outcome |= _receive(vendor, document["received"])
    sender = registry.vendors()[document.get("connector", {}).get("vendor", case.vendor)]
    config = config_of(sender, document.get("connector"))
    source_vendor = case.vendor if "received" in document else document.get("source_vendor", "segment")
    if "received" in document and "connector" in document:
        outcome |= _send(sender, config, outcome["becomes"][0], source_vendor)
    if "event" in document:
        outcome |= _send(sender, config, document["event"], source_vendor, document.get("now"))
    if "batch" in document:
        outcome["request"] = as_dict(batch_request(sender, config, document["batch"], source_vendor))
    if document.get("check"):
        return outcome | _check(vendor, config, document)
    if "answer" in document:
        outcome |= _judge(vendor, config, document)
    return outcome


def config_of(vendor: Vendor, given: Mapping[str, Any] | None = None, **changes: Any) -> ConnectorConfig:
    """A connector of the vendor with its settings' defaults, configured as in the configuration document."""
    given = dict(given or {})
    regions = {region.slug: region.base_url for region in vendor.regions}
    home = next(iter(regions.values()), "")
    rules = tuple(
        EventRule(
            kind=line.get("type", ""),
            name=line.get("event", ""),
            send=line.get("send", True),
            send_as=line.get("send_as", ""),
        )
        for line in given.get("events", ())
    )
    filters = tuple(FilterRule(condition=line["if"], action=line["then"]) for line in given.get("filters", ()))
    defaults = {setting.name: setting.default for setting in vendor.settings if not setting.secret}
    values = {
        "id": 1,
        "uid": UID,
        "name": given.get("name", "connector"),
        "vendor": vendor.slug,
        "base_url": given.get("endpoint") or (regions[given["region"]] if given.get("region") else home),
        "settings": {**defaults, **given.get("settings", {})},
        "secrets": given.get("secrets", {}),
        "prefix": given.get("prefix", ""),
        "other_events": given.get("other_events", "send"),
        "rules": rules,
        "channels": given.get("channels", {}),
        "preferences": given.get("preferences", {}),
        "filters": filters,
    }
    return ConnectorConfig(**{**values, **changes})


def prepared(
    vendor: Vendor, config: ConnectorConfig, payload: Mapping[str, Any], source_vendor: str = "segment"
) -> Event:
    return mapping.prepare({**ADDED, **payload}, config, vendor, source_vendor)


def built(
    vendor: Vendor, config: ConnectorConfig, payload: Mapping[str, Any], source_vendor: str = "segment"
) -> OutgoingRequest:
    event = prepared(vendor, config, payload, source_vendor)
    return vendor.builders[event.kind](event, config)


def batch_request(vendor: Vendor, config: ConnectorConfig, payloads: list[Any], source_vendor: str) -> OutgoingRequest:
    batch = vendor.batch
    assert batch is not None
    items = [batch.item(prepared(vendor, config, payload, source_vendor), config) for payload in payloads]
    assert len(items) <= (batch.size(config) if batch.size else batch.max_events)
    return batch.request(config, batch.prefix + b",".join(map(orjson.dumps, items)) + batch.suffix)


def response_of(answer: Mapping[str, Any]) -> Response:
    body = orjson.dumps(answer["json"]) if "json" in answer else answer.get("text", "").encode()
    return Response(status=answer["status"], headers=answer.get("headers", {}), body=body)


def as_dict(value: OutgoingRequest | Verdict) -> dict[str, Any]:
    """Without what is empty, so that a case names only what is there."""
    if isinstance(value, OutgoingRequest):
        content = value.content()
        parts = {
            "method": value.method,
            "url": value.url,
            "headers": dict(value.headers) or None,
            "json": orjson.loads(content) if content else None,
            "notes": list(value.notes),
        }
    else:
        parts = {
            "disposition": str(value.disposition),
            "cause": value.cause and str(value.cause),
            "detail": value.detail,
            "retry_after": value.retry_after,
        }
    return {key: part for key, part in parts.items() if part not in (None, "", [])}


def source_of(vendor: Vendor, received: Mapping[str, Any]) -> SourceConfig:
    assert vendor.receive is not None
    defaults = {setting.name: setting.default for setting in vendor.receive.settings}
    return SourceConfig(
        settings={**defaults, **received.get("settings", {})}, signing_secret=received.get("signing_secret", "")
    )


def kinds_built(cases: list[Case]) -> Iterator[str]:
    """The kinds of event for which a case shows a request."""
    for case in cases:
        if "request" in case.document and "event" in case.document:
            yield case.document["event"]["type"]


def _receive(vendor: Vendor, received: Mapping[str, Any]) -> dict[str, Any]:
    receive, source = vendor.receive, source_of(vendor, received)
    assert receive is not None
    outcome: dict[str, Any] = {}
    if "raw" in received:
        assert receive.verify is not None
        try:
            now = datetime.fromisoformat(received["now"]) if "now" in received else NOW
            receive.verify(received["raw"].encode(), received.get("headers", {}), source, now)
            outcome["signature"] = "good"
        except BadSignature as error:
            outcome["signature"] = str(error)
    if "document" in received:
        try:
            outcome["becomes"] = receive.parse(received["document"], source)
        except Unmappable as error:
            outcome["unmappable"] = str(error)
    return outcome


def _send(
    vendor: Vendor, config: ConnectorConfig, payload: Mapping[str, Any], source_vendor: str, now: str | None = None
) -> dict[str, Any]:
    try:
        request = built(vendor, config, payload, source_vendor)
    except NotSent as refusal:
        return {"not_sent": {"cause": str(refusal.cause), "detail": refusal.detail}}
    outcome: dict[str, Any] = {"request": as_dict(request)}
    if now and vendor.sign:
        moment = datetime.fromisoformat(now)
        outcome["signed"] = vendor.sign(request, config, payload.get("messageId", ADDED["messageId"]), moment)
    return outcome


def _judge(vendor: Vendor, config: ConnectorConfig, document: Mapping[str, Any]) -> dict[str, Any]:
    response = response_of(document["answer"])
    if "count" not in document:
        return {"verdict": as_dict(verdicts.judge(vendor, response, config, NOW))}
    batch = vendor.batch
    assert batch is not None
    if batch.classify_each is None:
        return {"verdicts": [as_dict(verdicts.judge(vendor, response, config, NOW))] * document["count"]}
    return {"verdicts": [as_dict(one) for one in batch.classify_each(response, config, document["count"])]}


def _check(vendor: Vendor, config: ConnectorConfig, document: Mapping[str, Any]) -> dict[str, Any]:
    check = vendor.check_credentials
    assert check is not None
    outcome: dict[str, Any] = {}
    if "request" in document or "not_sent" in document:
        try:
            outcome["request"] = as_dict(check.request(config))
        except NotSent as refusal:
            outcome["not_sent"] = {"cause": str(refusal.cause), "detail": refusal.detail}
    if "answer" in document:
        outcome["verdict"] = as_dict(check.judge(response_of(document["answer"]), config))
    return outcome
