"""Where events come in: Segment's HTTP Tracking API and the services' webhooks.

Routes, key places, answers and limits are those of Segment ("HTTP Tracking API"; what its libraries really send and
read is noted where it matters), except that a wrong key is told so with 401: Segment says 200 and drops the event.

The view itself does not write. It answers with an :class:`AcceptedResponse` whose ``accepted`` must be stored before
the answer goes out: the server's front does that for many requests in one commit, Django's own handler at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deliveries import accept, limits
from deliveries.accept import Accepted
from deliveries.api.answers import Taken, cannot_store, cors, refusal_response, refused_response
from deliveries.api.body import SUCCESS, EventParser, FixedNegotiation, JsonRenderer, Refusal
from deliveries.api.keys import check_header_key, find_route, header_key, too_many
from deliveries.core import normalise
from deliveries.core.normalise import MAX_EVENT_BYTES, Incoming
from integrations import registry, selectors
from integrations.selectors import Snapshot, SourceRoute
from integrations.types import BadSignature, Unmappable

MAX_EVENTS = 2500
PARSERS: list[BaseParser] = [EventParser()]
RENDERER = JsonRenderer()


class IngestView(APIView):
    """What all ingest routes share. Trimmed to what they need: no session, no negotiation, no permission machinery;
    the write key is the permission."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (EventParser,)
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = FixedNegotiation
    schema = None
    http_method_names: Sequence[str] = ("post", "options")
    kind = ""
    vendor = "segment"

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """DRF's own steps here (negotiation, versions, users, permissions, throttles) have nothing to decide."""
        request.accepted_renderer = RENDERER
        request.accepted_media_type = RENDERER.media_type
        if wait := limits.wait(limits.ADDRESS, client_address(request), settings.RATE_LIMIT_PER_ADDRESS):
            raise too_many("from this address", wait)

    def get_parsers(self) -> list[BaseParser]:
        return PARSERS

    def handle_exception(self, exception: Exception) -> Response:
        if isinstance(exception, Refusal):
            if exception.status == 401 and (wait := limits.refused(client_address(self.request))):
                exception = too_many("without a valid key from this address", wait)
            return refusal_response(exception)
        response = super().handle_exception(exception)
        if response.status_code == 405:
            response.headers["Allow"] = ", ".join(self.allowed_methods)
        return response

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        response = Response(status=204)
        response.headers["Allow"] = "POST, OPTIONS"
        return response

    def route(self, request: Request, document: Any, key: str = "") -> tuple[SourceRoute, int]:
        """The source the key belongs to, and the key's id."""
        header = header_key(request.META.get("HTTP_AUTHORIZATION", ""))
        return find_route(header or key, document, self.snapshot(request))

    def snapshot(self, request: Request) -> Snapshot:
        """The configuration: the front's, which is a tenth of a second old at most, else as it is now."""
        given = getattr(request._request, "snapshot", None)
        return given if given is not None else selectors.snapshot()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        # By this DRF has the request hold itself and its view. Only the garbage collector would free them, and all of
        # the body, and it stops the process for that: at a thousand requests a second, those were the slowest answers.
        request.parser_context.clear()
        if isinstance(response, Taken):
            return response
        response.accepted_renderer = RENDERER
        response.accepted_media_type = RENDERER.media_type
        response.renderer_context = {}
        if request.path.startswith("/v1/"):
            cors(request.method, response)
        return response

    def finish(
        self, request: Request, route: SourceRoute, key_id: int, received_at: datetime, events: list[Incoming]
    ) -> Response | Taken:
        """Have the events stored: by the front in its next commit, or here and now."""
        accepted = Accepted(route.id, received_at, events, key_id)
        if getattr(request._request, "defers_storing", False):
            return Taken(accepted)
        try:
            accept.accept_now(accepted)
        except DatabaseError:
            return refusal_response(cannot_store())
        return Response(SUCCESS)


class EventView(IngestView):
    """One event; its type is the route's."""

    def post(self, request: Request) -> Response | Taken:
        check_header_key(request, self.snapshot(request))
        document = posted(request)
        received_at = timezone.now()
        route, key_id = self.route(request, document)
        if not isinstance(document, dict):
            raise Refusal(400, "invalid_request", "Send one event as a JSON object.")
        if len(raw_body(request)) > MAX_EVENT_BYTES:
            raise Refusal(400, "too_large", "The event is larger than 32 KB.")
        shared = normalise.envelope(received_at, {"sentAt": document.get("sentAt")}, client_address(request))
        event = normalise.normalise(document, shared, self.kind)
        response = self.finish(request, route, key_id, received_at, [event])
        return refused_response(response, event.refused) if event.refused else response


