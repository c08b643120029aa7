"""What travels between mapping, vendors and the engine: events, configuration, requests, answers, verdicts, refusals.

Pure, and nothing changes once made. Vendors import it through ``integrations.types``, where their form is described.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from json import dumps as dump_slowly
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

Json = Any
EMPTY: Mapping[str, Any] = MappingProxyType({})


class EventKind(StrEnum):
    """The seven calls of the Segment spec."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    DELETE = "delete"


class Cause(StrEnum):
    """Why a delivery is not simply delivered. Stored on the row; put into words by ``deliveries.core.causes``."""

    KEY_REFUSED = "key_refused"
    DATA_REFUSED = "data_refused"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    SLOW_DOWN = "slow_down"
    SERVICE_ERROR = "service_error"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    BLOCKED_ADDRESS = "blocked_address"
    REDIRECT = "redirect"
    REFUSED_BY_SERVICE = "refused_by_service"
    MAPPING_MISSING = "mapping_missing"
    NOT_SUPPORTED = "not_supported"
    SWITCHED_OFF = "switched_off"
    FILTERED = "filtered"
    PAUSED = "paused"
    GAVE_UP = "gave_up"
    INTERNAL = "internal"
    ERASED = "erased"


class Disposition(StrEnum):
    """What one answer means for the delivery, and who must act."""

    DELIVERED = "delivered"
    RETRY = "retry"  # nobody: we try again by ourselves
    REJECTED = "rejected"  # whoever owns the data or the mapping
    REAUTH = "reauth"  # whoever owns the key
    REFUSED = "refused"  # a success status whose body says no
    STOP = "stop"  # the receiver asks never to be called again (410 of Standard Webhooks)


class Event(NamedTuple):
    """One event, ready for a builder: rules and filters are applied, the outgoing name is set.

    ``payload`` is the whole Segment-spec document, ``name`` already renamed in it; treat it as read-only.
    ``timestamp`` and ``received_at`` are ISO 8601 UTC texts. ``user_id`` and ``anonymous_id`` are "" when unknown.
    ``source_vendor`` is the vendor slug of the source it came in by ("segment", "customerio", …).
    A tuple, because one is made for each delivery, and a frozen dataclass takes four times as long to make.
    """

    kind: EventKind
    name: str
    message_id: str
    user_id: str
    anonymous_id: str
    timestamp: str
    received_at: str
    payload: Mapping[str, Json]
    source_vendor: str = "segment"

    @property
    def properties(self) -> Mapping[str, Json]:
        value = self.payload.get("properties")
        return value if isinstance(value, dict) else EMPTY

    @property
    def traits(self) -> Mapping[str, Json]:
        """``traits`` of identify and group; ``context.traits`` where the call itself has none."""
        for holder in (self.payload, self.payload.get("context")):
            value = holder.get("traits") if isinstance(holder, dict) else None
            if isinstance(value, dict):
                return value
        return EMPTY


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRule:
    """A line of a connector's events table. An empty ``kind`` or ``name`` matches any."""

    kind: str = ""
    name: str = ""
    send: bool = True
    send_as: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterRule:
    """One filter: when ``condition`` (FQL text, or "all") holds, do ``action``.

    ``action`` is ``drop``, ``only_send`` (drop when it does not hold), ``sample`` (keep the share ``percent`` 0–1,
    decided by the value at ``path``), ``drop_properties`` or ``allow_properties`` (``fields``: object path → keys).
    """

    condition: str
    action: str = "drop"
    percent: float = 1.0
    path: str = ""
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """An immutable snapshot of a connector: one configured account at a vendor.

    ``base_url`` is the region's address, or the connector's own endpoint, without a trailing slash or ``/v1``.
    """

    id: int
    name: str
    vendor: str
    base_url: str
    uid: str = ""  # random, never changes: what derived message ids are made from
    status: str = "active"
    settings: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    old_secrets: Mapping[str, str] = field(default_factory=dict)
    old_secrets_until: datetime | None = None
    prefix: str = ""
    other_events: str = "send"
    rules: tuple[EventRule, ...] = ()
    channels: Mapping[str, str] = field(default_factory=dict)
    preferences: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[FilterRule, ...] = ()
    retry: str | tuple[int, ...] = "standard"
    rate_limit_per_second: float | None = None
    max_concurrency: int | None = None
    rule_index: Mapping[tuple[str, str], EventRule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule_index", {(rule.kind, rule.name): rule for rule in self.rules})

    def setting(self, name: str, default: Json = "") -> Json:
        """The setting's value, or ``default`` where it is missing or empty."""
        value = self.settings.get(name)
        return default if value is None or value == "" else value

    def secret(self, name: str) -> str:
        return self.secrets.get(name, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingRequest:
    """What to send, authorization included. ``json`` (dumped by the engine) or ``body`` (bytes), never both.

    ``notes``: sentences for the delivery page about what was left out or changed on the way.
    """

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    body: bytes | None = None
    notes: tuple[str, ...] = ()

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.json is None:
            return b""
        try:
            return orjson.dumps(self.json)
        except TypeError:  # an integer beyond 64 bits, which clients do send
            return dump_slowly(self.json, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer. Header names are lower case; ``body`` is cut at the engine's cap; ``elapsed_ms`` ends with it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed_ms: int = 0

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Json:
        """The parsed body, or None where it is not JSON: an answer is never a reason to raise."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an answer means. ``detail`` is the service's own words or the fact behind the cause, cut to 500 characters.

    ``retry_after`` is seconds, from the service's own wish.
    """

    disposition: Disposition
    cause: Cause | None = None
    detail: str = ""
    retry_after: float | None = None


class NotSent(Exception):
    """A builder's or the mapping's refusal before anything is sent.

    ``cause`` decides the status: ``not_supported``, ``switched_off`` and ``filtered`` skip; ``mapping_missing``,
    ``data_refused``, ``too_large`` and ``internal`` fail. ``detail`` names the field or the rule, in words for a
    marketer: "this event has no user.subscriberId".
    """

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class Unmappable(Exception):
    """A received webhook that can't become an event: stored as refused at the door, with this reason."""


class BadSignature(Exception):
    """A received webhook whose signature is missing, wrong or too old; the text says which."""
