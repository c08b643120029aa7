"""What the ingest routes answer. Every body is a JSON object with the fields that Segment's libraries read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.response import Response

from deliveries.accept import Accepted
from deliveries.api import errors
from deliveries.api.body import SUCCESS_TEXT, JsonRenderer, Refusal

OVERLOADED_FOR = 5  # seconds that a client is asked to wait when events can't be stored


class Taken:
    """200, on condition that ``accepted`` gets stored first: what a view hands to the server's front.

    Not one of DRF's responses: for a single event, making one costs as much as reading and checking the event.
    """

    __slots__ = ("accepted",)
    status_code = 200

    def __init__(self, accepted: Accepted) -> None:
        self.accepted = accepted


def refusal_response(refusal: Refusal) -> Response:
    response = Response(errors.body(refusal.code, refusal.message), status=refusal.status)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Signalbox"'
    if refusal.retry_after:
        response.headers["Retry-After"] = str(refusal.retry_after)
        response.headers["X-RateLimit-Reset"] = str(refusal.retry_after)
    return response


def render_later(response: Response) -> Response:
    """A response made outside a view, given the renderer that the view would have."""
    response.accepted_renderer = JsonRenderer()
    response.accepted_media_type = "application/json"
    response.renderer_context = {}  # type: ignore[attr-defined]  # what DRF's own views put there
    return response


def refused_response(stored: Response | Taken, reason: str) -> Response:
    """A single invalid event: kept as refused at the door, and its sender told so."""
    if isinstance(stored, Response) and stored.status_code != 200:
        return stored
    response = refusal_response(Refusal(400, "invalid_event", reason))
    if isinstance(stored, Taken):
        response.accepted = stored.accepted  # type: ignore[attr-defined]  # for whoever stores it
    return response


def cannot_store() -> Refusal:
    return Refusal(
        503, "try_again", "The event can't be stored just now. Nothing is lost: send it again.", OVERLOADED_FOR
    )


# Browsers send from any site: the write key, not the page's origin, is the permission.
ANY_SITE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, X-RateLimit-Reset",
}


def cors(method: str | None, response: Any) -> None:
    for name, value in ANY_SITE.items():
        response.headers[name] = value
    if method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "POST, GET, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = (
            "authorization, content-type, content-encoding, x-retry-count"
        )
        response.headers["Access-Control-Max-Age"] = "86400"


def taken_headers(any_site: bool) -> list[tuple[bytes, bytes]]:
    """Of the answer to everything that was stored, as the server takes them; ``any_site`` may read it or not."""
    named: Mapping[str, str] = {
        "Content-Type": "application/json",
        "Content-Length": str(len(SUCCESS_TEXT)),
        **(ANY_SITE if any_site else {}),
    }
    return [(name.lower().encode(), value.encode()) for name, value in named.items()]
