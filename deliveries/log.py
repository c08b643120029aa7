"""The log: filters → querysets. The management API, the console and replays ask in the same words.

A filter set is a mapping of names to texts, as they stand in a query string. Missing and empty values filter nothing;
a value that makes no sense raises ValueError with words that begin with the filter's name. ``since`` is inclusive,
``until`` is not. Pages go by id, newest first, and never count: a count of a million rows costs more than the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar

from django.db.models import BooleanField, F, Func, Model, OuterRef, Q, QuerySet

from deliveries.models import Attempt, Delivery, Event, Status
from integrations.models import Connector, Source
from integrations.types import Cause, EventKind

DELIVERY_FILTERS = (
    "status",
    "cause",
    "answer",
    "connector",
    "event",
    "user_id",
    "email",
    "message_id",
    "replay",
    "since",
    "until",
)
EVENT_FILTERS = ("source", "type", "name", "user_id", "email", "message_id", "since", "until")
DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_ID = 2**63 - 1
# Decrypting them for every row is half of a page.
SECRETS = ("connector__secrets", "connector__settings", "connector__old_secrets", "event__source__signing_secret")
# The statuses of the partial indexes "delivery_unusual" and "delivery_due", in their own order.
UNUSUAL = (Status.FAILED, Status.RETRYING, Status.HELD, Status.SKIPPED)
OPEN = (Status.WAITING, Status.RETRYING, Status.SENDING)

Row = TypeVar("Row", bound=Model)
Filters = Mapping[str, Any]


class BadValue(ValueError):
    """A value somebody gave makes no sense; the words begin with its name and are for them."""


class Among(Func):
    """``status IN (…)`` in literals: SQLite uses a partial index only where the query repeats its condition."""

    output_field = BooleanField()

    def __init__(self, statuses: Iterable[str], **extra: Any) -> None:
        words = ", ".join(f"'{Status(status).value}'" for status in statuses)
        super().__init__(F("status"), template=f"%(expressions)s IN ({words})", **extra)


def deliveries(filters: Filters) -> QuerySet[Delivery]:
    """The deliveries that match, with their event, its source and their connector; unordered."""
    wanted = _known(filters, DELIVERY_FILTERS)
    rows = Delivery.objects.select_related("event__source", "connector").defer(*SECRETS)
    rows = _by_state(rows, wanted.get("status", ""), wanted.get("cause", ""))
    if value := wanted.get("connector"):
        rows = rows.filter(connector_id=named(Connector, value, "connector"))
    if value := wanted.get("event"):
        rows = rows.filter(_of_event(value))
    if value := wanted.get("user_id"):
        rows = rows.filter(event_id__in=_of_person(value).values("id"))
    if value := wanted.get("email"):
        rows = rows.filter(event_id__in=of_email(value).values("id"))
    if value := wanted.get("message_id"):
        rows = rows.filter(event_id__in=Event.objects.filter(message_id=value).values("id"))
    if value := wanted.get("replay"):
        rows = rows.filter(replay_id=identifier(value, "replay"))
    if value := wanted.get("answer"):
        rows = rows.filter(id__in=_answered(value))
    return _between(rows, "created_at", wanted)


def newest_of(connector_id: int | OuterRef) -> QuerySet[Delivery]:
    """One connector's deliveries, newest first, by the index of just that. Asked with "=", PostgreSQL rather walks all
    deliveries backwards until it has met enough of this connector's: seconds, where it has few."""
    mine = Delivery.objects.filter(connector_id__gte=connector_id, connector_id__lte=connector_id)
    return mine.order_by("-connector_id", "-id")


