"""Customer.io: reporting webhooks, in the current format and in the one before it.

Documentation: https://docs.customer.io/api/webhooks/ and
https://docs.customer.io/integrations/data-out/connections/webhooks/

Receives only. One event a call: ``object_type`` and ``metric`` (current) or ``event_type`` (before), with ``event_id``,
``timestamp`` in Unix seconds and ``data``. Customer.io waits 4 seconds, sends a failed event again for 7 days and holds
back all later ones meanwhile ("Webhook failures"), so what can't become an event is stored, never answered with an
error. To prepare: in Customer.io, add a reporting webhook and copy its signing key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from integrations.types import BadSignature, Json, Receive, Setting, SourceConfig, Unmappable, Vendor
from integrations.vendors._values import first_text, stamp_age, text, unix_to_utc

# The key of Segment's ``integrations`` object that keeps an event from going back to where it came from.
INTEGRATION_NAME = "Customer.io"
# Re-sends go on for 7 days, and whether they are stamped anew is not documented.
DAY = 24 * 3600
DEFAULT_MAX_AGE = 8 * DAY
# Where Segment's own Customer.io source, or Customer.io's list of data-out events, has another name than the two words.
SEGMENT_NAMES = {
    "email_clicked": "Email Link Clicked",
    "email_spammed": "Email Marked as Spam",
    "email_dropped": "Email Suppressed",
}
UPPER_CASE_WORDS = frozenset({"sms"})
# https://docs.customer.io/integrations/data-out/connections/webhooks/
MEANINGS = {
    "email_sent": "An e-mail was handed over to be delivered.",
    "email_delivered": "An e-mail reached the mail server of the person.",
    "email_opened": "Somebody opened an e-mail.",
    "email_clicked": "Somebody clicked a link in an e-mail.",
    "email_converted": "Somebody reached the goal of an e-mail.",
    "email_unsubscribed": "Somebody unsubscribed by way of an e-mail.",
    "email_bounced": "An e-mail could not be delivered.",
    "email_dropped": "An e-mail was not sent, because the address is on the suppression list.",
    "email_spammed": "Somebody marked an e-mail as spam.",
    "email_failed": "An e-mail could not be sent.",
    "customer_subscribed": "Somebody subscribed.",
    "customer_unsubscribed": "Somebody unsubscribed.",
}
PREFIX = "customerio:"
SIGNATURE_HELP = "The signing key of the reporting webhook in Customer.io; we check X-CIO-Signature with it."
SETTINGS = (
    Setting(
        name="naming",
        label="Event names",
        kind="choice",
        required=False,
        default="seed",
        choices=(("seed", "customerio:email_delivered"), ("segment", "Email Delivered")),
        help="How events are named: with a customerio: prefix, so that they never mix with your own events, "
        "or as Segment's own Customer.io source names them.",
    ),
    Setting(
        name="signature_max_age",
        label="Oldest signature accepted, in days",
        kind="days",
        required=False,
        default=DEFAULT_MAX_AGE,
        help="A signed call older than this is refused. 0 does not check the age. Customer.io sends a failed event "
        "again for 7 days, so keep this above 7; repeated events are dropped by their id in any case.",
    ),
)


def parse(document: Mapping[str, Json], source: SourceConfig) -> list[dict[str, Json]]:
    """The reporting webhook as one track call. Raises Unmappable where the event has no type or concerns nobody."""
    if not isinstance(document, Mapping):
        raise Unmappable("This is not a JSON object.")
    data = document.get("data")
    if not isinstance(data, dict):
        raise Unmappable("This webhook has no “data” object.")
    event: dict[str, Json] = {"type": "track", "event": event_name(document, source)}
    event.update(identity(data))
    event["messageId"] = message_id(document)
    if timestamp := unix_to_utc(document.get("timestamp")):
        event["timestamp"] = timestamp
    event["properties"] = data
    event["context"] = {"integration": {"name": INTEGRATION_NAME}}
    if document.get("event_id"):
        event["context"]["event_id"] = document["event_id"]
    event["integrations"] = {INTEGRATION_NAME: False}
    return [event]


def event_name(document: Mapping[str, Json], source: SourceConfig) -> str:
    """The event's name in the source's style. The list of types is open: unknown ones are named the same way."""
    key = text(document.get("event_type"))
    if not key:
        thing, metric = text(document.get("object_type")), text(document.get("metric"))
        if not thing or not metric:
            raise Unmappable("This webhook has neither “event_type” nor “object_type” with “metric”.")
        key = f"{thing}_{metric}"
    return in_segments_style(key) if names_as_segment_does(source.settings) else f"{PREFIX}{key}"


def names_as_segment_does(settings: Mapping[str, Json]) -> bool:
    return settings.get("naming") == "segment"


def in_segments_style(key: str) -> str:
    words = (word.upper() if word in UPPER_CASE_WORDS else word.capitalize() for word in key.split("_"))
    return SEGMENT_NAMES.get(key) or " ".join(words)


def identity(data: Mapping[str, Json]) -> dict[str, str]:
    """Who it concerns, as text: the workspace's own id; else the e-mail address or Customer.io's id, as anonymous."""
    identifiers = data.get("identifiers")
    if user_id := first_text(["id"], identifiers) or first_text(["customer_id"], data):
        return {"userId": user_id}
    email = first_text(["email"], identifiers) or first_text(["email_address"], data)
    if anonymous_id := email or first_text(["cio_id"], identifiers, data):
        return {"anonymousId": anonymous_id}
    raise Unmappable("This webhook names nobody: no id, no e-mail address and no cio_id.")


def message_id(document: Mapping[str, Json]) -> str:
    """``event_id``, which stays the same when Customer.io sends again; without one, a digest of the whole document."""
    if found := text(document.get("event_id")):
        return found
    return "cio-" + hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def verify(raw: bytes, headers: Mapping[str, str], source: SourceConfig, now: datetime) -> None:
    """X-CIO-Signature: hexadecimal HMAC-SHA256 of ``v0:timestamp:body`` ("Securely verify requests")."""
    stamp, given = headers.get("x-cio-timestamp", "").strip(), headers.get("x-cio-signature", "").strip()
    if not stamp or not given:
        raise BadSignature("The X-CIO-Signature or X-CIO-Timestamp header is missing.")
    signed = b"v0:" + stamp.encode() + b":" + raw
    wanted = hmac.new(source.signing_secret.strip().encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), given.lower().encode()):
        raise BadSignature("X-CIO-Signature does not match: the signing key saved here is not the one in Customer.io.")
    max_age = source.settings.get("signature_max_age", DEFAULT_MAX_AGE)
    if not max_age:
        return
    if (age := stamp_age(stamp, now)) is None:
        raise BadSignature("X-CIO-Timestamp is not a number of seconds.")
    if age > float(max_age):
        raise BadSignature(f"The signature is older than {_in_words(float(max_age))}.")


def _in_words(seconds: float) -> str:
    """ "8 days", "300 seconds"."""
    return f"{seconds / DAY:g} days" if seconds >= 2 * DAY else f"{seconds:g} seconds"


VENDOR = Vendor(
    slug="customerio",
    label="Customer.io",
    summary="Take in what happened to your messages: delivered, opened, clicked, unsubscribed.",
    docs_url="https://docs.customer.io/integrations/data-out/connections/webhooks/",
    prepare=(
        "In Customer.io, open Data & Integrations → Integrations → Reporting Webhooks → Add Reporting Webhook.",
        "Copy the signing key shown there.",
    ),
    receive=Receive(
        path="/connector/customerio",
        key_in_path=True,
        parse=parse,
        verify=verify,
        settings=SETTINGS,
        signing_secret_help=SIGNATURE_HELP,
        paste=(
            "In Customer.io: Data & Integrations → Integrations → Reporting Webhooks → Add Reporting Webhook.",
            "Webhook endpoint: {address}/connector/customerio/{key}",
            "Choose the events you want, and leave “body content” off unless you need it.",
            "Copy the signing key from there into this source (recommended).",
            "Save and turn the webhook on.",
        ),
        known_events={f"{PREFIX}{key}": words for key, words in MEANINGS.items()},
        other_names={in_segments_style(key): words for key, words in MEANINGS.items()},
        uses_other_names=names_as_segment_does,
    ),
)