class BatchView(IngestView):
    """Many events; each is accepted or refused at the door by itself."""

    def post(self, request: Request) -> Response | Taken:
        check_header_key(request, self.snapshot(request))
        document = posted(request)
        received_at = timezone.now()
        route, key_id = self.route(request, document)
        items = document.get("batch") if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise Refusal(400, "invalid_request", "A batch needs a list of events under “batch”.")
        check_count(items)
        shared = normalise.envelope(received_at, document, client_address(request))
        return self.finish(request, route, key_id, received_at, [normalise.normalise(item, shared) for item in items])


class MetricsView(IngestView):
    """The libraries' own statistics: taken and ignored."""

    def post(self, request: Request) -> Response | Taken:
        return Response(SUCCESS)


class SettingsView(IngestView):
    """The settings document that browser and mobile libraries load before they send anything."""

    http_method_names = ("get", "head", "options")

    def get(self, request: Request, key: str) -> Response:
        find_route(key, None, self.snapshot(request))
        segment = {"apiKey": key, "apiHost": f"{request._request.get_host()}/v1"}
        return Response({"integrations": {"Segment.io": segment}, "plan": {}, "edgeFunction": {}})


class WebhookView(IngestView):
    """A service's webhook: one JSON object, or an array of them where the service sends batches."""

    def post(self, request: Request, key: str = "") -> Response | Taken:
        check_header_key(request, self.snapshot(request), key)
        document = posted(request)
        received_at = timezone.now()
        route, key_id = self.route(request, document, key)
        if route.vendor != self.vendor:
            label = vendor_label(self.vendor)
            raise Refusal(401, "wrong_source", f"This key belongs to a source of another service, not of {label}.")
        self._verify(request, route, received_at)
        items = document if isinstance(document, list) else [document]
        check_count(items)
        events = [self._event(item, route, received_at, request) for item in items]
        response = self.finish(request, route, key_id, received_at, events)
        refused = events[0].refused if not isinstance(document, list) and self.refuses_single else ""
        return refused_response(response, refused) if refused else response

    # A service that blocks its whole stream on an error must get its 200 even for what can't be mapped.
    refuses_single = False

    def _verify(self, request: Request, route: SourceRoute, now: datetime) -> None:
        receive = registry.vendors()[self.vendor].receive
        if not route.config.signing_secret or receive is None or receive.verify is None:
            return
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in request.META.items() if name[:5] == "HTTP_"
        }
        try:
            receive.verify(raw_body(request), headers, route.config, now)
        except BadSignature as error:
            raise Refusal(401, "bad_signature", str(error)) from None

    def _event(self, item: Any, route: SourceRoute, received_at: datetime, request: Request) -> Incoming:
        receive = registry.vendors()[self.vendor].receive
        assert receive is not None  # noqa: S101 - routes are made from receiving vendors
        if not isinstance(item, dict):
            return normalise.unmappable({"value": item}, "", "This is not an event: a JSON object was expected.")
        try:
            mapped = receive.parse(item, route.config)[0]
        except Unmappable as error:
            return normalise.unmappable(item, str(item.get("event_id") or item.get("messageId") or ""), str(error))
        shared = normalise.envelope(received_at, {"sentAt": mapped.get("sentAt")}, client_address(request))
        return normalise.normalise(mapped, shared)


class SegmentWebhookView(WebhookView):
    refuses_single = True


def posted(request: Request) -> Any:
    """The parsed body. DRF takes none at all for an empty object; here it is no JSON."""
    document = request.data
    if not hasattr(request._request, "raw"):
        raise Refusal(400, "invalid_request", "The body is empty. Send a JSON object.")
    return document


def raw_body(request: Request) -> bytes:
    """The inflated text that the parser left on the request."""
    return getattr(request._request, "raw", b"")


def check_count(items: list[Any]) -> None:
    if len(items) > MAX_EVENTS:
        raise Refusal(400, "too_many_events", f"A request may hold {MAX_EVENTS} events; this one has {len(items)}.")


def client_address(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def vendor_label(slug: str) -> str:
    vendor = registry.get(slug)
    return vendor.label if vendor else slug
