"""Anything at all as an event, a filter, a mapping, an answer: made by hypothesis, the same ones every time.

Whatever it is, there is a verdict in words, and no exception.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliveries.core import retry
from deliveries.core.documents import load
from deliveries.core.normalise import envelope, normalise
from deliveries.engine.claim import Claimed
from deliveries.engine.perform import Result, Target, perform
from integrations import filters, registry, verdicts
from integrations.fql import FqlError, compile_condition
from integrations.types import (
    Cause,
    ConnectorConfig,
    Disposition,
    EventRule,
    FilterRule,
    NotSent,
    OutgoingRequest,
    Response,
    Verdict,
)
from tests import hostile
from tests.vendors.cases import config_of

NOW = datetime(2025, 11, 22, 9, 0, tzinfo=UTC)
VENDORS = sorted(slug for slug, vendor in registry.vendors().items() if vendor.sends)
PATHS = (
    "properties.email",
    "traits.email",
    "context.traits.phone",
    "email",
    "userId",
    "a",
    "",
    ".",
    "a..b",
    "\\",
    "a\\.b",
)
FIELDS = (
    "type",
    "event",
    "userId",
    "messageId",
    "properties",
    "properties.a",
    "context.ip",
    "traits.b",
    "",
    "a..b",
    "\0",
)
few = settings(max_examples=60)

names = st.sampled_from(["Order Completed", "e", ""]) | hostile.texts
bodies = st.dictionaries(
    st.sampled_from(["email", "phone", "language", "name", "a", "b"]) | hostile.texts, hostile.values
)
payloads = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "delete"]), "userId": names},
    optional={"event": names, "name": names, "properties": bodies, "traits": bodies, "context": bodies,
              "anonymousId": hostile.values, "groupId": hostile.values, "previousId": hostile.values,
              "integrations": hostile.values, "timestamp": hostile.values, "messageId": hostile.values},
)  # fmt: skip
words = st.sampled_from(
    ["type", "event", "properties.plan", "a.b", "'track'", '"x"', "1", "-2.5", "true", "null", "and", "or", "!", "=",
     "!=", "<", ">=", "in", "[", "]", "(", ")", ",", "length(event)", "match(event, '*')", "contains(a, 'b')", "all"]
)  # fmt: skip
conditions = st.lists(words, max_size=9).map(" ".join) | hostile.texts
rules = st.builds(
    FilterRule,
    condition=conditions,
    action=st.sampled_from([*filters.ORDER, "other", ""]),
    percent=st.floats() | st.sampled_from([0, 1, 0.5, -1, 2]),
    path=st.sampled_from(FIELDS),
    fields=st.dictionaries(
        st.sampled_from(FIELDS), st.lists(st.sampled_from(FIELDS), max_size=3).map(tuple), max_size=2
    ),
)
lines = st.builds(
    EventRule, kind=st.sampled_from(["", "track", "identify"]), name=names, send=st.booleans(), send_as=names
)
mappings = st.dictionaries(
    hostile.texts | st.sampled_from(["email", "sms", "slack"]), st.sampled_from(PATHS), max_size=3
)


def stored(payload: dict[str, Any]) -> str:
    """As the front door stores it; "" where it refuses it."""
    incoming = normalise(json.loads(json.dumps(payload)), envelope(NOW, {}), payload["type"])
    return "" if incoming.refused else incoming.body


def holds(condition: str, event: dict[str, Any]) -> bool | None:
    """None: it can't be told."""
    try:
        return condition.strip() == filters.ALL or compile_condition(condition)(event)
    except FqlError:
        return None


def applied(rule: FilterRule, event: dict[str, Any]) -> dict[str, Any] | NotSent:
    try:
        return filters.apply((rule,), event)
    except NotSent as refusal:
        return refusal


