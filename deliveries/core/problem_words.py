"""Problems that no single delivery explains, in words: (headline, explanation, what to do). Pure data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from deliveries.core.causes import Explanation

WARNED_FOR = timedelta(seconds=10)  # between the warning that a connector will stop and its stop

OF_KIND = {
    "books": Explanation(
        "The books of a day do not add up.",
        "Every event that comes in for a connector is delivered, failed, skipped, held, erased or still on its way. "
        "Here some are none of it, or are there too often: rows were deleted or added past Signalbox, a database was "
        "put back from a backup, or we made a mistake.",
        "Open the books to see which day it is. If nobody touched the database, tell whoever runs Signalbox, and keep "
        "the database as it is until they have looked.",
    ),
    "overdue": Explanation(
        "Deliveries wait longer than they should.",
        "They are due and not sent yet: the service answers slowly or not at all, the connector's speed limit is below "
        "what comes in, or the workers have too much to do. Nothing is lost; each is sent when its turn comes.",
        "Open the connector: see what the service answers, and whether its speed limit is too low. If all connectors "
        "wait, have whoever runs Signalbox start more workers.",
    ),
    "held": Explanation(
        "Held events will soon be too old.",
        "While a connector is paused its events are kept, but not for ever: the oldest come near the age at which they "
        "are dropped.",
        "Open the connector, and resume it or decide what becomes of what is held.",
    ),
    "quiet": Explanation(
        "Nothing arrives any more.",
        "Events came in for this connector before, and for the time that is set under Alerts none has. The service is "
        "not the reason: there was nothing to send.",
        "Look at the sources of this connector: whether the website or app still sends, and whether its write key "
        "works. If it is meant to be quiet, raise the limit under Alerts or switch that alert off.",
    ),
    "stopping": Explanation(
        "It will stop by itself at {time} if this goes on.",
        "Our key was refused 20 times in a row. So that no more events fail, it rests: they wait, their tries "
        "untouched, and only one every few seconds is sent to see whether it works again. One good answer, and all "
        "goes on as before.",
        "Open the connector, put its key right and press “Send a test event”.",
    ),
    "stopped": Explanation(
        "It has stopped by itself.",
        "Its key was refused again after we had warned of it, or its address answered that it is gone for good (410). "
        "Nothing is sent to it now, and nothing is lost: what comes in is held until somebody resumes it.",
        "Open the connector, put its key or address right, press “Send a test event”, and resume it with what is held.",
    ),
    "silent": Explanation(
        "Nothing is being sent.",
        "No worker gives a sign of life. Events are still taken in and kept; nothing is lost.",
        "Look at the machine that runs `manage.py serve`, and start it again if it does not run.",
    ),
}


def of(kind: str, opened_at: datetime, clock: Callable[[datetime, str], str]) -> Explanation | None:
    """The words for a problem that was opened then; None where its sample says more. ``clock`` tells a time, in a form
    of strftime."""
    said = OF_KIND.get(kind)
    if said is None or kind != "stopping":
        return said
    return replace(said, headline=said.headline.format(time=clock(opened_at + WARNED_FOR, "%H:%M:%S")))
