"""The sentences of what was skipped where its cause alone does not say why: the detail does, by how it begins.

Pure data, as in ``cause_words``. Without them a replay that somebody stopped would read as events that were thrown away
when a connector was resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from deliveries.core.cause_words import REPLAY, Words

Value = TypeVar("Value")

REPLAY_STOPPED = "The replay was stopped before this was sent."
HELD_TOO_LONG = "Held for more than"
CONNECTOR_OFF = "The connector was "
SENDERS_OWN = "The sender's own"
THROWN_AWAY, NOT_THE_NEWEST = "Thrown away by", "Left out by"

BY_DETAIL: dict[str, Words] = {
    REPLAY_STOPPED: (
        "Not sent: its replay was stopped.",
        "{own} Nothing is wrong with {event}; what the replay had not sent yet was left out.",
        "If it should go out after all, replay this delivery.",
    ),
    HELD_TOO_LONG: (
        "Not sent: it was held for too long.",
        "{own} What is held is dropped at that age.",
        "If it should go out after all, replay this delivery. Resume {connector}, so that no more is dropped.",
    ),
    CONNECTOR_OFF: (
        "Not sent on purpose: the connector was off.",
        "{own} While {connector} is off, nothing is kept for it.",
        f"If it should go out, switch on {{connector}}, {REPLAY}",
    ),
    SENDERS_OWN: (
        "Not sent on purpose: the sender left out this connector.",
        "{own} That stands in the event itself; no setting here changes it.",
        "If it should go out, ask whoever runs the website or app that sends it to leave {connector} on.",
    ),
}
REASONS = {
    REPLAY_STOPPED: "Replay stopped",
    HELD_TOO_LONG: "Held too long",
    SENDERS_OWN: "Left out by the sender",
    THROWN_AWAY: "Thrown away",
    NOT_THE_NEWEST: "Thrown away",
}


def by_start(table: Mapping[str, Value], detail: str) -> Value | None:
    """What the table has for a detail that begins so."""
    return next((value for start, value in table.items() if detail.startswith(start)), None)