@settings(max_examples=400)
@given(payload=payloads, rule=rules)
def test_a_filter_that_cannot_be_told_leaves_the_event_out(payload: Any, rule: FilterRule) -> None:
    """Nor one with a mistake in what it would do. Where its condition does not hold, such a mistake hurts nobody."""
    body = stored(payload)
    if not body:
        return
    event = load(body)
    before = json.dumps(event)
    found = applied(rule, event)
    assert json.dumps(event) == before
    told = holds(rule.condition, event)
    if told is None or rule.action not in filters.ORDER or (told and filters.rule_problems(rule)):
        assert isinstance(found, NotSent)
    if isinstance(found, NotSent):
        assert (found.cause, found.detail != "") == (Cause.FILTERED, True)
    else:
        assert (found["type"], found["messageId"]) == (event["type"], event["messageId"])


class Answering:
    """A service that answers whatever it is told to."""

    def __init__(self, response: Response) -> None:
        self.response = response

    def send(self, request: OutgoingRequest, *, hosts: tuple[str, ...] = ()) -> Response:
        request.content()
        return self.response


def sent(payloads: list[Any], config: ConnectorConfig, response: Response) -> list[Result]:
    vendor = registry.get(config.vendor)
    assert vendor is not None
    bodies = [body for payload in payloads if (body := stored(payload))]
    chunk = [Claimed(at, 1, 0, NOW, 0, False, None, "segment", body) for at, body in enumerate(bodies)]
    results = perform(chunk, Target(config, vendor, ()), Answering(response), lambda: NOW)
    assert sorted(result.claimed.id for result in results) == [row.id for row in chunk]
    return results


headers = st.dictionaries(
    st.sampled_from(["retry-after", "location", "content-type", "x-a"]),
    st.text(max_size=20) | st.sampled_from(["30", "-1", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT", "NaN", "1e9", "²"]),
)
responses = st.builds(
    Response,
    status=st.integers(100, 599) | st.sampled_from([200, 201, 202, 207, 400, 401, 429, 503]),
    headers=headers,
    body=st.binary(max_size=40) | hostile.values.map(hostile.dumped),
)


@pytest.mark.parametrize("slug", VENDORS)
@few
@given(batch=st.lists(payloads, min_size=1, max_size=3), table=st.lists(lines, max_size=3), how=mappings, prefix=names)
def test_any_event_through_any_mapping_becomes_a_request_or_words(
    slug: str, batch: Any, table: list[EventRule], how: dict[str, str], prefix: str
) -> None:
    vendor = registry.get(slug)
    assert vendor is not None
    config = config_of(vendor, rules=tuple(table), channels=how, preferences=how, prefix=prefix[:50])
    for result in sent(batch, config, Response(status=200, body=b'{"success": true}')):
        refusal = result.not_sent
        assert refusal is None or refusal.cause is not Cause.INTERNAL, refusal
        assert (result.verdict is None) == (result.call is None) == (refusal is not None)


@pytest.mark.parametrize("slug", VENDORS)
@few
@given(batch=st.lists(payloads, min_size=1, max_size=3), response=responses)
def test_any_answer_gets_a_verdict_and_a_bounded_wait(slug: str, batch: Any, response: Response) -> None:
    vendor = registry.get(slug)
    assert vendor is not None
    for result in sent(batch, config_of(vendor), response):
        if result.verdict is not None:
            decision = retry.decide(result.verdict, 0, NOW, "standard")
            assert decision.status in ("delivered", "failed", "retrying")
            if decision.next_attempt_at is not None:
                assert timedelta(seconds=54) <= decision.next_attempt_at - NOW <= timedelta(hours=6)


dates = st.datetimes(timezones=st.just(UTC)).map(lambda moment: format_datetime(moment, usegmt=True))
odd_dates = st.from_regex(
    r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d{1,2}:\d{2}:\d{2} [+-]?[A-Z0-9]{0,5}", fullmatch=True
)


@settings(max_examples=400)
@given(value=st.text(max_size=40) | st.integers().map(str) | st.floats().map(str) | dates | odd_dates)
def test_any_retry_after_is_bounded(value: str) -> None:
    wish = verdicts.retry_after(value, NOW)
    assert wish is None or (math.isfinite(wish) and wish >= 0)
    verdict = Verdict(disposition=Disposition.RETRY, cause=Cause.SLOW_DOWN, retry_after=wish)
    due = retry.decide(verdict, 0, NOW, [1]).next_attempt_at
    assert due is not None
    assert timedelta(seconds=0.9) <= due - NOW <= timedelta(hours=6)
