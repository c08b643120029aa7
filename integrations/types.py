"""The values that vendors, mapping and the engine exchange. Pure: no Django, no network, nothing changes once made.

A vendor module describes one outside service in these words and ends in ``VENDOR = Vendor(...)``. Its builders turn
an :class:`Event` and a :class:`ConnectorConfig` into an :class:`OutgoingRequest`; they never send it. Its ``classify``
turns the :class:`Response` into a :class:`Verdict`. Whoever sends, waits, retries and writes down is the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.values import (
    EMPTY,
    BadSignature,
    Cause,
    ConnectorConfig,
    Disposition,
    Event,
    EventKind,
    EventRule,
    FilterRule,
    Json,
    NotSent,
    OutgoingRequest,
    Response,
    Unmappable,
    Verdict,
)

__all__ = [
    "EMPTY",
    "BadSignature",
    "Batch",
    "Builder",
    "Cause",
    "ConnectorConfig",
    "CredentialCheck",
    "Disposition",
    "Event",
    "EventKind",
    "EventRule",
    "FilterRule",
    "Json",
    "NotSent",
    "OutgoingRequest",
    "Receive",
    "Region",
    "Response",
    "Setting",
    "SourceConfig",
    "Unmappable",
    "Vendor",
    "Verdict",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One field of a vendor's form. Generates the form, validation, redaction, documentation and the test panel.

    ``kind``: text, integer, number, days (kept in seconds), url, choice, map (key → text), boolean. ``help`` says what
    it does, ``where_to_find`` where to copy it from, in the vendor's own words. ``pattern`` is a regular expression for
    the whole value, ``pattern_hint`` says in words what it wants. A secret that ``overlaps`` is, for a day after it was
    replaced, used beside the new one. A map that is ``private`` is a setting whose values may be keys: they are not
    shown again, and left out of what is stored of calls and of exported documents.
    """

    name: str
    label: str
    help: str
    kind: str = "text"
    secret: bool = False
    overlaps: bool = False
    private: bool = False
    required: bool = True
    default: Json = ""
    where_to_find: str = ""
    placeholder: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    pattern: str = ""
    pattern_hint: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A named address of a vendor. ``base_url`` has no trailing slash and no ``/v1``."""

    slug: str
    label: str
    base_url: str
    note: str = ""


Builder = Callable[[Event, ConnectorConfig], OutgoingRequest]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The vendor's batch call: many events in one request.

    ``item(event, config)`` gives the JSON value of one event; the engine dumps the values, joins them with commas
    between ``prefix`` and ``suffix`` until ``max_events`` or ``max_bytes`` (the whole body) is reached, and calls
    ``request(config, body)``. ``classify_each(response, config, count)`` gives one verdict per item, in order; without
    it the one verdict of ``Vendor.classify`` holds for all. ``size(config)`` may lower ``max_events`` by a setting;
    1 means one event a call. ``kinds`` are the kinds that may travel in a batch. Fewer than ``min_events`` go out one
    by one, by the builder: 2 where the service has another call for a single event.
    """

    item: Callable[[Event, ConnectorConfig], Json]
    request: Callable[[ConnectorConfig, bytes], OutgoingRequest]
    max_events: int
    max_bytes: int
    max_item_bytes: int = 0
    min_events: int = 1
    prefix: bytes = b"["
    suffix: bytes = b"]"
    size: Callable[[ConnectorConfig], int] | None = None
    kinds: frozenset[EventKind] = frozenset(EventKind)
    classify_each: Callable[[Response, ConnectorConfig, int], Sequence[Verdict]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """What a receiving vendor may know of the source: its settings and signing secret ("" when none)."""

    settings: Mapping[str, Json] = field(default_factory=dict)
    signing_secret: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Receive:
    """How events of a vendor come in.

    ``path`` is the route below the console's address. ``parse(document, source)`` turns one posted JSON object into
    Segment-spec events (``type``, ``event``, ``userId`` …, ``messageId``), or raises :class:`Unmappable`.
    ``verify(raw, headers, source, now)`` raises :class:`BadSignature`; it is called only when the source has a signing
    secret; header names are lower case. ``paste`` tells a person, step by step, what to enter in the other product:
    "{address}" and "{key}" are filled in. ``known_events`` are the names that come in, each with what it means;
    ``other_names`` are the same events as a source names them whose settings ``uses_other_names`` is true of;
    ``summary`` says what comes in, where the vendor's own says what goes out.
    ``known_kinds`` the same for the kinds of events, whatever their names. ``key_in_path``: the key is the last part of
    the address, for a sender that can set no header.
    """

    path: str
    parse: Callable[[Mapping[str, Json], SourceConfig], list[dict[str, Json]]]
    verify: Callable[[bytes, Mapping[str, str], SourceConfig, datetime], None] | None = None
    summary: str = ""
    settings: tuple[Setting, ...] = ()
    signing_secret_help: str = ""
    paste: tuple[str, ...] = ()
    known_events: Mapping[str, str] = field(default_factory=dict)
    other_names: Mapping[str, str] = field(default_factory=dict)
    uses_other_names: Callable[[Mapping[str, Json]], bool] | None = None
    known_kinds: Mapping[EventKind, str] = field(default_factory=dict)
    key_in_path: bool = False
    try_it: str = ""  # a command for a terminal that sends a first event, with "{address}" and "{key}"
    deletes: bool = False  # whether "delete" events, which ask for a person's erasure, can come in


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialCheck:
    """A call without side effects that tells whether the key is good."""

    request: Callable[[ConnectorConfig], OutgoingRequest]
    judge: Callable[[Response, ConnectorConfig], Verdict]


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One outside service. What it can do follows from what is given: ``builders`` → sends, ``receive`` → receives.

    ``allowed_hosts`` bound where a connector may point ("" alone: any https host, for webhooks); a connector's own
    endpoint is allowed besides. ``off_by_default`` are kinds that are sent only where an events-table line says so.
    ``classify`` may return None to leave the answer to the general rules of ``integrations.verdicts``.
    ``sign(request, config, message_id, now)`` returns headers computed over the final bytes.
    ``rate_limit`` is calls per second for one connector; ``max_concurrency`` calls at once.
    ``deduplicates`` says whether the service drops a repeated message id by itself, ``remembers_ids`` for how long
    after the first (whole hours), as far as its documentation promises; None where it does not say. Past that a replay
    may reach a person twice, and its preview counts what is that old.
    ``backdates``: it files an event under the time when it happened, however late that comes in.
    ``asks_for`` is the field at the top of a request's body that names what is asked for over there, as a workflow is.
    ``docs_url`` is "" only where the service is made up. ``look_at`` is where in the service a test event shows,
    ``not_there`` what to look at next where it does not.
    """

    slug: str
    label: str
    summary: str
    docs_url: str
    prepare: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    regions: tuple[Region, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    builders: Mapping[EventKind, Builder] = field(default_factory=dict)
    off_by_default: frozenset[EventKind] = frozenset()
    batch: Batch | None = None
    classify: Callable[[Response, ConnectorConfig], Verdict | None] | None = None
    sign: Callable[[OutgoingRequest, ConnectorConfig, str, datetime], Mapping[str, str]] | None = None
    rate_limit: float | None = None
    max_concurrency: int | None = None
    deduplicates: bool = True
    remembers_ids: timedelta | None = None
    backdates: bool = False
    receive: Receive | None = None
    check_credentials: CredentialCheck | None = None
    test_event: Mapping[str, Json] = field(default_factory=dict)
    asks_for: str = ""
    look_at: str = ""
    not_there: tuple[str, ...] = ()
    channels: tuple[tuple[str, str, str], ...] = ()  # (slug, label, trait mapped by default)
    preferences: tuple[tuple[str, str, str], ...] = ()  # likewise
    default_channels: tuple[str, ...] = ()
    preference_takes: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)  # slug → whether it takes this
    offered_prefix: str = ""

    @property
    def sends(self) -> bool:
        return bool(self.builders)

    @property
    def receives(self) -> bool:
        return self.receive is not None

    @property
    def made_up(self) -> bool:
        """Whether it is a service for practice: answered here, on no wire, and nobody is notified."""
        return any(region.base_url.startswith("practice://") for region in self.regions)

    def missing(self, settings: Mapping[str, Json], secrets: Mapping[str, str]) -> list[str]:
        """The labels of what is asked for and not there yet: without it nothing can be sent."""
        found = {True: secrets, False: settings}
        return [one.label for one in self.settings if one.required and not found[one.secret].get(one.name, one.default)]
