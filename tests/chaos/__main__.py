"""``make chaos``: run it, make the books, say what is wrong. Ends with 1 if anything is."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos import plan
from tests.chaos.faults import FAULTS
from tests.chaos.ledger import Account, account, table
from tests.chaos.plan import Step
from tests.chaos.sender import Pace, Sender
from tests.chaos.world import World, patiently

SHORT, LONG = (60.0, 4_000), (420.0, 52_000)  # seconds of faults, events; for each database
SETTLED_WITHIN = 300.0
SHARES = {"bulk": (0.80, 100), "singles": (0.14, 1), "choosy": (0.06, 10)}  # of the events; to a request
SOURCE_OF = {"bulk": "bulk", "shaky": "singles", "steady": "singles", "choosy": "choosy", "paused": "choosy"}


def main() -> int:
    options = _options()
    databases = [options.database] if options.database else ["sqlite", "postgres"]
    if options.list:
        for database in databases:
            _list(
                plan.make(options.seed, database, options.seconds, short=options.short, names=options.faults), database
            )
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is cleaned up
    wrong: list[str] = []
    for database in databases:
        wrong += [f"{database}: {words}" for words in _run(database, options)]
    for words in wrong:
        print(f"WRONG  {words}")
    print("Nothing was lost." if not wrong else f"{len(wrong)} things are wrong. The same again: --seed {options.seed}")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute and a half for each database")
    parser.add_argument("--seconds", type=float, help="for how long there are faults, on each database")
    parser.add_argument("--events", type=int, help="that are sent to each database")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="only this one")
    parser.add_argument("--seed", type=int, default=1, help="of the plan: the same seed, the same faults")
    parser.add_argument("--faults", type=lambda text: text.split(","), default=(), help="only these kinds: a,b,c")
    parser.add_argument("--list", action="store_true", help="show the plan and do nothing")
    options = parser.parse_args()
    if unknown := set(options.faults) - set(plan.BY_NAME):
        parser.error(f"no such fault: {', '.join(unknown)}. There are {', '.join(plan.BY_NAME)}.")
    seconds, events = SHORT if options.short else LONG
    options.seconds = options.seconds or seconds
    options.events = options.events or events
    return options


def _list(steps: list[Step], database: str) -> None:
    print(f"{database}: {len(steps)} steps, {sum(step.seconds + step.rest for step in steps):.0f} s")
    for step in steps:
        print(f"  {step.seconds:5.1f} s  {' + '.join(step.kinds)}")


def _run(database: str, options: argparse.Namespace) -> list[str]:
    steps = plan.make(options.seed, database, options.seconds, short=options.short, names=options.faults)
    work = Path(tempfile.mkdtemp(prefix="signalbox-chaos-"))
    work.chmod(0o755)  # PostgreSQL runs as somebody else
    begun = time.monotonic()
    world = None
    try:
        world = World(database, work)
        if not world.volume.mounted:
            print("disk-full is left out: mounting a small disk is not permitted here.")
            steps = [step for step in steps if "disk-full" not in step.kinds]
        world.begin()
        _say(begun, f"{database}: running, seed {options.seed}, {len(steps)} steps")
        pace = Pace(sum(step.seconds + step.rest for step in steps))
        senders = _senders(world, options.events, pace)
        for sender in senders:
            sender.start()
        for step in steps:
            pace.next(step.seconds + step.rest)
            _do(world, step, begun, senders)
        pace.next(0)
        _settle(world, senders, begun)
        return _report(world, senders, steps, database, time.monotonic() - begun)
    finally:
        if world is not None:
            _keep_log(world, database)
            world.close()
        shutil.rmtree(work, ignore_errors=True)


def _senders(world: World, events: int, pace: Pace) -> list[Sender]:
    def make(number: int) -> dict[str, Any]:
        name = "Not Wanted" if number % 3 == 0 else "Response Submitted"
        return {"event": name, "properties": {"refuse": True} if number % 10 == 7 else {}}

    return [
        Sender(world.server.port, name, int(events * share), size, pace, make if name == "choosy" else _plain)
        for name, (share, size) in SHARES.items()
    ]


def _plain(number: int) -> dict[str, Any]:
    return {"event": "Response Submitted", "properties": {"score": number % 11, "text": "word " * (number % 40)}}


def _do(world: World, step: Step, begun: float, senders: list[Sender]) -> None:
    _say(begun, f"{' + '.join(step.kinds):50} {sum(len(sender.accepted) for sender in senders):>7,} accepted")
    with contextlib.ExitStack() as faults:
        for kind in step.kinds:
            faults.enter_context(FAULTS[kind](world, step.choice))
        time.sleep(step.seconds)
    time.sleep(step.rest)
    if "key-refused" in step.kinds:
        patiently(world.resume_stopped, 90)


def _settle(world: World, senders: list[Sender], begun: float) -> None:
    """All is well again: wait until every event is taken and nothing is on its way."""
    _say(begun, "no more faults")
    deadline = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < deadline:
        sending = any(sender.is_alive() for sender in senders)
        if not sending and not patiently(world.open_deliveries, 60):
            return
        time.sleep(0.5)
    world.notes.append(f"not settled {SETTLED_WITHIN:.0f} s after the last fault")


def _report(world: World, senders: list[Sender], steps: list[Step], database: str, seconds: float) -> list[str]:
    for sender in senders:
        sender.ended.set()
        sender.join(30)
    rows: dict[str, list[tuple[str, str]]] = {}
    for connector, number, status in patiently(world.rows, 60):
        rows.setdefault(connector, []).append((number, status))
    accepted = {sender.source: sender.accepted for sender in senders}
    accounts: list[Account] = []
    for name, source in SOURCE_OF.items():
        arrivals = world.receivers[name].arrivals
        accounts.append(account(name, accepted[source], rows.get(name, []), arrivals))
    answers = sum((sender.answers for sender in senders), Counter[int]())
    kinds = Counter(kind for step in steps for kind in step.kinds)
    events = sum(map(len, accepted.values()))
    print(
        f"\n{database}: {events:,} events accepted in {seconds:.0f} s; "
        f"{len(kinds)} kinds of fault, {kinds.total()} faults in all"
    )
    print(", ".join(f"{kind} ×{times}" for kind, times in sorted(kinds.items())))
    print("answers: " + ", ".join(f"{status or 'none'} ×{times:,}" for status, times in sorted(answers.items())))
    print(f"\n{table(accounts)}\n", flush=True)
    wrong = [f"{entry.connector}: {words}" for entry in accounts for words in entry.wrong]
    wrong += [f"{sender.source}: {words}" for sender in senders for words in sorted(set(sender.unexpected))]
    return wrong + world.notes + _books(world, accounts)


def _books(world: World, accounts: list[Account]) -> list[str]:
    """Signalbox's own books must say the same. (They are of a day: around midnight there is nothing to compare.)"""
    found = patiently(lambda: world.server.api("GET", "/books/"), 60)["results"]
    rows = {row["connector"]["name"]: row for row in found}
    wrong = []
    for entry in accounts:
        ours = {"received": entry.accepted, **entry.statuses}
        theirs = {name: rows[entry.connector][name] for name in ours}
        if theirs != ours and world.began_on == datetime.now(UTC).date():
            wrong.append(f"{entry.connector}: the books say {theirs}, the rows {ours}")
    return wrong


def _keep_log(world: World, database: str) -> None:
    lines = [line for run in world.server.runs for line in run.lines]
    path = Path(tempfile.gettempdir()) / f"signalbox-chaos-{database}.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"What the server printed ({len(lines):,} lines): {path}", flush=True)


def _say(begun: float, words: str) -> None:
    print(f"{time.monotonic() - begun:6.1f} s  {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
