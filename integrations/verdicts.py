"""What an answer means where a vendor's own ``classify`` has no opinion. Pure.

Retried: 408, 425, 429 and 5xx except 501 (and, in the engine, connection errors and timeouts). Everything else that is
not a success fails at once, because the same request would get the same answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from integrations.types import Cause, ConnectorConfig, Disposition, Json, Response, Vendor, Verdict

DETAIL_LIMIT = 500
DELIVERED = Verdict(disposition=Disposition.DELIVERED)

_BY_STATUS: dict[int, tuple[Disposition, Cause]] = {
    401: (Disposition.REAUTH, Cause.KEY_REFUSED),
    402: (Disposition.REAUTH, Cause.KEY_REFUSED),
    403: (Disposition.REAUTH, Cause.KEY_REFUSED),
    404: (Disposition.REJECTED, Cause.NOT_FOUND),
    405: (Disposition.REJECTED, Cause.NOT_FOUND),
    408: (Disposition.RETRY, Cause.TIMEOUT),
    410: (Disposition.REJECTED, Cause.NOT_FOUND),
    413: (Disposition.REJECTED, Cause.TOO_LARGE),
    425: (Disposition.RETRY, Cause.SLOW_DOWN),
    429: (Disposition.RETRY, Cause.SLOW_DOWN),
    501: (Disposition.REJECTED, Cause.NOT_SUPPORTED),
}


def judge(vendor: Vendor, response: Response, config: ConnectorConfig, now: datetime) -> Verdict:
    """The vendor's verdict, else the general one."""
    if vendor.classify is not None and (verdict := vendor.classify(response, config)) is not None:
        return verdict
    return by_status(response, now)


def by_status(response: Response, now: datetime | None = None) -> Verdict:
    """The general verdict by status code (RFC 9110 §15, RFC 6585 §4)."""
    status = response.status
    if 200 <= status < 300:
        return DELIVERED
    wish = retry_after(response.headers.get("retry-after", ""), now)
    if status in _BY_STATUS:
        disposition, cause = _BY_STATUS[status]
        return Verdict(disposition=disposition, cause=cause, detail=words(response), retry_after=wish)
    if 300 <= status < 400:
        target = response.headers.get("location", "")
        return Verdict(disposition=Disposition.REJECTED, cause=Cause.REDIRECT, detail=target[:DETAIL_LIMIT])
    if status >= 500:
        return Verdict(
            disposition=Disposition.RETRY, cause=Cause.SERVICE_ERROR, detail=words(response), retry_after=wish
        )
    return Verdict(disposition=Disposition.REJECTED, cause=Cause.DATA_REFUSED, detail=words(response))


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds from a ``Retry-After`` header: delay-seconds or an HTTP-date (RFC 9110 §10.2.3).

    A past date is 0; junk is None.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def words(response: Response) -> str:
    """The service's own words, from the usual places of an error body; else the text itself, cut."""
    document = response.json()
    found = _message(document) if document is not None else ""
    return " ".join((found or response.text).split())[:DETAIL_LIMIT]


def _message(document: Json, depth: int = 0) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, list) and depth < 3:
        return "; ".join(filter(None, (_message(item, depth + 1) for item in document[:5])))
    if isinstance(document, dict) and depth < 3:
        for key in ("message", "error_description", "detail", "error", "errors", "title", "reason"):
            if document.get(key) and (found := _message(document[key], depth + 1)):
                return found
    return ""
