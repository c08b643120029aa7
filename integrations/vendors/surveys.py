"""Survey events: what happened to a survey that was shown to a person, from getuserfeedback.com or any sender like it.

Documentation: https://getuserfeedback.com/docs/integrations/segment/destination

Receives only. One JSON object per event: ``event``, ``event_id``, ``occurred_at``, ``anonymous_id``, ``app_id`` and
``organization_id``, and as far as known ``user_id``, ``survey_id``, ``response_id``, ``page`` {``path``, ``referrer``},
``locale``, ``traits``, ``identities``, ``references``. Each becomes a track call with every field that the page above
lists as "Always". To prepare: give the sender the address below and the source's key; if it can sign by Standard
Webhooks (https://www.standardwebhooks.com/), share a secret too.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook

from integrations.types import BadSignature, Json, Receive, SourceConfig, Unmappable, Vendor
from integrations.vendors._values import first_text, iso_to_utc, stamp_age, text

EVENTS = {
    "Flow Viewed": "Somebody saw a survey.",
    "Flow Dismissed": "Somebody closed a survey without an answer.",
    "Response Submitted": "Somebody answered a survey.",
}
REQUIRED = ("event", "event_id", "anonymous_id", "app_id", "organization_id")
SIGNATURE_HELP = "If the sender signs by Standard Webhooks, its secret (it begins with whsec_)."
TOLERANCE_SECONDS = 300  # Standard Webhooks, "Verifying webhook authenticity": what its libraries allow


def parse(document: Mapping[str, Json], source: SourceConfig) -> list[dict[str, Json]]:
    """The survey event as one track call. Raises Unmappable that names every missing field.

    A time that can't be read is left out: the event then gets the time it came in at.
    """
    if not isinstance(document, Mapping):
        raise Unmappable("This is not a JSON object.")
    if missing := [name for name in REQUIRED if not text(document.get(name))]:
        raise Unmappable(f"This survey event has no {', no '.join(missing)}.")
    event: dict[str, Json] = {"type": "track", "event": text(document["event"])}
    if user_id := text(document.get("user_id")):
        event["userId"] = user_id
    event["anonymousId"] = text(document["anonymous_id"])
    event["messageId"] = text(document["event_id"])
    if timestamp := iso_to_utc(document.get("occurred_at")):
        event["timestamp"] = timestamp
    if context := _context(document):
        event["context"] = context
    event["properties"] = _properties(document)
    return [event]


def _context(document: Mapping[str, Json]) -> dict[str, Json]:
    names = ("path", "referrer")
    page = {name: found for name in names if (found := first_text([name], document.get("page")))}
    locale = text(document.get("locale"))
    return ({"page": page} if page else {}) | ({"locale": locale} if locale else {})


def _properties(document: Mapping[str, Json]) -> dict[str, Json]:
    properties: dict[str, Json] = {
        name: found for name in ("response_id", "survey_id") if (found := text(document.get(name)))
    }
    properties["app_id"] = text(document["app_id"])
    properties["organization_id"] = text(document["organization_id"])
    if isinstance(traits := document.get("traits"), dict) and traits:
        properties["traits"] = traits
    # Always there, of undocumented shape: passed on as they are, empty objects where the sender has none.
    for name in ("identities", "references"):
        properties[name] = document.get(name) or {}
    return properties


def verify(raw: bytes, headers: Mapping[str, str], source: SourceConfig, now: datetime) -> None:
    """The three Standard Webhooks headers, over the raw body."""
    identifier, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    age = stamp_age(stamp, now)
    if not identifier or not given or age is None:
        raise BadSignature("The webhook-id, webhook-timestamp or webhook-signature header is missing.")
    if age > TOLERANCE_SECONDS:
        raise BadSignature(f"The signature is more than {TOLERANCE_SECONDS} seconds old.")
    try:
        signer = Webhook(source.signing_secret.strip())
        wanted = signer.sign(identifier, datetime.fromtimestamp(int(stamp), UTC), raw.decode())
    except (binascii.Error, RuntimeError, ValueError) as error:
        raise BadSignature("The signature can't be checked with the signing secret saved here.") from error
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
        raise BadSignature("webhook-signature does not match the signing secret saved here.")


VENDOR = Vendor(
    slug="surveys",
    label="Survey events",
    summary="Take in survey views, dismissals and responses, from getuserfeedback.com or any tool that can post them.",
    docs_url="https://getuserfeedback.com/docs/integrations/segment/destination",
    prepare=("Have the survey tool at hand: it needs the address and the key of the source you make here.",),
    receive=Receive(
        path="/connector/surveys",
        parse=parse,
        verify=verify,
        signing_secret_help=SIGNATURE_HELP,
        try_it="curl {address}/connector/surveys -H 'Authorization: Bearer {key}' "
        """-d '{"event": "Response Submitted", "event_id": "try_1", "anonymous_id": "visitor_1", """
        """"app_id": "app_1", "organization_id": "org_1"}'""",
        paste=(
            "In the survey tool: add a webhook, or have your engineers post each survey event.",
            "URL: {address}/connector/surveys",
            "Headers: Authorization = Bearer {key}",
            "Events: Flow Viewed, Flow Dismissed and Response Submitted.",
        ),
        known_events=EVENTS,
    ),
)
