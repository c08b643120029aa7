"""What the page of one delivery shows: the sentences, the timeline, the tries, what changed on the way."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from typing import Any

import orjson

from deliveries import explained, log, repeats
from deliveries.core import personal
from deliveries.core.causes import Explanation
from deliveries.core.reasons import REASONS, reason
from deliveries.models import Attempt, Delivery, Status
from deliveries.replay_plan import UNDER_WAY
from integrations import clock, registry
from integrations.templatetags.console import took

CUT = 4000
ALIKE = 1000  # counted no further: a count of everything costs more than the page


def context(delivery: Delivery, now: datetime, *, masked: bool) -> dict[str, Any]:
    """``masked``: personal fields are hidden, for a viewer."""
    tries = list(delivery.log.all())
    said = sentences(delivery, tries, now, masked=masked)
    shown = [_try(attempt, delivery, masked=masked) for attempt in tries]
    user = delivery.event.user_id or delivery.event.anonymous_id
    payload = delivery.event.payload
    vendor = registry.get(delivery.connector.vendor)
    facts = {
        "delivery": delivery,
        "event": delivery.event,
        "said": said,
        "tries": shown,
        "person": personal.hidden_id(user) if masked else user,
        "masked": masked,
        "payload": personal.masked(payload) if masked else payload,
        "reason": reason(delivery.cause, delivery.detail),
        "replays": (replays := replays_of(delivery)),
        "arrived": next((one for one, _ in reversed(replays) if one.status == Status.DELIVERED), None),
        "alike": min(number := alike(delivery), ALIKE),
        "more_alike": number > ALIKE,
        "replayed_by": who_replayed(delivery),
        "notes": [line for line in seen(delivery.notes, delivery, masked=masked).splitlines() if line],
        "can_replay": delivery.status in (Status.DELIVERED, Status.FAILED, Status.SKIPPED)
        and delivery.event.erased_at is None,
        "drops_repeats": vendor is not None and vendor.deduplicates,
        "forgotten_after": repeats.hours_past(delivery, now),
        "most_tries": explained.most_tries(delivery.connector.retry),
        "tries_left": delivery.status in UNDER_WAY,
        "waits": delivery.status in (Status.WAITING, Status.RETRYING),
    }
    return {**facts, "copied": copy_text(delivery, said, shown)}


def result(again: Delivery, now: datetime, *, masked: bool) -> dict[str, Any]:
    """What became of a replay so far, in the sentences of its own page."""
    return {"again": again, "again_said": sentences(again, list(again.log.all()), now, masked=masked)}


def sentences(delivery: Delivery, tries: list[Attempt], now: datetime, *, masked: bool) -> Explanation:
    """A service may name the person in its answer, and so in the sentences about it."""
    said = explained.sentences(delivery, tries, now)
    return without_person(said, delivery) if masked else said


def without_person(said: Explanation, delivery: Delivery | None) -> Explanation:
    """The sentences as a viewer sees them. ``delivery`` is what they are about, where it is still there."""
    ids = (delivery.event.user_id, delivery.event.anonymous_id) if delivery else ()
    return Explanation(*(personal.masked_text(text, *ids) for text in astuple(said)))


def seen(text: str, delivery: Delivery, *, masked: bool) -> str:
    """A text as the reader may see it."""
    event = delivery.event
    return personal.masked_text(text, event.user_id, event.anonymous_id) if masked else text


def alike(delivery: Delivery) -> int:
    """How many deliveries of this connector are in the same state for the same reason; ALIKE + 1 means more than
    ALIKE."""
    same = {"connector": delivery.connector_id, "status": delivery.status, "cause": delivery.cause}
    rows = log.deliveries(same).select_related(None)
    return len(rows.order_by().values_list("id", flat=True)[: ALIKE + 1]) if delivery.cause else 0


def replays_of(delivery: Delivery) -> list[tuple[Delivery, str]]:
    """The deliveries that replayed this one, each with who asked for it."""
    return [(one, who_replayed(one)) for one in delivery.replays.select_related("replay").order_by("id")[:20]]


def who_replayed(delivery: Delivery) -> str:
    """Who pressed the button for this delivery alone, or started the replay of many that made it."""
    return delivery.replayed_by or (delivery.replay.created_by if delivery.replay else "")


def _try(attempt: Attempt, delivery: Delivery, *, masked: bool) -> dict[str, Any]:
    request, response = _json(attempt.request), _json(attempt.response)
    headers = response.get("headers") or {}
    # What the answer says in short, or why there is none; not its text once more, above itself.
    detail = "" if attempt.response_body.startswith(attempt.detail) else attempt.detail
    return {
        "row": attempt,
        "good": attempt.outcome == "delivered",
        "method": request.get("method", ""),
        "url": seen(request.get("url", ""), delivery, masked=masked),
        "detail": seen(detail, delivery, masked=masked),
        "request_headers": request.get("headers") or {},
        "request_body": seen(_body(attempt.request_body, masked=masked), delivery, masked=masked),
        "response_headers": {name: seen(str(value), delivery, masked=masked) for name, value in headers.items()},
        "response_body": seen(_body(attempt.response_body, masked=masked), delivery, masked=masked),
        "reason": REASONS.get(attempt.cause, ""),
    }


def _body(text: str, *, masked: bool) -> str:
    """Pretty where it is JSON; a body that was cut when it was stored stays the text it is."""
    try:
        value = orjson.loads(text)
    except ValueError:
        return personal.masked_text(text) if masked else text
    value = personal.masked(value) if masked else value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _json(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def copy_text(delivery: Delivery, said: Any, tries: list[dict[str, Any]]) -> str:
    """For a ticket: ids, times, codes and bodies as they are stored, which is without secrets."""
    lines = [
        said.headline,
        said.explanation,
        "",
        f"Delivery {delivery.pk} · {delivery.status} {delivery.cause}".rstrip(),
        f"Connector: {delivery.connector.name} ({delivery.connector.vendor})",
        f"Event: {delivery.event.name or delivery.event.type} · message id {delivery.event.message_id}",
        f"Received: {clock.full(delivery.event.received_at)} · tries: {delivery.attempts}",
    ]
    for one in tries[-3:]:
        row = one["row"]
        lines += [
            "",
            f"Try {row.number} · {clock.full(row.started_at)} · {took(row.duration_ms)} · "
            f"answered {row.response_status or 'nothing'}",
            f"{one['method']} {one['url']}",
            one["request_body"][:CUT],
            f"Their answer: {one['response_body'][:CUT]}",
        ]
    return "\n".join(lines)
