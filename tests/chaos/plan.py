"""Which faults happen when. A plan is made from its seed alone, so a run that found something can be run again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of fault. ``order``: those of a step begin in this order and are healed in the opposite one, so that a
    server is never started while the database it waits for is still to be healed by the same hand."""

    name: str
    words: str
    order: int  # 0 processes, 1 receivers, 2 stores and disk
    databases: tuple[str, ...] = ("sqlite", "postgres")
    needs_root: bool = False
    shortest: float = 1.5  # seconds it lasts in the short form
    longest: float = 8.0  # … and in the long one


KINDS = (
    Kind("web-killed", "kill -9 of every web process", 0),
    Kind("drain-killed", "kill -9 of one worker with deliveries in hand", 0),
    Kind("idle-killed", "kill -9 of one worker with nothing in hand", 0),
    Kind("parent-killed", "kill -9 of the worker cluster's parent alone; its children live on", 0),
    Kind("workers-killed", "kill -9 of the whole worker cluster", 0),
    Kind("all-killed", "kill -9 of everything, then started again", 0),
    Kind("worker-frozen", "one worker stopped, longer than its lease in the long form, then going on", 0, longest=40),
    Kind("deploy", "TERM, a new version with a migration, started, under load", 0),
    Kind("clocks-apart", "a second machine's workers, 45 s ahead or behind", 0, ("postgres",), False, 4, 20),
    Kind("refuses", "the receiver refuses connections", 1),
    Kind("hangs", "the receiver takes requests and never answers", 1, longest=25),
    Kind("drips", "the receiver answers byte by byte", 1, longest=20),
    Kind("cuts", "the receiver closes in the middle of its answer", 1),
    Kind("answers-500", "the receiver answers 500", 1),
    Kind("answers-429", "the receiver answers 429 with Retry-After", 1),
    Kind("garbage", "the receiver answers what is no HTTP", 1),
    Kind("key-refused", "the receiver answers 401 until the connector is stopped; then resumed", 1),
    Kind("away", "every receiver is away, for minutes in the long form", 1, shortest=4, longest=130),
    Kind("cut", "every connection to PostgreSQL cut", 2, ("postgres",)),
    Kind("restart", "PostgreSQL restarted in order", 2, ("postgres",)),
    Kind("stopped", "PostgreSQL stopped in order, and away for a while", 2, ("postgres",), longest=25),
    Kind("crash", "PostgreSQL stopped as by a crash, and away for a while", 2, ("postgres",), longest=25),
    Kind("locked", "somebody else holds the database's tables locked", 2),
    Kind("redis-flushed", "Redis flushed", 2, ("postgres",)),
    Kind("redis-restart", "Redis stopped, away for a while, started empty", 2, ("postgres",)),
    Kind("disk-full", "no byte left where the data is", 2, ("sqlite", "postgres"), True),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


class Step(NamedTuple):
    """These kinds at once, for ``seconds``; then a rest before the next step."""

    kinds: tuple[str, ...]
    seconds: float
    rest: float
    choice: int  # what a fault does with chance (which worker, which receiver), decided here


def make(seed: int, database: str, seconds: float, *, short: bool, names: Sequence[str] = ()) -> list[Step]:
    """Every kind alone once, in random order; then two or three at a time, until the time is full."""
    chance = random.Random(f"{seed}-{database}-{short}")
    able = [kind for kind in KINDS if database in kind.databases and (not names or kind.name in names)]
    steps = [_step(chance, (kind,), short) for kind in chance.sample(able, len(able))]
    while len(able) > 1 and (sum(step.seconds + step.rest for step in steps) < seconds or not _together(steps)):
        steps.append(_step(chance, chance.sample(able, min(len(able), chance.choice((2, 2, 3)))), short))
    return steps


def _step(chance: random.Random, kinds: Sequence[Kind], short: bool) -> Step:
    ordered = sorted(kinds, key=lambda kind: kind.order)
    if short:
        seconds = max(kind.shortest for kind in kinds)
    else:
        seconds = max(chance.uniform(kind.shortest, kind.longest) for kind in kinds)
    rest = 0.5 if short else chance.uniform(0.5, 4)
    return Step(tuple(kind.name for kind in ordered), round(seconds, 1), round(rest, 1), chance.randrange(1 << 16))


def _together(steps: Sequence[Step]) -> bool:
    return any(len(step.kinds) > 1 for step in steps)
