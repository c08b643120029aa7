"""When a delivery is tried again, and when it is given up. Pure: the time and the jitter are passed in.

The standard delays are those getuserfeedback.com documents for its Segment destination (1, 2, 4, 8, 16, 32 and 64
minutes, "then a final attempt up to 6 hours later"): eight retries, nine requests. The patient ones are the example
schedule of the Standard Webhooks specification. ``Retry-After`` (RFC 9110 section 10.2.3) can only lengthen a delay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.types import Cause, Disposition, Verdict

Policy = str | Sequence[float]

MINUTE, HOUR, DAY = 60, 3600, 86_400
SCHEDULES: dict[str, tuple[int, ...]] = {
    "standard": tuple(minutes * MINUTE for minutes in (1, 2, 4, 8, 16, 32, 64, 360)),
    "patient": (5, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24))),
}
MAX_RETRIES = 50
MAX_DELAY = 7 * DAY
MAX_WISH = 6 * HOUR
MAX_JITTER = 0.1
DETAIL_LIMIT = 500

# The cause where a verdict names none.
_USUAL_CAUSE = {
    Disposition.RETRY: Cause.SERVICE_ERROR,
    Disposition.REJECTED: Cause.DATA_REFUSED,
    Disposition.REAUTH: Cause.KEY_REFUSED,
    Disposition.REFUSED: Cause.REFUSED_BY_SERVICE,
    Disposition.STOP: Cause.NOT_FOUND,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of the delivery. ``next_attempt_at`` is given exactly where ``status`` is "retrying"."""

    status: str  # "delivered", "retrying" or "failed"
    cause: Cause | None = None
    next_attempt_at: datetime | None = None
    detail: str = ""


def decide(verdict: Verdict, tries_made: int, now: datetime, policy: Policy, *, jitter: float = 0.0) -> Decision:
    """What follows from the answer to a try that ended at ``now``, with ``tries_made`` made before it (the first: 0).

    ``jitter`` from 0 to 1 takes up to a tenth off the policy's delay and never adds to it. A service's wish lengthens a
    delay, up to six hours. When the retries are used up the cause is ``gave_up`` and the detail starts with the last
    cause: "service_error: Bad Gateway" (see :func:`last_cause`).
    """
    if verdict.disposition is Disposition.DELIVERED:
        return Decision(status="delivered", detail=verdict.detail)
    cause = verdict.cause or _USUAL_CAUSE[verdict.disposition]
    if verdict.disposition is not Disposition.RETRY:
        return Decision(status="failed", cause=cause, detail=verdict.detail)
    delays = schedule(policy)
    if tries_made >= len(delays):
        detail = f"{cause.value}: {verdict.detail}".rstrip(": ")[:DETAIL_LIMIT]
        return Decision(status="failed", cause=Cause.GAVE_UP, detail=detail)
    delay = _delay(delays[max(tries_made, 0)], verdict.retry_after, jitter)
    return Decision(
        status="retrying", cause=cause, next_attempt_at=now + timedelta(seconds=delay), detail=verdict.detail
    )


def last_cause(detail: str) -> tuple[Cause | None, str]:
    """The two halves of a ``gave_up`` detail: the cause of the last try, and the words that came with it."""
    head, _, words = detail.partition(": ")
    try:
        return Cause(head), words
    except ValueError:
        return None, detail


def schedule(policy: Policy) -> tuple[float, ...]:
    """The delays in seconds, one for each retry. Raises ValueError for a name that is none."""
    if isinstance(policy, str):
        if policy not in SCHEDULES:
            raise ValueError(f"There is no retry schedule “{policy}”; there are {' and '.join(SCHEDULES)}.")
        return SCHEDULES[policy]
    return tuple(policy)


def max_tries(policy: Policy) -> int:
    """How often a delivery is sent at most, the first time included."""
    return len(schedule(policy)) + 1


def parse_policy(value: Any) -> str | tuple[float, ...]:
    """A name, or a list of seconds, as it may be stored. Raises ValueError that says what is wrong with it."""
    if isinstance(value, str):
        schedule(value)
        return value
    if not isinstance(value, list | tuple):
        raise ValueError(f"Retries are {' or '.join(map(repr, SCHEDULES))}, or a list of seconds.")
    if not 1 <= len(value) <= MAX_RETRIES:
        raise ValueError(f"The list has {len(value)} delays; from 1 to {MAX_RETRIES} are possible.")
    for place, seconds in enumerate(value, 1):
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            raise ValueError(f"Delay {place} is {seconds!r}, which is not a number of seconds.")
        if seconds < 0:
            raise ValueError(f"Delay {place} is {seconds:g} seconds; a delay can't be negative.")
        if seconds > MAX_DELAY:
            raise ValueError(f"Delay {place} is {seconds:g} seconds; the longest is 7 days ({MAX_DELAY} seconds).")
    return tuple(value)


def describe(policy: Policy) -> str:
    """The policy in words: "after 1, 2, 4, … and 64 minutes, then a last time within 6 hours (8 retries)"."""
    delays = schedule(policy)
    retries = "1 retry" if len(delays) == 1 else f"{len(delays)} retries"
    if tuple(delays) == SCHEDULES["standard"]:
        return f"after 1, 2, 4, 8, 16, 32 and 64 minutes, then a last time within 6 hours ({retries})"
    parts = [duration(seconds) for seconds in delays]
    if len(parts) > 10:
        parts = [*parts[:4], "…", parts[-1]]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    over = f" over {duration(sum(delays))}" if len(delays) > 1 else ""
    return f"after {text} ({retries}{over})"


def brief(policy: Policy) -> str:
    """The policy within a sentence: "1, 2, 4 … 64 minutes, last within 6 hours", or by its first and last delays."""
    delays = schedule(policy)
    if tuple(delays) == SCHEDULES["standard"]:
        return "1, 2, 4 … 64 minutes, last within 6 hours"
    parts = [duration(seconds) for seconds in delays]
    if len(parts) > 5:
        parts = [*parts[:3], "…", parts[-1]]
    return ", ".join(parts).replace(", …,", " …")


def duration(seconds: float) -> str:
    """A length of time in the one or two largest units that it fills: "75 hours 35 minutes", "5 seconds"."""
    if seconds < MINUTE:
        return _count(seconds, "second")
    whole = round(seconds)
    if whole < HOUR:
        large, small = divmod(whole, MINUTE)
        return _joined(_count(large, "minute"), small, "second")
    large, small = divmod(round(whole / MINUTE), MINUTE)
    return _joined(_count(large, "hour"), small, "minute")


def _count(number: float, unit: str) -> str:
    return f"{number:.3g} {unit}{'' if number == 1 else 's'}" if number < 1000 else f"{number:.0f} {unit}s"


def _joined(large: str, small: int, unit: str) -> str:
    return f"{large} {_count(small, unit)}" if small else large


def _delay(planned: float, wish: float | None, jitter: float) -> float:
    delay = planned * (1 - MAX_JITTER * min(max(jitter, 0.0), 1.0))
    if wish is not None and wish > delay:
        delay = max(delay, min(wish, MAX_WISH))
    return delay
