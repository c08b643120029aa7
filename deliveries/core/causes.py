"""What happened to a delivery, why, and what to do next, in plain sentences. Pure; the sentences are in cause_words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from string import ascii_letters
from typing import Any

from deliveries.core import cause_words as words
from deliveries.core.bidi import isolated
from deliveries.core.retry import last_cause
from deliveries.core.skipped_words import BY_DETAIL, by_start
from integrations.numbers import thousands
from integrations.types import Cause

SAID_LIMIT = 200
Clock = Callable[[datetime, datetime | None], str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Three plain texts; none is ever empty."""

    headline: str
    explanation: str
    what_to_do: str

    def of_a_test(self) -> Explanation:
        """The same where a test failed: it is no delivery, and is sent again rather than replayed."""
        todo = self.what_to_do.replace(f"send a test event, {words.REPLAY}", words.REPLAY)
        return replace(self, what_to_do=todo.replace(words.REPLAY, "then send the test event again."))

    def of_many(self) -> Explanation:
        """The same where it stands for all that failed alike."""
        said = replace(self, explanation=self.explanation.replace(words.NOT_ITS_FAULT, words.NOT_THEIR_FAULT))
        for one, many in (("Replay", "Replay what failed"), ("replay", "replay what failed")):
            said = replace(said, what_to_do=said.what_to_do.replace(f"{one} this delivery", many))
        return said


def in_utc(moment: datetime, now: datetime | None = None) -> str:
    """The clock where nobody's own is known."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """What is known of the delivery; everything may be unknown."""

    vendor: str = ""
    vendor_label: str = ""
    connector_name: str = ""
    event_name: str = ""
    detail: str = ""
    host: str = ""
    http_status: int | None = None
    duration_ms: int | None = None
    tries: int = 0
    max_tries: int = 0
    schedule: str = ""
    next_attempt_at: datetime | None = None
    now: datetime | None = None
    connector_on: bool = False
    sent_bytes: int = 0
    field: str = ""
    asked: str = ""
    last_at: datetime | None = None
    wish: float | None = None
    clock: Clock = in_utc


def explain(
    status: str,
    cause: str | Cause | None = None,
    *,
    vendor: str = "",
    vendor_label: str = "",
    connector_name: str = "",
    event_name: str = "",
    detail: str | None = "",
    host: str = "",
    http_status: int | None = None,
    duration_ms: int | None = None,
    tries: int = 0,
    max_tries: int = 0,
    schedule: str = "",
    next_attempt_at: datetime | None = None,
    now: datetime | None = None,
    connector_on: bool = False,
    sent_bytes: int = 0,
    field: str = "",
    asked: str = "",
    last_at: datetime | None = None,
    wish: float | None = None,
    clock: Clock = in_utc,
) -> Explanation:
    """The sentences for a status and cause of the delivery contract; unknown ones get the general sentences.

    ``vendor`` is the slug (guessed from ``vendor_label`` when missing). ``detail`` is the row's; ``http_status`` and
    ``duration_ms`` are the last try's. ``tries`` counts the requests made, ``max_tries`` the most there can be;
    ``schedule`` says when they are. ``now`` lets a time on another day name its date; ``connector_on``: it sends, so
    what is held was kept. ``sent_bytes``: the size of the last try's body, where known; ``field``: what of it the
    service's words name; ``asked``: what it asked for by name, such as a workflow; ``last_at``: when that try was;
    ``wish``: the seconds it asked us to wait. ``clock`` tells a time, and its day where that is not today's.
    """
    facts = _Facts(
        vendor=vendor or vendor_label.lower().replace(" ", "_"),
        vendor_label=vendor_label,
        connector_name=isolated(connector_name),
        event_name=isolated(event_name),
        detail=" ".join((detail or "").split()),
        host=host,
        http_status=http_status,
        duration_ms=duration_ms,
        tries=tries,
        max_tries=max_tries,
        schedule=schedule,
        next_attempt_at=next_attempt_at,
        now=now,
        connector_on=connector_on,
        sent_bytes=sent_bytes,
        field=field,
        asked=isolated(asked),
        last_at=last_at,
        wish=wish,
        clock=clock,
    )
    known = _cause(cause)
    headline, explanation, todo = _words(str(status), known, facts)
    values = _values(facts)
    if known is Cause.GAVE_UP:
        values["last"] = _last_try(facts)
    headline, explanation, todo = (_fill(text, values) for text in (headline, explanation, todo))
    return Explanation(_sentence(headline), explanation or _nothing_known(str(status), values), todo)


def _cause(value: str | Cause | None) -> Cause | None:
    try:
        return Cause(str(value)) if value else None
    except ValueError:
        return None


def _words(status: str, cause: Cause | None, facts: _Facts) -> words.Words:
    if status in words.STATUS:
        return _with_vendor(facts.vendor, status, words.STATUS[status])
    if status == "held" and facts.connector_on:
        return words.HELD_KEPT
    if status == "held":
        return words.HELD.get(cause, words.HELD_OTHERWISE) if cause else words.HELD_OTHERWISE
    if status == "skipped" and (said := by_start(BY_DETAIL, facts.detail)):
        return said
    if status == "skipped":
        return words.SKIPPED.get(cause, words.SKIPPED_OTHERWISE) if cause else words.SKIPPED_OTHERWISE
    found = words.FAILED_OTHERWISE
    if cause is not None:
        found = _before_sending(cause, facts) or _refused(cause, facts)
    if status != "retrying":
        return found
    explanation = found[1].replace("We do not try again by ourselves.", "")
    todo = words.RETRYING.get(cause, words.RETRYING_OTHERWISE) if cause else words.RETRYING_OTHERWISE
    return found[0], f"{explanation} {{progress}}", todo


def _refused(cause: Cause, facts: _Facts) -> words.Words:
    if cause is Cause.DATA_REFUSED and facts.field:
        return _with_vendor(facts.vendor, "field_refused", words.FIELD_REFUSED)
    if cause is Cause.NOT_FOUND and facts.asked:
        return _with_vendor(facts.vendor, "asked_not_found", words.FAILED[cause])
    return _with_vendor(facts.vendor, cause, words.FAILED[cause])


def _with_vendor(vendor: str, key: str, general: words.Words) -> words.Words:
    special = words.VENDORS.get((vendor, key), ("", "", ""))
    return special[0] or general[0], special[1] or general[1], special[2] or general[2]


def _before_sending(cause: Cause, facts: _Facts) -> words.Words | None:
    """Data or size refused by ourselves before anything was sent: there is no answer to speak of."""
    if facts.http_status is not None or facts.tries or not facts.detail:
        return None
    if cause not in (Cause.DATA_REFUSED, Cause.TOO_LARGE):
        return None
    _, _, todo = words.FAILED[cause]
    return "Not sent: {whom} would not accept this event.", "{own} So nothing was sent.", todo


def _values(facts: _Facts) -> dict[str, str]:
    label = facts.vendor_label
    connector = f"the connector “{facts.connector_name}”" if facts.connector_name else "the connector"
    return {
        "who": label or "The service",
        "whom": label or "the service",
        "key": words.KEYS.get(facts.vendor, "API key" if label else "key"),
        "connector": connector,
        "connector_start": _capital(connector),
        "event": f"“{facts.event_name}”" if facts.event_name else "this event",
        "Event": f"“{facts.event_name}”" if facts.event_name else "This event",
        "host": facts.host or "the address",
        "answered": _answered(facts),
        "says": _says(facts),
        "size": f"We sent {thousands(-(-facts.sent_bytes // 1024))} kB." if facts.sent_bytes else "",
        "wish": f"It asks us to wait {thousands(math.ceil(facts.wish))} s." if facts.wish else "",
        "field": facts.field,
        "asked": facts.asked,
        "own": _sentence(_capital(facts.detail)),
        "bare": _bare(facts.detail) or "a field that the service needs is missing",
        "elsewhere": f"It points to {facts.detail}." if facts.detail else "",
        "progress": _progress(facts),
        "tries": f"after {facts.tries} {'try' if facts.tries == 1 else 'tries'}" if facts.tries else "trying",
        "last": "",
    }


def _answered(facts: _Facts) -> str:
    if facts.http_status is None:
        return ""
    took = "" if facts.duration_ms is None else f" in {thousands(facts.duration_ms)} ms"
    return f"{facts.vendor_label or 'The service'} answered {facts.http_status}{took}."


def _says(facts: _Facts) -> str:
    """The service's words in quotes; ours as they are: they name the service, or stand where no answer came."""
    detail = facts.detail
    if not detail:
        return ""
    if facts.http_status is None or (facts.vendor_label and detail.startswith(facts.vendor_label)):
        return _sentence(_capital(detail))
    cut = detail if len(detail) <= SAID_LIMIT else detail[: SAID_LIMIT - 1] + "…"
    return f"It says: “{cut.removesuffix('.')}”."


