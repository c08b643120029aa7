"""The posted body: inflated under a cap, parsed as JSON whatever its content type says."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from deliveries.core import documents

SUCCESS = {"success": True}
SUCCESS_TEXT = b'{"success": true}'  # to the letter what Segment answers
MAX_BODY = 512_000  # Segment's 500 KB; its Ruby library goes up to exactly this
MAX_READ = 16_000_000  # a larger body is not even read to its end


class Refusal(Exception):
    """The request as a whole is refused: status, code and words for its sender."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


TOO_LARGE = "The request is larger than 500 KB. Send fewer events at once."


def inflate(raw: bytes, encoding: str) -> bytes:
    """The body without its content encoding. A gzip bomb costs no more memory than the largest allowed body."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        if len(raw) > MAX_BODY:
            raise Refusal(400, "too_large", TOO_LARGE)
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Refusal(
            400, "unsupported_encoding", f"The content encoding “{encoding[:30]}” is not supported. Use gzip."
        )
    window = 47  # zlib or gzip header, told apart by zlib itself
    inflater = zlib.decompressobj(window)
    try:
        text = inflater.decompress(raw, MAX_BODY + 1)
    except zlib.error:
        raise Refusal(400, "invalid_request", "The body says that it is compressed, but can't be inflated.") from None
    if len(text) > MAX_BODY:
        raise Refusal(400, "too_large", TOO_LARGE)
    if not inflater.eof:
        raise Refusal(400, "invalid_request", "The compressed body is cut off. Send it again.")
    return text


def parse(raw: bytes) -> Any:
    try:
        return documents.parse(raw)
    except documents.BadDocument as error:
        raise Refusal(400, "invalid_request", str(error)) from None


class EventParser(BaseParser):
    """DRF parser: JSON of any content type. The inflated text stays on the request as ``raw`` for signatures."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = parser_context["request"]
        raw = inflate(stream.read(MAX_READ), request.META.get("HTTP_CONTENT_ENCODING", ""))
        request._request.raw = raw
        return parse(raw)


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return SUCCESS_TEXT if data is SUCCESS else orjson.dumps(data)


class FixedNegotiation(BaseContentNegotiation):
    """One parser and one renderer: nothing to negotiate."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