def events(filters: Filters) -> QuerySet[Event]:
    """The events that match, with their source; unordered. Those refused at the door are among them."""
    wanted = _known(filters, EVENT_FILTERS)
    rows = Event.objects.select_related("source").defer("source__signing_secret")
    if value := wanted.get("user_id"):
        rows = rows.filter(_is_person(value))
    if value := wanted.get("email"):
        rows = rows.filter(_has_email(value))
    if value := wanted.get("source"):
        rows = rows.filter(source_id=named(Source, value, "source"))
    if value := wanted.get("type"):
        rows = rows.filter(type__in=_choices(value, [kind.value for kind in EventKind], "type"))
    if value := wanted.get("name"):
        rows = rows.filter(name=value)
    if value := wanted.get("message_id"):
        rows = rows.filter(message_id=value)
    return _between(rows, "received_at", wanted)


def page(rows: QuerySet[Row], cursor: Any = None, limit: Any = None) -> tuple[list[Row], str | None]:
    """One page, newest first, and the cursor of the next one, None at the end. Raises ValueError for a bad cursor."""
    size = parse_limit(limit)
    if cursor is not None and cursor != "":
        rows = rows.filter(id__lt=identifier(cursor, "cursor"))
    # The ids first: what is sorted is then narrow, and the joins are made for one page only.
    ids = list(rows.order_by("-id").values_list("id", flat=True)[: size + 1])
    found = rows.model._default_manager.filter(id__in=ids[:size]).order_by("-id")
    found.query.select_related = rows.query.select_related
    found.query.deferred_loading = rows.query.deferred_loading
    return list(found), str(ids[size - 1]) if len(ids) > size else None


def parse_limit(value: Any) -> int:
    """The page size: 50 unless told, at most 500."""
    if value is None or value == "":
        return DEFAULT_LIMIT
    size = identifier(value, "limit")
    return min(size, MAX_LIMIT)


def identifier(value: Any, name: str) -> int:
    """A row's id, from a text or a number. Raises ValueError with the filter's name."""
    text = str(value)
    if isinstance(value, bool) or not (
        text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= MAX_ID
    ):
        raise BadValue(f"{name}: “{text[:50]}” is not a whole number above 0.")
    return int(text)


def named(model: type[Connector] | type[Source], value: str, name: str) -> int:
    """The id of the connector or source that ``value`` is the id or the name of. Raises ValueError if there is none."""
    matches = Q(name=value)
    if value.isascii() and value.isdigit() and len(value) <= 18:
        matches |= Q(id=int(value))
    found = dict(model.objects.filter(matches).values_list("id", "name"))
    if not found:
        raise BadValue(f"{name}: there is none with the id or name “{value[:100]}”.")
    by_id = [key for key in found if str(key) == value]
    return (by_id or list(found))[0]


def parse_time(value: Any, name: str, zone: tzinfo = UTC, *, fold: int = 0) -> datetime:
    """An ISO 8601 time, or a day; without an offset it is in ``zone``, and of two such times, where its clocks go back,
    ``fold`` says which. Raises ValueError with the filter's name."""
    text = str(value).strip()
    if len(text) > 6 and text[-6] == " " and text[-3] == ":":
        text = f"{text[:-6]}+{text[-5:]}"  # a plus sign that nobody escaped in the query string
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=zone, fold=fold) if moment.tzinfo is None else moment
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue(f"{name}: “{text[:50]}” is not a time such as 2025-11-22T09:10:00Z.") from None


