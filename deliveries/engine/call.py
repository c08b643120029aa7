"""One call to a service: signed, sent, judged, and written down in texts that are redacted and cut. No database."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from deliveries.core import redact
from deliveries.core.documents import clean
from deliveries.engine.send import SendFailed
from integrations import verdicts
from integrations.types import Cause, ConnectorConfig, Disposition, OutgoingRequest, Response, Vendor, Verdict

RESPONSE_TEXT_CAP = 16_384
REQUEST_TEXT_CAP = 65_536


class Caller(Protocol):
    """What sends: :class:`deliveries.engine.send.Sender`, or practice data's stand-in for the network."""

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response: ...


class Call(NamedTuple):
    """One HTTP request as it goes on the attempts: texts are redacted and cut."""

    started_at: datetime
    duration_ms: int
    request: str
    response: str
    response_body: str
    response_status: int | None
    batch_size: int


def allowed_hosts(config: ConnectorConfig, vendor: Vendor) -> tuple[str, ...]:
    """The hosts a connector's requests may go to: the vendor's, and its own endpoint's. None for free addresses."""
    if not vendor.allowed_hosts:
        return ()
    own = urlsplit(config.base_url).hostname
    return (*vendor.allowed_hosts, own) if own else vendor.allowed_hosts


class Target(NamedTuple):
    """A connector with its vendor, as the engine needs them together."""

    config: ConnectorConfig
    vendor: Vendor
    hosts: tuple[str, ...]

    @property
    def batch_size(self) -> int:
        """How many events one call may carry."""
        batch = self.vendor.batch
        if batch is None:
            return 1
        wanted = batch.size(self.config) if batch.size else batch.max_events
        return max(1, min(wanted, batch.max_events))


def call(
    request: OutgoingRequest, message_id: str, target: Target, caller: Caller, clock: Any, batch_size: int = 1
) -> tuple[Call, Verdict, Response | None]:
    started_at = clock()
    if target.vendor.sign is not None:
        signature = target.vendor.sign(request, target.config, message_id, started_at)
        request = replace(request, headers={**request.headers, **signature}, json=None, body=request.content())
    began = time.monotonic()
    secrets = redact.of_connector(target.config, target.vendor)
    head = _request_text(request, secrets)
    try:
        response = _without_secrets(caller.send(request, hosts=target.hosts), secrets)
    except SendFailed as failure:
        duration = round((time.monotonic() - began) * 1000)
        retried = failure.cause not in (Cause.BLOCKED_ADDRESS, Cause.INTERNAL)
        disposition = Disposition.RETRY if retried else Disposition.REJECTED
        verdict = Verdict(disposition=disposition, cause=failure.cause, detail=failure.detail)
        return Call(started_at, duration, head, "", "", None, batch_size), verdict, None
    verdict = verdicts.judge(target.vendor, response, target.config, clock())
    if verdict.cause is Cause.TOO_LARGE:
        head = _request_text(request, secrets, sized=True)
    made = Call(
        started_at,
        response.elapsed_ms,
        head,
        _json_text({"status": response.status, "headers": redact.headers(response.headers, secrets)}),
        clean(response.text[:RESPONSE_TEXT_CAP]),
        response.status,
        batch_size,
    )
    return made, verdict, response


def _without_secrets(response: Response, secrets: Sequence[str]) -> Response:
    """Some services say back what they were sent, and what they say is quoted: never with a key in it."""
    safe = redact.text(response.text, secrets)
    if response.status >= 300 and response.headers:  # a redirect's target is quoted too
        headers = {name: redact.text(value, secrets) for name, value in response.headers.items()}
        response = replace(response, headers=headers)
    return response if safe == response.text else replace(response, body=safe.encode())


def _request_text(request: OutgoingRequest, secrets: Sequence[str], *, sized: bool = False) -> str:
    """``sized``: with the size of the body, because the stored one is cut."""
    headers = redact.headers(request.headers, secrets)
    head: dict[str, Any] = {"method": request.method, "url": request.url, "headers": headers}
    if sized:
        head["bytes"] = len(request.content())
    return redact.text(_json_text(head), secrets)


def body_texts(contents: Sequence[bytes], target: Target) -> list[str]:
    """What was sent, as it goes on the attempts: nearly never with a secret in it, so all are searched as one."""
    secrets = redact.of_connector(target.config, target.vendor)
    texts = [content.decode("utf-8", "replace") for content in contents]
    whole = "\n".join(texts)
    if redact.text(whole, secrets) != whole:
        texts = [redact.text(text, secrets) for text in texts]
    return [text[:REQUEST_TEXT_CAP] for text in texts]


def _json_text(value: Mapping[str, Any]) -> str:
    return clean(orjson.dumps(value).decode())
