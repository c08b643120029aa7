"""Webhook: any https address, signed by Standard Webhooks.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

One event a call as a JSON object, or, with ``batch_size`` above 1, a JSON array of up to that many. The id in
``webhook-id`` is the same on every retry; ``webhook-timestamp`` is of the attempt ("Webhook metadata"). 410 Gone asks
never to be called again ("Consumers": a status code of 410 means the endpoint should be disabled).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from standardwebhooks import Webhook

from integrations.types import (
    Batch,
    Cause,
    ConnectorConfig,
    Disposition,
    Event,
    EventKind,
    Json,
    OutgoingRequest,
    Response,
    Setting,
    Vendor,
    Verdict,
)

MAX_ID = 255
PLAIN = "!#$&'()*+,/:;<=>?@[]^`{|}~"  # with letters, digits and -_. what stays as it is

SETTINGS = (
    Setting(
        name="url",
        label="Address",
        kind="url",
        help="Every event is sent to this https address.",
        where_to_find="Ask whoever runs the receiving system for its webhook address.",
        placeholder="https://example.com/webhooks/signalbox",
    ),
    Setting(
        name="method",
        label="Method",
        kind="choice",
        required=False,
        default="POST",
        help="How the address is called. Nearly always POST.",
        choices=(("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH")),
    ),
    Setting(
        name="headers",
        label="Extra headers",
        kind="map",
        private=True,
        required=False,
        default={},
        help="Sent with every call, for example an Authorization header that the receiver asks for. "
        "What is saved is not shown again: leave “••••” as it is to keep it.",
    ),
    Setting(
        name="batch_size",
        label="Events per call",
        kind="integer",
        required=False,
        default=1,
        help="1 sends each event alone. With more, calls carry a JSON list of up to this many events.",
    ),
    Setting(
        name="signing_secret",
        label="Signing secret",
        secret=True,
        overlaps=True,
        required=False,
        help="Lets the receiver check that a call really comes from here (Standard Webhooks).",
        where_to_find="Made by the receiver, or by you; enter the same text on both sides. "
        "After a change the old and the new one sign every call for 24 hours.",
        pattern=r"whsec_[A-Za-z0-9+/=]{16,}",
        pattern_hint="It begins with whsec_ and goes on with letters and digits.",
    ),
)


def item(event: Event, config: ConnectorConfig) -> Json:
    return event.payload


def build(event: Event, config: ConnectorConfig) -> OutgoingRequest:
    return _request(config, json=event.payload)


def batch_request(config: ConnectorConfig, body: bytes) -> OutgoingRequest:
    return _request(config, body=body)


def batch_size(config: ConnectorConfig) -> int:
    return int(config.setting("batch_size", 1))


def sign(request: OutgoingRequest, config: ConnectorConfig, message_id: str, now: datetime) -> Mapping[str, str]:
    """The three Standard Webhooks headers; the signature only where a secret is set, and for a day after it was
    replaced a second one, made with the old secret ("Signature scheme": a list, divided by spaces)."""
    identifier = webhook_id(message_id)
    headers = {"webhook-id": identifier, "webhook-timestamp": str(int(now.timestamp()))}
    if secret := config.secret("signing_secret"):
        secrets = [secret]
        if config.old_secrets_until is not None and now < config.old_secrets_until:
            secrets += filter(None, [config.old_secrets.get("signing_secret")])
        body = request.content().decode()
        headers["webhook-signature"] = " ".join(Webhook(one).sign(identifier, now, body) for one in secrets)
    return headers


def webhook_id(message_id: str) -> str:
    """The id as a header can carry it: no dot (it separates what is signed), no control or foreign characters, and not
    longer than receivers take. Most ids stay as they are."""
    if len(message_id) > MAX_ID:
        return hashlib.sha256(message_id.encode()).hexdigest()
    return quote(message_id, safe=PLAIN).replace(".", "_")


def classify(response: Response, config: ConnectorConfig) -> Verdict | None:
    if response.status == 410:
        return Verdict(
            disposition=Disposition.STOP,
            cause=Cause.NOT_FOUND,
            detail="The address answered 410 Gone: it asks not to be called any more.",
        )
    return None


def _request(config: ConnectorConfig, *, json: Json = None, body: bytes | None = None) -> OutgoingRequest:
    headers = {"Content-Type": "application/json", **config.setting("headers", {})}
    return OutgoingRequest(
        method=config.setting("method", "POST"), url=config.setting("url"), headers=headers, json=json, body=body
    )


VENDOR = Vendor(
    slug="webhook",
    label="Webhook",
    summary="Send every event to an address of your own, signed so that the receiver can trust it.",
    docs_url="https://www.standardwebhooks.com/",
    prepare=("Ask whoever runs the receiving system for an https address and, if it checks signatures, the secret.",),
    settings=SETTINGS,
    builders=dict.fromkeys(EventKind, build),
    batch=Batch(
        item=item,
        request=batch_request,
        max_events=1000,
        max_bytes=1_000_000,
        size=batch_size,
    ),
    classify=classify,
    sign=sign,
    deduplicates=False,
    test_event={
        "type": "track",
        "event": "Response Submitted",
        "userId": "user_123",
        "properties": {"survey_id": "srv_1", "response_id": "resp_1", "score": 9},
    },
    look_at="the system that receives it",
    not_there=(
        "Is it the right address: that of the real system, and not of a test?",
        "Does the receiver check signatures with the secret that is saved here? Some say yes and drop the rest.",
        "Ask whoever runs the receiver to search its log for the message ID.",
    ),
)