def _progress(facts: _Facts) -> str:
    made = f"Try {facts.tries} of {facts.max_tries} is done" if facts.tries and facts.max_tries else ""
    made = f"{_plan(facts)}{made}"
    if facts.next_attempt_at is None:
        return f"{made}; the next one follows by itself." if made else "The next try follows by itself."
    when = facts.clock(facts.next_attempt_at, facts.now)
    return f"{made}; the next one is at {when}." if made else f"The next try is at {when}."


def _plan(facts: _Facts) -> str:
    return f"We keep trying: {facts.schedule}. " if facts.schedule else ""


def _last_try(facts: _Facts) -> str:
    cause, said = last_cause(facts.detail)
    values = _values(replace(facts, detail=said))
    if cause is None or cause is Cause.GAVE_UP:
        return _fill("{answered} {says}", values)
    headline, explanation, _ = _with_vendor(facts.vendor, cause, words.FAILED[cause])
    when = f", at {facts.clock(facts.last_at, facts.now)}" if facts.last_at else ""
    return _fill(f"The last time{when}: {headline} {explanation}", values)


def _nothing_known(status: str, values: Mapping[str, str]) -> str:
    if status == "delivered":
        return _fill("{who} has {event}.", values)
    return _fill("Nothing more is known about it.", values)


def _fill(template: str, values: Mapping[str, Any]) -> str:
    """The values go in once: what a service says can hold braces and is not looked at again."""
    return " ".join(template.format_map(values).split())


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?…" or text.endswith((".”", "!”", "?”")) else f"{text}."


def _bare(detail: str) -> str:
    """The detail as the end of a sentence: "this event has no userId"."""
    return "this " + detail[5:].rstrip(".") if detail.startswith("This ") else detail.rstrip(".")


def _capital(text: str) -> str:
    """The first letter capital, unless the text starts with a name such as userId or a host."""
    first = text.split(" ", 1)[0]
    plain = first.rstrip(",:;").strip(ascii_letters) == "" and first.islower()
    return text[:1].upper() + text[1:] if plain else text
