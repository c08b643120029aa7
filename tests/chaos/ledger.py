"""The books at the end: every event whose sender heard 200 is stored once, has a delivery for each connector of its
source, and whatever is called delivered did arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

STATUSES = ("delivered", "failed", "skipped", "held", "waiting", "retrying", "sending")


class Arrivals:
    """What one connector's receiver saw: by the sender's number, the ids it came under and how often."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = {}
        self.answered: Counter[str] = Counter()  # answered 200 to the last byte
        self.seen: Counter[str] = Counter()  # whatever the answer was

    def came(self, number: str, message_id: str) -> None:
        self.ids.setdefault(number, set()).add(message_id)
        self.seen[number] += 1


class Account(NamedTuple):
    """One connector's line."""

    connector: str
    accepted: int
    statuses: dict[str, int]
    missing: list[str]  # accepted, but without a delivery here
    never_arrived: list[str]  # called delivered, but the receiver never saw it
    twice: list[str]  # more than one delivery for one event
    repeats: int  # arrived again after an answer of 200
    other_ids: list[str]  # arrived under more than one message id

    @property
    def lost(self) -> int:
        return len(self.missing) + len(self.never_arrived)

    @property
    def balanced(self) -> bool:
        return self.accepted == sum(self.statuses.values())

    @property
    def wrong(self) -> list[str]:
        """What is wrong, in words; nothing is what we want."""
        said = {
            f"{len(self.missing)} accepted events have no delivery": self.missing,
            f"{len(self.never_arrived)} are called delivered and never arrived": self.never_arrived,
            f"{len(self.twice)} have two deliveries": self.twice,
            f"{len(self.other_ids)} came again under another message id": self.other_ids,
        }
        found = [f"{words}: {', '.join(numbers[:5])}" for words, numbers in said.items() if numbers]
        if not self.balanced:
            found.append(f"{self.accepted} accepted is not the sum {sum(self.statuses.values())}")
        return found


def account(connector: str, accepted: Iterable[str], rows: Sequence[tuple[str, str]], arrivals: Arrivals) -> Account:
    """``accepted``: the numbers that were answered 200. ``rows``: (number, status) of each delivery."""
    wanted = set(accepted)
    counted = Counter(number for number, _ in rows)
    delivered = {number for number, status in rows if status == "delivered"}
    by_status: Mapping[str, int] = Counter(status for _, status in rows)
    return Account(
        connector,
        len(wanted),
        {status: by_status.get(status, 0) for status in STATUSES},
        sorted(wanted - set(counted)),
        sorted(delivered - set(arrivals.seen)),
        sorted(number for number, times in counted.items() if times > 1),
        sum(times - 1 for times in arrivals.answered.values() if times > 1),
        sorted(number for number, ids in arrivals.ids.items() if len(ids) > 1),
    )


def table(accounts: Sequence[Account]) -> str:
    """Lined up, with a sum."""
    head = ("connector", "accepted", "delivered", "failed", "skipped", "held", "waiting", "lost", "repeats")
    lines = [_line(entry) for entry in accounts]
    total = ("all", *(f"{sum(int(line[at].replace(',', '')) for line in lines):,}" for at in range(1, len(head))))
    cells = [head, *lines, total]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


def _line(entry: Account) -> tuple[str, ...]:
    waiting = sum(entry.statuses[status] for status in ("waiting", "retrying", "sending"))
    finished = [entry.statuses[status] for status in ("delivered", "failed", "skipped", "held")]
    return (entry.connector, *(f"{n:,}" for n in (entry.accepted, *finished, waiting, entry.lost, entry.repeats)))