def parse_day(value: Any, name: str) -> date:
    """An ISO 8601 day. Raises ValueError with the filter's name."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        raise BadValue(f"{name}: “{str(value)[:50]}” is not a day such as 2025-11-22.") from None
    if not 1970 <= day.year <= 9998:
        raise BadValue(f"{name}: {day} is outside the years that can be asked for.")
    return day


def clean(filters: Filters, allowed: Iterable[str] = DELIVERY_FILTERS) -> dict[str, str]:
    """The filters as texts, without empty ones; lists are joined by commas. Raises ValueError for an unknown name."""
    return _known(filters, allowed)


def statuses_of(filters: Filters) -> list[str]:
    """The statuses a filter set names; none when it does not say."""
    value = _known(filters, DELIVERY_FILTERS).get("status", "")
    return _choices(value, Status.values, "status") if value else []


def _known(filters: Filters, allowed: Iterable[str]) -> dict[str, str]:
    allowed = tuple(allowed)
    wanted = {}
    for name, value in filters.items():
        if name not in allowed:
            raise BadValue(f"{str(name)[:50]}: there is no such filter; there are {', '.join(allowed)}.")
        if text := _text(value, name):
            wanted[name] = text.lower() if name == "email" else text
    return wanted


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(filter(None, (_text(item, name) for item in value)))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadValue(f"{name}: a text was expected.")
    text = str(value).strip() if name != "event" and name != "name" else str(value)
    if "\x00" in text or not _encodable(text):
        raise BadValue(f"{name}: there are characters in it that no text has.")
    return text


def _encodable(text: str) -> bool:
    """Whether it is Unicode text: JSON may carry halves of surrogate pairs, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _choices(value: str, allowed: Iterable[str], name: str) -> list[str]:
    allowed = list(allowed)
    chosen = list(dict.fromkeys(filter(None, (part.strip() for part in value.split(",")))))
    for part in chosen:
        if part not in allowed:
            raise BadValue(f"{name}: “{part[:50]}” is not one of {', '.join(allowed)}.")
    return chosen


def _by_state(rows: QuerySet[Delivery], status: str, cause: str) -> QuerySet[Delivery]:
    """Only unusual deliveries have a cause, so that a cause alone is looked for among those."""
    statuses = _choices(status, Status.values, "status") if status else []
    if cause:
        rows = rows.filter(cause__in=_choices(cause, [item.value for item in Cause], "cause"))
        statuses = statuses or list(UNUSUAL)
    if not statuses:
        return rows
    rows = rows.filter(status=statuses[0]) if len(statuses) == 1 else rows.filter(status__in=statuses)
    for condition in (UNUSUAL, OPEN):
        if set(statuses) <= set(condition):
            return rows.filter(Among(condition))
    return rows


def _answered(value: str) -> QuerySet[Attempt, Any]:
    """The deliveries that were given one of these answers at any try. From 300 on there is an index of just those."""
    codes = [identifier(part.strip(), "answer") for part in value.split(",")]
    if any(not 100 <= code <= 599 for code in codes):
        raise BadValue(f"answer: “{value[:50]}” is not a number such as 401, from 100 to 599.")
    tries = Attempt.objects.filter(response_status__in=codes)
    return (tries.filter(response_status__gte=300) if min(codes) >= 300 else tries).values("delivery_id")


def _is_person(value: str) -> Q:
    """By user id or by anonymous id: each side has an index of just that, and repeats its condition."""
    return (Q(user_id=value) & ~Q(user_id="")) | (Q(anonymous_id=value) & ~Q(anonymous_id=""))


def _of_event(value: str) -> Q:
    """By the event's id, or by its name; nameless events go by their type. As with connectors, an id comes first."""
    if value.isascii() and value.isdigit() and len(value) <= 18:
        one = Q(event_id=int(value))
        if Delivery.objects.filter(one).exists():
            return one
    return Q(event__name=value) | Q(event__name="", event__type=value)


def _of_person(value: str) -> QuerySet[Event]:
    return Event.objects.filter(_is_person(value))


def of_email(value: str) -> QuerySet[Event]:
    """The events with this e-mail address: in the usual places, or as the person's id."""
    return Event.objects.filter(_has_email(value))


def _has_email(value: str) -> Q:
    return (Q(email=value.lower()) & ~Q(email="")) | _is_person(value)


def _between(rows: QuerySet[Row], field: str, wanted: Mapping[str, str]) -> QuerySet[Row]:
    bounds: tuple[tuple[str, Callable[[Any, str], datetime], str], ...] = (
        ("since", parse_time, f"{field}__gte"),
        ("until", parse_time, f"{field}__lt"),
    )
    for name, parse, lookup in bounds:
        if value := wanted.get(name):
            rows = rows.filter(**{lookup: parse(value, name)})
    return rows
