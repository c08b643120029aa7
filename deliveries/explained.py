"""A delivery's sentences: the row and its last try, put to ``deliveries.core.causes``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import orjson

from deliveries import hold, since
from deliveries.alarm import Problem
from deliveries.core import causes, problem_words, retry
from deliveries.core.cause_words import STOPPED_FOR_KEY
from deliveries.core.named_field import asked_for, named_field
from deliveries.models import Attempt, Delivery, Status
from integrations import clock, registry
from integrations.models import Connector
from integrations.types import Cause
from integrations.verdicts import retry_after


def sentences(delivery: Delivery, tries: Sequence[Attempt], now: datetime) -> causes.Explanation:
    """Headline, explanation and what to do. ``tries`` are the delivery's attempts, oldest first."""
    last = tries[-1] if tries else None
    vendor = registry.get(delivery.connector.vendor)
    said = causes.explain(
        delivery.status,
        _cause_of(delivery),
        vendor=delivery.connector.vendor,
        vendor_label=vendor.label if vendor else delivery.connector.vendor,
        connector_name=delivery.connector.name,
        event_name=delivery.event.name or delivery.event.type,
        detail=delivery.detail,
        host=host_of(last),
        http_status=last.response_status if last else None,
        duration_ms=last.duration_ms if last else None,
        tries=delivery.attempts,
        max_tries=most_tries(delivery.connector.retry),
        schedule=schedule(delivery.connector.retry),
        next_attempt_at=delivery.next_attempt_at if delivery.open else None,
        now=now,
        sent_bytes=_bytes_of(last),
        field=named_field(delivery.detail, last.request_body) if last and last.response_status else "",
        asked=asked_for(vendor.asks_for, last.request_body) if last and vendor else "",
        last_at=last.started_at if last else None,
        wish=_wish_of(last),
        clock=clock.short,
        connector_on=delivery.connector.status == Connector.Status.ACTIVE,
    )
    if whose := since.words(delivery, now):
        said = replace(said, explanation=f"{said.explanation} {whose}")
    return said


def _cause_of(delivery: Delivery) -> str:
    """Held because the connector stopped by itself: resuming it as it is would help nobody."""
    row = delivery.connector
    if delivery.status != Status.HELD or row.status != Connector.Status.PAUSED or row.status_by != hold.SERVER:
        return delivery.cause
    return Cause.KEY_REFUSED if row.status_reason.startswith(STOPPED_FOR_KEY) else Cause.NOT_FOUND


def of_problem(problem: Problem, now: datetime) -> causes.Explanation:
    """What is wrong, why and what to do: in the words of its kind, else as of the delivery it was opened for."""
    sample, connector = problem.sample, problem.connector
    if sample is not None and connector is not None:
        sample.connector = connector
        return sentences(sample, list(sample.log.all()), now).of_many()
    if said := problem_words.of(problem.kind, problem.opened_at, clock.say):
        return said
    slug = connector.vendor if connector else ""
    vendor = registry.get(slug)
    name = connector.name if connector else ""
    label = vendor.label if vendor else slug
    # That delivery is gone, as its time was over.
    return causes.explain("failed", problem.cause, vendor=slug, vendor_label=label, connector_name=name).of_many()


def most_tries(policy: str | list[float]) -> int:
    """The first try and all the retries of a schedule; 0 for one that is not known."""
    try:
        return retry.max_tries(retry.parse_policy(policy))
    except ValueError:
        return 0


def schedule(policy: str | list[float]) -> str:
    """When the retries are, in a few words; "" for a schedule that is not known."""
    try:
        return retry.brief(retry.parse_policy(policy))
    except ValueError:
        return ""


def _bytes_of(attempt: Attempt | None) -> int:
    """How much the try sent, where that was written down: when it was too much."""
    try:
        found = orjson.loads(attempt.request).get("bytes") if attempt else 0
    except (ValueError, AttributeError):
        return 0
    return found if isinstance(found, int) else 0


def _wish_of(attempt: Attempt | None) -> float | None:
    """For how many seconds the service asked us to stay away, if it did."""
    try:
        headers = orjson.loads(attempt.response).get("headers") if attempt else None
        found = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    except (ValueError, AttributeError):
        return None
    return retry_after(found.get("retry-after", ""), attempt.started_at if attempt else None)


def host_of(attempt: Attempt | None) -> str:
    """Where the try went; "" when that can't be told."""
    if attempt is None:
        return ""
    try:
        return urlsplit(orjson.loads(attempt.request).get("url", "")).hostname or ""
    except (ValueError, AttributeError):
        return ""
