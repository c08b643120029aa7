"""Times as the reader's own clock shows them.

While the console answers there is a zone in force: the reader's, where their browser has told it, else the
installation's (``config.zone``). Where nobody reads (the API, exports, commands) it is UTC. A full time always names
its zone, a short one names it unless it is the reader's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

PLACES = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
_own: ContextVar[bool] = ContextVar("the zone is the reader's own", default=False)


@contextmanager
def told_in(zone: tzinfo, *, own: bool = False) -> Iterator[None]:
    """Tell times in this zone; ``own``: it is known to be the reader's."""
    before = _own.set(own)
    try:
        with timezone.override(zone):
            yield
    finally:
        _own.reset(before)


def zone_called(name: str) -> ZoneInfo | None:
    """The zone of this name, None where there is none: a name may be anything that a browser, or somebody, sent."""
    return ZoneInfo(name) if name in _names() else None


@cache
def _names() -> frozenset[str]:
    """Asked for once: all files of zones are looked at for it."""
    return frozenset(available_timezones())


def offered() -> list[tuple[str, str]]:
    """The zones to choose from, by the places they are named after: the others are older names of the same."""
    names = sorted(name for name in _names() if name.split("/")[0] in PLACES and "/" in name)
    return [(name, name.replace("_", " ")) for name in ("UTC", *names)]


def say(moment: datetime, form: str) -> str:
    """The time in this form of ``strftime``, and its zone where it is not the reader's own."""
    local = _local(moment)
    return f"{local:{form}}" if _own.get() else f"{local:{form}} {_called(local)}"


def full(moment: datetime) -> str:
    """ "28 Nov 2026 21:49:31 CET"."""
    local = _local(moment)
    return f"{local:%d %b %Y %H:%M:%S} {_called(local)}"


def short(moment: datetime, now: datetime | None = None) -> str:
    """ "14:32", with the date where ``now`` is given and on another day."""
    text, local = say(moment, "%H:%M"), _local(moment)
    if now is not None and local.date() != _local(now).date():
        text += f" on {local.day} {local:%B}"
    return text


def typed(text: str) -> str:
    """What a date-and-time field is to hold for a time that stands in an address, in whatever zone; "" for none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        local = moment if moment.tzinfo is None else _local(moment)
    except (ValueError, OverflowError):
        return ""
    return f"{local:%Y-%m-%dT%H:%M}" if local.year >= 1000 else ""


def note() -> str:
    """The zone's name where the reader has to be told it, "" where it is their own."""
    return "" if _own.get() else timezone.get_current_timezone_name()


def whose() -> str:
    """By what texts with times in them are kept apart: the zone, and whether it is named."""
    return f"{timezone.get_current_timezone_name()}:{int(_own.get())}"


def _local(moment: datetime) -> datetime:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment.astimezone(timezone.get_current_timezone())


def _called(local: datetime) -> str:
    """ "CET"; "UTC+04" where the zone has no letters of its own."""
    name = local.tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"
