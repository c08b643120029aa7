"""What the ingest routes answer. Every body is a JSON object with the fields that Segment's libraries read."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from deliveries.accept import Accepted
from deliveries.api import errors
from deliveries.api.body import SUCCESS, JsonRenderer, Refusal

OVERLOADED_FOR = 5  # seconds that a client is asked to wait when events can't be stored


class AcceptedResponse(Response):
    """200, on condition that ``accepted`` gets stored first."""

    def __init__(self, accepted: Accepted) -> None:
        super().__init__(SUCCESS)
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


def refused_response(stored: Response, reason: str) -> Response:
    """A single invalid event: kept as refused at the door, and its sender told so."""
    if stored.status_code != 200:
        return stored
    response = refusal_response(Refusal(400, "invalid_event", reason))
    if isinstance(stored, AcceptedResponse):
        response.accepted = stored.accepted  # type: ignore[attr-defined]  # for whoever stores it
    return response


def cannot_store() -> Refusal:
    return Refusal(
        503, "try_again", "The event can't be stored just now. Nothing is lost: send it again.", OVERLOADED_FOR
    )


def cors(request: Any, response: Any) -> None:
    """Browsers send from any site: the write key, not the page's origin, is the permission."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "Retry-After, X-RateLimit-Reset"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "POST, GET, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = (
            "authorization, content-type, content-encoding, x-retry-count"
        )
        response.headers["Access-Control-Max-Age"] = "86400"
