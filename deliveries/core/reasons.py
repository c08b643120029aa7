"""Causes in two or three words: for lists, filters and half sentences. Whole sentences are in ``cause_words``."""

from deliveries.core import skipped_words
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
    Cause.ERASED: "Person erased",
}


def reason(cause: str, detail: str) -> str:
    """Why a delivery is not simply delivered; "" where it is."""
    return skipped_words.by_start(skipped_words.REASONS, detail) or REASONS.get(cause, "")
