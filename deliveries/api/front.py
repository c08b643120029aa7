"""The server's way to the ingest routes: straight to their DRF views, past the console's middleware, and with the
storing of many requests gathered into one commit.

The views run on the event loop's own thread: they compute and never wait. What waits is the commit, and nothing of the
process waits with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import unquote

from django.db import Error as DatabaseError
from django.http import HttpRequest
from django.urls import Resolver404
from django.urls.resolvers import get_resolver

from deliveries.accept import Accepted
from deliveries.api import answers
from deliveries.api.answers import Taken, taken_headers
from deliveries.api.body import MAX_READ, SUCCESS_TEXT, TOO_LARGE, Refusal
from deliveries.api.following import Following
from deliveries.writer import GroupWriter, Overloaded
from integrations.selectors import Snapshot

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
PREFIXES = ("/v1/", "/connector/")
# Requests of one process that wait for their commit, and the bytes of their bodies. More would only make all of them
# wait longer, until their senders give up and send once more: those that come then are asked, at once, to come again.
MOST_WAITING = 512
MOST_WAITING_BYTES = 32_000_000
TAKEN, TAKEN_ANYWHERE = taken_headers(any_site=False), taken_headers(any_site=True)


class Rendered(NamedTuple):
    """An answer as the server takes it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class IngestFront:
    """ASGI application for the ingest routes."""

    def __init__(self) -> None:
        self.writer = GroupWriter()
        self.configuration = Following()
        self._waiting = self._waiting_bytes = 0

    async def start(self) -> None:
        """Make ready, so that the first sender waits no longer than the others: a web process that has loaded nothing
        needs a third of a second for its first answer. Without a database it starts all the same."""
        self.writer.start()
        scope = {"method": "POST", "path": "/v1/track", "headers": [(b"content-type", b"application/json")]}
        request = IngestRequest(scope)
        with suppress(Refusal):  # it carries no key
            await self._respond(request, _nothing)
        self._leave(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = IngestRequest(scope)
        try:
            response = await self._respond(request, receive)
            accepted = getattr(response, "accepted", None)
            if accepted is not None:
                await self._store(accepted)
        except Refusal as refusal:
            response = self._refuse(request, refusal)
        finally:
            self._leave(request)
        if response is not None:  # else the client has gone
            await _answer(send, response, request)

    async def _store(self, accepted: Accepted) -> None:
        try:
            await self.writer.submit(accepted)
        except (DatabaseError, Overloaded):
            raise answers.cannot_store() from None

    def _enter(self, request: IngestRequest, size: int) -> None:
        """Take one of the places of those who may wait, before the first wait: for the configuration, for the commit.
        Whoever waits for the one without a place would overfill the other. Raises Refusal where none is left."""
        if self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES:
            raise answers.cannot_store()
        request.place = size
        self._waiting, self._waiting_bytes = self._waiting + 1, self._waiting_bytes + size

    def _leave(self, request: IngestRequest) -> None:
        if request.place is not None:
            self._waiting, self._waiting_bytes = self._waiting - 1, self._waiting_bytes - request.place

    async def _respond(self, request: IngestRequest, receive: Receive) -> Any:
        try:
            view, kwargs = _resolve(request.path)
        except Resolver404:
            raise Refusal(404, "not_found", "There is nothing at this address.") from None
        body = await _read(receive)
        if body is None:
            return None
        self._enter(request, len(body))
        _give_body(request, body)
        await self.configuration.follow()
        request.snapshot = self.configuration.snapshot
        if request.snapshot is None:
            raise answers.cannot_store()
        response = view(request, **kwargs)
        if self.configuration.behind and response.status_code in (401, 403):
            raise answers.cannot_store()  # perhaps the key is new: only who knows today's configuration may say no
        return response

    @staticmethod
    def _refuse(request: HttpRequest, refusal: Refusal) -> Rendered:
        any_site = request.path.startswith("/v1/")
        return _rendered(refusal.status, refusal.code, refusal.message, refusal.retry_after, any_site, request.method)


def _give_body(request: IngestRequest, body: bytes) -> None:
    request._read_started = False
    request._body = body
    request._stream = BytesIO(body)
    request.META["CONTENT_LENGTH"] = str(len(body))


class IngestRequest(HttpRequest):
    """A Django request with what the ingest views read, and no more: the full one costs a sixth of an answer."""

    def __init__(self, scope: Scope) -> None:
        self.method = scope["method"].upper()
        self.path = self.path_info = scope["path"]
        self.META = meta = {"REQUEST_METHOD": self.method}
        meta["REMOTE_ADDR"] = scope["client"][0] if scope.get("client") else ""
        server = scope.get("server") or ("localhost", 80)
        meta["SERVER_NAME"], meta["SERVER_PORT"] = server[0], str(server[1])
        for name, value in scope["headers"]:
            key = _meta_name(name)
            text = value.decode("latin-1")
            meta[key] = f"{meta[key]},{text}" if key in meta else text
        self.defers_storing = True
        self._encoding = None
        self._read_started = False
        self.content_type, self.content_params = "application/json", {}
        self.resolver_match = None
        self._stream: Any = BytesIO()
        self._body = b""
        self.snapshot: Snapshot | None = None
        self.place: int | None = None  # bytes of the place it has among those who wait


@lru_cache(maxsize=256)
def _meta_name(header: bytes) -> str:
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


@lru_cache(maxsize=1024)
def _resolve(path: str) -> tuple[Any, dict[str, Any]]:
    match = get_resolver("deliveries.api.ingest_urls").resolve(unquote(path))
    return match.func, match.kwargs


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"{}"}


async def _read(receive: Receive) -> bytes | None:
    """The whole body, chunked or not; None if the client went away. Raises Refusal beyond the most we read."""
    message = await receive()
    if not message.get("more_body"):
        return None if message["type"] == "http.disconnect" else message.get("body", b"")
    parts, size = [message.get("body", b"")], len(message.get("body", b""))
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_READ:
            raise Refusal(400, "too_large", TOO_LARGE)
        parts.append(part)
    return b"".join(parts)


@lru_cache(maxsize=64)
def _rendered(
    status: int, code: str, message: str, retry_after: int | None, any_site: bool, method: str | None
) -> Rendered:
    """A refusal before any view. Kept: at the worst of times most answers are the same, and what they cost is taken
    from the events that could be stored."""
    response = answers.render_later(answers.refusal_response(Refusal(status, code, message, retry_after)))
    if any_site:
        answers.cors(method, response)
    return _render(response)


def _render(response: Any) -> Rendered:
    response.render()
    headers = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in response.headers.items()]
    headers.append((b"content-length", str(len(response.content)).encode()))
    return Rendered(response.status_code, headers, response.content)


async def _answer(send: Send, response: Any, request: IngestRequest) -> None:
    if isinstance(response, Taken):
        status, content = response.status_code, SUCCESS_TEXT
        headers = TAKEN_ANYWHERE if request.path.startswith("/v1/") else TAKEN
    else:
        status, headers, content = response if isinstance(response, Rendered) else _render(response)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})
