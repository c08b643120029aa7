"""Segment: the HTTP Tracking API, v1.

Documentation: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/

Sends batches to ``/v1/batch`` (≤ 500 KB and ≤ 2500 events a call, 32 KB an event: HTTP API, "Max request size" and
"Errors"). Segment answers 200 to a wrong write key and to a key of another region, so the only check of a key is its
settings document (the one that Segment's own destination uses in ``testAuthentication``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from integrations.types import (
    BadSignature,
    Batch,
    Cause,
    ConnectorConfig,
    CredentialCheck,
    Disposition,
    Event,
    EventKind,
    Json,
    OutgoingRequest,
    Receive,
    Region,
    Response,
    Setting,
    SourceConfig,
    Vendor,
    Verdict,
)
from integrations.vendors._values import stable_id

SETTINGS_HOST = "https://cdn.segment.com"
# Added by a server, ours or Segment's (Spec: Common Fields). ``timestamp`` is already corrected for the client's clock,
# so ``sentAt`` must not travel with it: Segment would correct it a second time.
SERVER_FIELDS = frozenset(
    {"receivedAt", "sentAt", "originalTimestamp", "channel", "version", "projectId", "writeKey", "_metadata"}
)
REGIONS = (
    Region(
        slug="us",
        label="Global / US (Oregon)",
        base_url="https://api.segment.io",
        note="Choose the region of your Segment workspace: with the wrong one Segment says yes and shows nothing.",
    ),
    Region(
        slug="eu",
        label="EU (Dublin)",
        base_url="https://events.eu1.segmentapis.com",
        note="For workspaces in the EU.",
    ),
    Region(
        slug="eu_alternate",
        label="EU, alternate address",
        base_url="https://eu1.api.segmentapis.com",
        note="Segment documents this address for its management API only. Choose it only if Segment told you to.",
    ),
)
# https://segment.com/docs/connections/spec/
KINDS = {
    EventKind.TRACK: "Somebody did something; its name says what.",
    EventKind.IDENTIFY: "What is known about a person: name, e-mail address, language and so on.",
    EventKind.PAGE: "Somebody opened a page of a website.",
    EventKind.SCREEN: "Somebody opened a screen of an app.",
    EventKind.GROUP: "A person belongs to a company or another group.",
    EventKind.ALIAS: "Two ids belong to the same person.",
}
SIGNATURE_HELP = "The shared secret of the Webhooks destination in Segment; we check X-Signature with it."
SETTINGS = (
    Setting(
        name="write_key",
        label="Write key",
        secret=True,
        help="Tells Segment which of its sources the events belong to.",
        where_to_find="In Segment: Connections → Sources → your HTTP API source → Settings → API Keys → Write Key.",
        pattern=r"\S{3,200}",
        pattern_hint="A write key has no spaces, and at least three characters.",
    ),
)


def message_id(event: Event, config: ConnectorConfig) -> str:
    """The id this event has at this connector, the same on every retry and replay.

    Segment drops repeated ids over all sources and workspaces ("Handling Duplicate Data"), so an event that came from
    Segment gets an id derived for this destination; any other event keeps its own.
    """
    if event.source_vendor != "segment":
        return event.message_id
    return stable_id(config, event.message_id)


def item(event: Event, config: ConnectorConfig) -> Json:
    """The event as one element of ``batch``: the Segment-spec document without what a server adds."""
    document: dict[str, Json] = {"type": event.kind.value, **event.payload}
    for name in SERVER_FIELDS:
        document.pop(name, None)
    document["messageId"] = message_id(event, config)
    document["timestamp"] = event.timestamp
    return document


def batch_request(config: ConnectorConfig, body: bytes) -> OutgoingRequest:
    return OutgoingRequest(url=f"{config.base_url}/v1/batch", headers=_headers(config), body=body)


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    """A batch of one: the same call, so that a person sees the same request whatever the traffic."""
    return OutgoingRequest(
        url=f"{config.base_url}/v1/batch", headers=_headers(config), json={"batch": [item(event, config)]}
    )


def classify(response: Response, config: ConnectorConfig) -> Verdict | None:
    if 200 <= response.status < 300:
        document = response.json()
        if isinstance(document, dict) and document.get("success") is False:
            return Verdict(disposition=Disposition.REFUSED, cause=Cause.REFUSED_BY_SERVICE, detail=response.text[:500])
    return None


def settings_document(config: ConnectorConfig) -> OutgoingRequest:
    """The settings document of the key: at Segment's CDN, or at the connector's own endpoint."""
    ours = {region.base_url for region in REGIONS}
    host = SETTINGS_HOST if config.base_url in ours else config.base_url
    return OutgoingRequest(method="GET", url=f"{host}/v1/projects/{config.secret('write_key')}/settings")


def judge_settings_document(response: Response, config: ConnectorConfig) -> Verdict:
    if 200 <= response.status < 300:
        return Verdict(disposition=Disposition.DELIVERED, detail="Segment knows this write key.")
    if 400 <= response.status < 500:
        return Verdict(
            disposition=Disposition.REAUTH,
            cause=Cause.KEY_REFUSED,
            detail=f"Segment has no source with this write key (answered {response.status}).",
        )
    return Verdict(
        disposition=Disposition.RETRY,
        cause=Cause.SERVICE_ERROR,
        detail=f"Segment could not be asked just now (answered {response.status}).",
    )


def parse(document: Mapping[str, Json], source: SourceConfig) -> list[dict[str, Json]]:
    """What Segment's Webhooks destination posts is a Segment-spec event already."""
    return [dict(document)]


