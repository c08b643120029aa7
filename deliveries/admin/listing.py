"""Long lists: pages by id, newer and older, without ever counting; filters as they stand in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils import timezone

from deliveries import log
from deliveries.models import Event

PAGE = 25
RANGES = {
    "1h": ("Last hour", 1),
    "24h": ("Last 24 hours", 24),
    "7d": ("Last 7 days", 168),
    "30d": ("Last 30 days", 720),
}
SEARCHED_NAMES = 500
KNOWN = frozenset(HTTPStatus)
# From one code to the next one that there is: a look-up in the index for each, however many tries have it.
ANSWERS = """
    WITH RECURSIVE codes(code) AS (
        SELECT min(response_status) FROM deliveries_attempt WHERE response_status >= 300
        UNION ALL
        SELECT (SELECT min(response_status) FROM deliveries_attempt
                WHERE response_status >= 300 AND response_status > code) FROM codes WHERE code IS NOT NULL
    ) SELECT code FROM codes WHERE code IS NOT NULL
"""


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first. ``newer`` and ``older`` are ids to go on from, None at an end."""

    rows: list[Any]
    newer: int | None
    older: int | None


def page(rows: QuerySet[Any], params: Mapping[str, str], size: int = PAGE) -> Page:
    """The page that ``before`` or ``after`` in the address asks for; the newest one without either.

    Raises ValueError for an id that is none.
    """
    if after := params.get("after"):
        found = _found(rows.filter(id__gt=log.identifier(after, "after")), "id", size + 1)
        more, shown = len(found) > size, found[:size][::-1]
        return Page(shown, _id(shown[0]) if more else None, _id(shown[-1]) if shown else None)
    before = params.get("before")
    if before:
        rows = rows.filter(id__lt=log.identifier(before, "before"))
    found = _found(rows, "-id", size + 1)
    shown = found[:size]
    return Page(shown, _id(shown[0]) if before and shown else None, _id(shown[-1]) if len(found) > size else None)


def _found(rows: QuerySet[Any], order: str, most: int) -> list[Any]:
    """The ids first: what is sorted is then narrow, and the joins are made for one page only."""
    ids = list(rows.order_by(order).values_list("id", flat=True)[:most])
    return list(rows.filter(id__in=ids).order_by(order)) if ids else []


def _id(row: Model) -> int:
    return int(row.pk)


def is_id(text: str) -> bool:
    """Whether it can be a row's id: digits, and few enough for a database."""
    return text.isascii() and text.isdigit() and len(text) < 19


def time_filter(params: Mapping[str, str], now: datetime) -> dict[str, str]:
    """``since`` and ``until`` from the address: a range by its name, or two times."""
    if chosen := RANGES.get(params.get("range", "")):
        return {"since": (now - timedelta(hours=chosen[1])).isoformat()}
    return {name: _moment(params[name], last=name == "until") for name in ("since", "until") if params.get(name)}


def _moment(text: str, *, last: bool) -> str:
    """What was typed, by the reader's clock, as the log takes it. Of a time that there is twice, when clocks go back,
    the one that makes the range wider."""
    try:
        zone = timezone.get_current_timezone()
        return log.parse_time(text, "Between", zone, fold=int(last)).isoformat()
    except log.BadValue:
        raise log.BadValue(f"Between: “{text[:50]}” is not a date and time such as 2026-11-22 09:10.") from None


def search_filter(text: str, *, sees_people: bool) -> dict[str, str]:
    """What a person typed into the search box: a message id if there is such an event, else an e-mail address, else a
    person's id. Raises ValueError for what is no text, and for an address where a role may not see whose events these
    are."""
    wanted = log.clean({"message_id": text})
    if not wanted or Event.objects.filter(message_id=wanted["message_id"][:255]).exists():
        return wanted
    if "@" in wanted["message_id"]:
        if not sees_people:
            raise log.BadValue(
                "Your role sees no personal data, so it cannot look for an address. Nothing was searched."
            )
        return {"email": wanted["message_id"]}
    return {"user_id": wanted["message_id"]}


def answers() -> list[tuple[str, str]]:
    """The answers other than yes that stand in the log, for its filter: (code, code with its usual words)."""
    found: list[int] | None = cache.get("answers")
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(ANSWERS)
            found = [code for (code,) in cursor.fetchall()]
        cache.set("answers", found, 30)
    return [(str(code), f"{code} {HTTPStatus(code).phrase}" if code in KNOWN else str(code)) for code in found]


def recent_names() -> list[str]:
    """The event names among the newest events: what a person most likely filters by."""
    found: list[str] | None = cache.get("recent-names")
    if found is None:
        newest = Event.objects.order_by("-id").values_list("name", "type")[:SEARCHED_NAMES]
        found = sorted({name or kind for name, kind in newest}, key=str.lower)
        cache.set("recent-names", found, 15)
    return found
