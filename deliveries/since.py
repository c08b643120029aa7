"""Since when, and by whom, what is skipped on purpose is not sent: from the history of changes. Reads only.

The newest change before the delivery ended counts. Where the history does not tell (a configuration file that lists all
events anew, a rule of the service itself, the sender's own switch) nothing is said rather than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from deliveries.core.skipped_words import CONNECTOR_OFF
from deliveries.models import Delivery, Status
from integrations.history import Change
from integrations.types import Cause

LOOK_BACK = 200  # changes of the connector
ITS_OWN = timedelta(minutes=1)  # what waits is skipped first, then switching off is written down
RULE = re.compile(r"(.+) is switched off in this connector's events\.")
UNLISTED = re.compile(r"(.+) is not in the events table, and other events are off\.")
FILTER = re.compile(r"[^“]*[Ff]ilter “(.+?)(?: when (.+))?”")
OTHERS = ("events that are not in the table", "other events")
IN_USE = "Set up and turned on"
# True: this change began it. False: it ended it, or hides it. None: it has nothing to do with it.
Found = Callable[[Change], bool | None]


def words(delivery: Delivery, now: datetime) -> str:
    """ "Since 3 Nov, by Ann.", or "" where nobody's change is known to have caused it. One query at most."""
    found = _looked_for(delivery)
    if found is None:
        return ""
    until = (delivery.finished_at or now) + (ITS_OWN if delivery.detail.startswith(CONNECTOR_OFF) else timedelta(0))
    changes = Change.objects.filter(kind="connector", object_id=delivery.connector_id, at__lte=until)
    for change in changes[:LOOK_BACK]:
        decided = found(change)
        if decided:
            at = timezone.localtime(change.at)
            year = "" if at.year == timezone.localtime(now).year else f" {at.year}"
            return f"Since {at.day} {at:%b}{year}, by {change.by}."
        if decided is False:
            return ""
    return ""


def _looked_for(delivery: Delivery) -> Found | None:
    if delivery.status != Status.SKIPPED:
        return None
    if delivery.cause == Cause.SWITCHED_OFF:
        if delivery.detail.startswith(CONNECTOR_OFF):
            return _off
        if match := RULE.fullmatch(delivery.detail):
            return _by_line(match[1])
        if UNLISTED.fullmatch(delivery.detail):
            return _by_others
    if delivery.cause == Cause.FILTERED and (match := FILTER.match(delivery.detail)):
        return _by_filter(match[2] or "all")
    return None


def _off(change: Change) -> bool | None:
    if change.words in ("Turned on", IN_USE) or change.words.startswith("Resumed"):
        return False
    for label, _, after in change.details:
        if label == "status":
            return bool(after == "off")
    return True if change.words.startswith(("Switched off", "Removed")) else None


def _by_line(name: str) -> Found:
    """The line of the events table was added, or its switch moved."""

    def found(change: Change) -> bool | None:
        for label, before, after in change.details:
            if label in (name, f"{name} – Send it?"):
                if after in ("no", "added") or (after.startswith("not sent") and not before.startswith("not sent")):
                    return True
                if after in ("yes", "removed") or after.startswith("sent"):
                    return False
        return _untold(change, ("events",))

    return found


def _by_others(change: Change) -> bool | None:
    for label, _, after in change.details:
        if label.lower() in OTHERS:
            return bool(after == "skip")
    return _untold(change, ())


def _by_filter(condition: str) -> Found:
    """The filter was added or changed. Lines of the history begin with what it does, then its condition."""

    def found(change: Change) -> bool | None:
        for label, _, after in change.details:
            if label.endswith(f": {condition}") or f": {condition} – " in label:
                return after not in ("no", "removed")
        return _untold(change, ("filters",))

    return found


def _untold(change: Change, labels: Iterable[str]) -> bool | None:
    """What was there when the connector was set up is from then; a file that brought all lines anew tells of none."""
    if change.words == IN_USE:
        return True
    return False if any(label in labels for label, _, _ in change.details) else None