def verify(raw: bytes, headers: Mapping[str, str], source: SourceConfig, now: datetime) -> None:
    """X-Signature of the Webhooks destination: hexadecimal HMAC-SHA1 of the event.

    Of a batch Segment signs the first event alone (Webhooks, "Authentication"), so the steps below say to keep batching
    off. There is no time in it: a repeated call is found by its message id.
    """
    given = headers.get("x-signature", "").strip().lower().encode()
    if not given:
        raise BadSignature("The X-Signature header is missing.")
    key = source.signing_secret.strip().encode()
    for signed in _signed(raw):
        if hmac.compare_digest(hmac.new(key, signed, hashlib.sha1).hexdigest().encode(), given):
            return
    raise BadSignature("X-Signature does not match the shared secret saved here.")


def _signed(raw: bytes) -> Iterator[bytes]:
    """What Segment may have signed: the body; of a list its first element, as sent and as JSON.stringify writes it."""
    if not raw.lstrip().startswith(b"["):
        yield raw
        return
    try:
        body = raw.decode()
        start = body.index("[") + 1
        start += len(body[start:]) - len(body[start:].lstrip())
        first, end = json.JSONDecoder().raw_decode(body, start)
    except ValueError:
        return
    yield body[start:end].encode()
    yield json.dumps(first, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _headers(config: ConnectorConfig) -> dict[str, str]:
    token = b64encode(f"{config.secret('write_key')}:".encode()).decode()
    return {"Authorization": f"Basic {token}", "Content-Type": "application/json"}


VENDOR = Vendor(
    slug="segment",
    label="Segment",
    summary="Send events into Segment, or take in what Segment and its libraries send.",
    docs_url="https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/",
    prepare=(
        "In Segment, open Connections → Sources → Add source and choose HTTP API.",
        "Open its Settings → API Keys and copy the write key.",
        "Note whether your workspace is in the US or in the EU.",
    ),
    settings=SETTINGS,
    regions=REGIONS,
    allowed_hosts=("api.segment.io", "events.eu1.segmentapis.com", "eu1.api.segmentapis.com", "cdn.segment.com"),
    # The Tracking API has no call for deletions; Segment takes those through its Privacy portal.
    builders={kind: build for kind in EventKind if kind is not EventKind.DELETE},
    # 100 events and 500 KB a call: what Segment's own libraries send at most, far below its limits.
    batch=Batch(
        item=item,
        request=batch_request,
        max_events=100,
        max_bytes=500_000,
        max_item_bytes=32_768,
        prefix=b'{"batch":[',
        suffix=b"]}",
    ),
    classify=classify,
    # "Handling Duplicate Data": Segment keeps the message ids of at least 24 hours.
    # https://segment.com/docs/guides/duplicate-data/
    remembers_ids=timedelta(hours=24),
    backdates=True,
    check_credentials=CredentialCheck(request=settings_document, judge=judge_settings_document),
    receive=Receive(
        path="/connector/segment",
        summary="Take in events from your website, app or own systems, through Segment or with its libraries.",
        deletes=True,
        known_kinds=KINDS,
        parse=parse,
        verify=verify,
        signing_secret_help=SIGNATURE_HELP,
        try_it="curl {address}/v1/track -u {key}: "
        """-d '{"userId": "user_1", "event": "Response Submitted", "properties": {"score": 9}}'""",
        paste=(
            "In Segment: Connections → Destinations → Add destination → Webhooks → Configure.",
            "Webhook URL: {address}/connector/segment",
            "Headers: Authorization = Bearer {key}",
            "Shared secret (recommended): the signing secret saved here.",
            "Leave batching off: of a batch, Segment signs the first event only.",
            "Or send with a Segment library: set its host to {address} and its write key to {key}.",
        ),
    ),
    test_event={
        "type": "track",
        "event": "Response Submitted",
        "userId": "user_123",
        "properties": {"survey_id": "srv_1", "response_id": "resp_1", "score": 9},
    },
    look_at="Segment → Connections → Sources → your source → Debugger",
    not_there=(
        "Does the key belong to another source? Segment says yes all the same: look at the Debugger of that source.",
        "Is the region the one of your workspace? In the wrong one the event is accepted and never shows up.",
        "Is the Debugger paused? Let it run, and send another test event.",
    ),
)
