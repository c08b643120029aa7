"""Send claimed deliveries of one connector: map, build, call, judge. No database, no clock but the one passed in.

Today's configuration builds the request, so a replay uses today's mapping. A refusal before sending
(:class:`~integrations.types.NotSent`) costs no call. In a batch call each event is judged by itself; a batch that is
refused as a whole is split until the event at fault stands alone, so that it never takes its neighbours with it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from deliveries.core.documents import ERASED_BODY, dump, load
from deliveries.engine.call import Call, Caller, Target, body_texts, call
from deliveries.engine.call import allowed_hosts as allowed_hosts  # for those who perform
from deliveries.engine.claim import Claimed
from integrations import mapping
from integrations.types import (
    Batch,
    Cause,
    Disposition,
    Event,
    NotSent,
    OutgoingRequest,
    Vendor,
    Verdict,
)

log = logging.getLogger("signalbox.engine")
SPLIT_CAUSES = frozenset({Cause.DATA_REFUSED, Cause.TOO_LARGE})


class Result(NamedTuple):
    """What became of one claimed delivery. Without ``call`` nothing was sent; without a verdict and a refusal as well,
    its turn did not come, and it goes back as it was."""

    claimed: Claimed
    verdict: Verdict | None
    not_sent: NotSent | None
    call: Call | None
    request_body: str
    sent_as: str
    notes: str
    ended_at: datetime

    @property
    def goes_back(self) -> bool:
        return self.verdict is None and self.not_sent is None


GoOn = Callable[[Sequence[Result]], bool]


def always(results: Sequence[Result]) -> bool:
    return True


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
    go_on: GoOn = always,
) -> list[Result]:
    """Send ``chunk`` (at most one batch call's worth) and return one result per delivery.

    ``original`` gives method, URL and body of what was sent before, for a replay "exactly as sent". What can't travel
    in one call takes a call each, and a batch that is refused as a whole takes several: ``go_on`` is asked before each
    further one, with the results so far; after a no, what is left goes back. The first call is always made.
    """
    results: list[Result] = []
    together: list[Prepared] = []
    batch = target.vendor.batch if target.batch_size > 1 or _always_batched(target.vendor) else None
    for claimed in chunk:
        try:
            event = _event(claimed, target)
            sent = original(claimed) if claimed.as_sent and original is not None else None
            if sent is None and batch is not None and event.kind in batch.kinds:
                together.append(_item(claimed, event, target, batch))
            elif not _may_call(results, go_on):
                results.append(_back(claimed, clock))
            elif sent is not None:
                results.append(_send_again(claimed, event, sent, target, caller, clock))
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
            small = [[item] for item in group] if len(group) < batch.min_events else [group]
            for part in small:
                _send_group(part, target, batch, caller, clock, results, go_on)
    return results


def _may_call(results: Sequence[Result], go_on: GoOn) -> bool:
    return all(result.call is None for result in results) or go_on(results)


def _back(claimed: Claimed, clock: Callable[[], datetime]) -> Result:
    return Result(claimed, None, None, None, "", "", "", clock())


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
    made, verdict, _ = call(request, event.message_id, target, caller, clock)
    (body,) = body_texts([request.content()], target)
    return Result(claimed, verdict, None, made, body, event.name, "\n".join(request.notes), clock())


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
    made, verdict, _ = call(today, event.message_id, target, caller, clock)
    (body,) = body_texts([content], target)
    return Result(claimed, verdict, None, made, body, event.name, "Sent exactly as before.", clock())


def _send_group(
    group: list[Prepared],
    target: Target,
    batch: Batch,
    caller: Caller,
    clock: Any,
    results: list[Result],
    go_on: GoOn,
    split: bool = False,
) -> None:
    """Add the results of a group to ``results``: of one call, or of smaller ones where that is refused as a whole."""
    if not _may_call(results, go_on):
        results += [_back(item.claimed, clock) for item in group]
        return
    if not split and len(group) < batch.min_events:
        results += [_send_one(item.claimed, item.event, target, caller, clock) for item in group]
        return
    found = _send_batch(group, target, batch, caller, clock, split)
    if found is None:
        middle = len(group) // 2
        for half in (group[:middle], group[middle:]):
            _send_group(half, target, batch, caller, clock, results, go_on, True)
        return
    results += found


def _send_batch(
    group: list[Prepared], target: Target, batch: Batch, caller: Caller, clock: Any, split: bool
) -> list[Result] | None:
    """None: refused as a whole, for what is in one of them."""
    content = batch.prefix + b",".join([item.content for item in group]) + batch.suffix
    request = batch.request(target.config, content)
    made, verdict, response = call(request, _call_id(group), target, caller, clock, len(group))
    if len(group) > 1 and verdict.disposition is Disposition.REJECTED and verdict.cause in SPLIT_CAUSES:
        return None
    each: Sequence[Verdict] = [verdict] * len(group)
    if batch.classify_each and response is not None and verdict.disposition is Disposition.DELIVERED:
        each = batch.classify_each(response, target.config, len(group))
    note = "A call with several events was refused as a whole, so they were sent in smaller calls." if split else ""
    notes = "\n".join((*request.notes, note) if note else request.notes)
    bodies = body_texts([item.content for item in group], target)
    ended = clock()
    return [
        Result(item.claimed, own, None, made, body, item.event.name, notes, ended)
        for item, own, body in zip(group, each, bodies, strict=True)
    ]


def _call_id(group: Sequence[Prepared]) -> str:
    """The same for the same events. One id at a time: hashing more than 2 kB at once gives up Python's lock, and to get
    it back takes longer than the hashing."""
    if len(group) == 1:
        return group[0].event.message_id
    digest = hashlib.sha256()
    for item in group:
        digest.update(item.event.message_id.encode())
    return f"batch_{digest.hexdigest()[:32]}"


def not_sent(claimed: Claimed, refusal: NotSent, clock: Callable[[], datetime]) -> Result:
    return Result(claimed, None, refusal, None, "", "", "", clock())
