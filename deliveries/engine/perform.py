"""Send claimed deliveries of one connector: map, build, call, judge. No database, no clock but the one passed in.

Today's configuration builds the request, so a replay uses today's mapping. A refusal before sending
(:class:`~integrations.types.NotSent`) costs no call. In a batch call each event is judged by itself; a batch that is
refused as a whole is split until the event at fault stands alone, so that it never takes its neighbours with it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from deliveries.core import redact
from deliveries.core.documents import ERASED_BODY, clean, dump, load
from deliveries.engine.claim import Claimed
from deliveries.engine.send import SendFailed
from integrations import mapping, verdicts
from integrations.types import (
    Batch,
    Cause,
    ConnectorConfig,
    Disposition,
    Event,
    NotSent,
    OutgoingRequest,
    Response,
    Vendor,
    Verdict,
)

log = logging.getLogger("signalbox.engine")
RESPONSE_TEXT_CAP = 16_384
REQUEST_TEXT_CAP = 65_536
SPLIT_CAUSES = frozenset({Cause.DATA_REFUSED, Cause.TOO_LARGE})


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


class Result(NamedTuple):
    """What became of one claimed delivery. Without ``call`` nothing was sent."""

    claimed: Claimed
    verdict: Verdict | None
    not_sent: NotSent | None
    call: Call | None
    request_body: str
    sent_as: str
    notes: str
    ended_at: datetime


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


class Prepared(NamedTuple):
    claimed: Claimed
    event: Event
    content: bytes
    notes: tuple[str, ...] = ()


def perform(
    chunk: Sequence[Claimed],
    target: Target,
    caller: Caller,
    clock: Callable[[], datetime],
    original: Callable[[Claimed], tuple[str, str, bytes] | None] | None = None,
) -> list[Result]:
    """Send ``chunk`` (at most one batch call's worth) and return one result per delivery.

    ``original`` gives method, URL and body of what was sent before, for a replay "exactly as sent".
    """
    results: list[Result] = []
    together: list[Prepared] = []
    batch = target.vendor.batch if target.batch_size > 1 or _always_batched(target.vendor) else None
    for claimed in chunk:
        try:
            event = _event(claimed, target)
            if claimed.as_sent and original is not None and (sent := original(claimed)) is not None:
                results.append(_send_again(claimed, event, sent, target, caller, clock))
            elif batch is not None and event.kind in batch.kinds:
                together.append(_item(claimed, event, target, batch))
            else:
                results.append(_send_one(claimed, event, target, caller, clock))
        except NotSent as refusal:
            results.append(not_sent(claimed, refusal, clock))
        except Exception as error:
            log.exception("Delivery %s could not be built", claimed.id)
            words = f"{type(error).__name__} while preparing the request: {error}"
            results.append(not_sent(claimed, NotSent(Cause.INTERNAL, words[:500]), clock))
    if batch is not None:
        for group in _groups(together, batch, target.batch_size):
            if len(group) < batch.min_events:
                results += [_send_one(item.claimed, item.event, target, caller, clock) for item in group]
            else:
                results += _send_batch(group, target, batch, caller, clock)
    return results


def _always_batched(vendor: Vendor) -> bool:
    """A batch call without a size setting is the vendor's way of sending, for one event as well."""
    return vendor.batch is not None and vendor.batch.size is None


def _event(claimed: Claimed, target: Target) -> Event:
    if claimed.body == ERASED_BODY:
        raise NotSent(Cause.ERASED, "")
    payload = load(claimed.body)
    return mapping.prepare(payload, target.config, target.vendor, claimed.source_vendor)


def _item(claimed: Claimed, event: Event, target: Target, batch: Batch) -> Prepared:
    content = _dumped(batch.item(event, target.config))
    if batch.max_item_bytes and len(content) > batch.max_item_bytes:
        raise NotSent(
            Cause.TOO_LARGE,
            f"{target.vendor.label} takes up to {batch.max_item_bytes // 1024} kB per event; "
            f"this one has {-(-len(content) // 1024)} kB.",
        )
    return Prepared(claimed, event, content)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return dump(value).encode()


def _groups(items: Sequence[Prepared], batch: Batch, most: int) -> list[list[Prepared]]:
    """Cut into calls of at most ``most`` events and ``max_bytes`` bytes."""
    groups: list[list[Prepared]] = []
    frame = len(batch.prefix) + len(batch.suffix)
    size = 0
    for item in items:
        if not groups or len(groups[-1]) >= most or size + len(item.content) + 1 > batch.max_bytes:
            groups.append([])
            size = frame
        groups[-1].append(item)
        size += len(item.content) + 1
    return groups


def _send_one(claimed: Claimed, event: Event, target: Target, caller: Caller, clock: Any) -> Result:
    request = target.vendor.builders[event.kind](event, target.config)
    call, verdict, _ = _call(request, event.message_id, target, caller, clock)
    (body,) = _body_texts([request.content()], target)
    return Result(claimed, verdict, None, call, body, event.name, "\n".join(request.notes), clock())


def _send_again(
    claimed: Claimed, event: Event, sent: tuple[str, str, bytes], target: Target, caller: Caller, clock: Any
) -> Result:
    """The same method, address and body as before, with today's key."""
    method, _, content = sent
    batch = target.vendor.batch
    if batch is not None and (target.batch_size > 1 or _always_batched(target.vendor)) and event.kind in batch.kinds:
        today = batch.request(target.config, batch.prefix + content + batch.suffix)
    else:
        today = target.vendor.builders[event.kind](event, target.config)
        today = OutgoingRequest(method=method, url=today.url, headers=today.headers, body=content)
    call, verdict, _ = _call(today, event.message_id, target, caller, clock)
    (body,) = _body_texts([content], target)
    return Result(claimed, verdict, None, call, body, event.name, "Sent exactly as before.", clock())


def _send_batch(
    group: list[Prepared], target: Target, batch: Batch, caller: Caller, clock: Any, split: bool = False
) -> list[Result]:
    content = batch.prefix + b",".join([item.content for item in group]) + batch.suffix
    request = batch.request(target.config, content)
    ids = "".join(item.event.message_id for item in group)
    message_id = ids if len(group) == 1 else f"batch_{hashlib.sha256(ids.encode()).hexdigest()[:32]}"
    call, verdict, response = _call(request, message_id, target, caller, clock, len(group))
    if len(group) > 1 and verdict.disposition is Disposition.REJECTED and verdict.cause in SPLIT_CAUSES:
        middle = len(group) // 2
        halves = (group[:middle], group[middle:])
        return [result for half in halves for result in _send_batch(half, target, batch, caller, clock, True)]
    each: Sequence[Verdict] = [verdict] * len(group)
    if batch.classify_each and response is not None and verdict.disposition is Disposition.DELIVERED:
        each = batch.classify_each(response, target.config, len(group))
    note = "A call with several events was refused as a whole, so they were sent in smaller calls." if split else ""
    notes = "\n".join((*request.notes, note) if note else request.notes)
    bodies = _body_texts([item.content for item in group], target)
    ended = clock()
    return [
        Result(item.claimed, own, None, call, body, item.event.name, notes, ended)
        for item, own, body in zip(group, each, bodies, strict=True)
    ]


def _call(
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
    call = Call(
        started_at,
        response.elapsed_ms,
        head,
        _json_text({"status": response.status, "headers": redact.headers(response.headers, secrets)}),
        clean(response.text[:RESPONSE_TEXT_CAP]),
        response.status,
        batch_size,
    )
    return call, verdict, response


def _without_secrets(response: Response, secrets: Sequence[str]) -> Response:
    """Some services say back what they were sent, and what they say is quoted: never with a key in it."""
    safe = redact.text(response.text, secrets)
    if response.status >= 300 and response.headers:  # a redirect's target is quoted too
        headers = {name: redact.text(value, secrets) for name, value in response.headers.items()}
        response = replace(response, headers=headers)
    return response if safe == response.text else replace(response, body=safe.encode())


def _request_text(request: OutgoingRequest, secrets: Sequence[str]) -> str:
    head = {"method": request.method, "url": request.url, "headers": redact.headers(request.headers, secrets)}
    return redact.text(_json_text(head), secrets)


def _body_texts(contents: Sequence[bytes], target: Target) -> list[str]:
    secrets = redact.of_connector(target.config, target.vendor)
    return [redact.text(content.decode("utf-8", "replace"), secrets)[:REQUEST_TEXT_CAP] for content in contents]


def _json_text(value: Mapping[str, Any]) -> str:
    return clean(orjson.dumps(value).decode())


def not_sent(claimed: Claimed, refusal: NotSent, clock: Callable[[], datetime]) -> Result:
    return Result(claimed, None, refusal, None, "", "", "", clock())
