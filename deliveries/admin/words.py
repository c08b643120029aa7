"""Deliveries in words: short reasons for lists, whole sentences for the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import orjson

from deliveries.core import causes, retry
from deliveries.models import Attempt, Delivery
from integrations import registry
from integrations.types import Cause

REASONS: dict[str, str] = {
    Cause.KEY_REFUSED: "Key refused",
    Cause.DATA_REFUSED: "Event refused",
    Cause.NOT_FOUND: "Address not found",
    Cause.TOO_LARGE: "Too big",
    Cause.SLOW_DOWN: "Asked to slow down",
    Cause.SERVICE_ERROR: "Problem on their side",
    Cause.TIMEOUT: "No answer in time",
    Cause.UNREACHABLE: "Not reachable",
    Cause.TLS: "Certificate not valid",
    Cause.BLOCKED_ADDRESS: "Address not allowed",
    Cause.REDIRECT: "Sends us elsewhere",
    Cause.REFUSED_BY_SERVICE: "Refused by the service",
    Cause.MAPPING_MISSING: "A field is missing",
    Cause.NOT_SUPPORTED: "Not for this service",
    Cause.SWITCHED_OFF: "Switched off",
    Cause.FILTERED: "Filtered out",
    Cause.PAUSED: "Connector paused",
    Cause.GAVE_UP: "Gave up after all tries",
    Cause.INTERNAL: "Our own mistake",
}


def reason(delivery: Delivery) -> str:
    """One line for a list: why it is not simply delivered; "" where it is."""
    return REASONS.get(delivery.cause, "")


def sentences(delivery: Delivery, tries: Sequence[Attempt], now: datetime) -> causes.Explanation:
    """Headline, explanation and what to do, of what happened to this delivery."""
    last = tries[-1] if tries else None
    vendor = registry.get(delivery.connector.vendor)
    return causes.explain(
        delivery.status,
        delivery.cause,
        vendor=delivery.connector.vendor,
        vendor_label=vendor.label if vendor else delivery.connector.vendor,
        connector_name=delivery.connector.name,
        event_name=delivery.event.name or delivery.event.type,
        detail=delivery.detail,
        host=host_of(last),
        http_status=last.response_status if last else None,
        duration_ms=last.duration_ms if last else None,
        tries=delivery.attempts,
        max_tries=most_tries(delivery.connector.retry),
        next_attempt_at=delivery.next_attempt_at if delivery.open else None,
        now=now,
    )


def most_tries(policy: str | list[int]) -> int:
    """The first try and all the repeats of a schedule; 0 for one that is not known."""
    try:
        return retry.max_tries(retry.parse_policy(policy))
    except ValueError:
        return 0


def host_of(attempt: Attempt | None) -> str:
    if attempt is None:
        return ""
    try:
        return urlsplit(orjson.loads(attempt.request).get("url", "")).hostname or ""
    except ValueError:
        return ""
